"""The OpenAPI document is what the server does."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import validator_for

from .conftest import Served, bearer


@pytest.fixture
async def document(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = (await served.client.get("/openapi.json")).json()
    return found


async def test_every_route_is_described(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["tags"], where
            if path in ("/v1/health", "/v1/ready"):
                assert "security" not in operation, where
            else:
                assert operation["security"] == [{"bearer": []}], where
                assert {"401", "403", "422", "429"} <= set(operation["responses"]), where
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ProblemDocument"}, where
                    assert list(response["content"]) == ["application/problem+json"], where


async def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [one["operationId"] for operations in document["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)


async def test_examples_of_requests_fit(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    seen = 0
    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            validator_for({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}).validate(
                example
            )
            seen += 1
    assert seen >= 10


async def test_a_turn_is_as_described(served: Served, document: dict[str, Any]) -> None:
    conversation_id = await served.conversation()
    turn = await served.client.post(
        f"/v1/conversations/{conversation_id}/messages", headers=bearer("ana"), json={"text": "hello"}
    )
    schema = {"$ref": "#/components/schemas/TurnOut", "components": document["components"]}
    validator_for(schema).validate(turn.json())
