"""Who may do what."""

from __future__ import annotations

import pytest

from .conftest import Serve, Served, bearer
from .test_bad_input import assert_problem

EVERYBODY = ("ana", "shop", "agent", "analyst", "ingest", "admin")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic abc", "ana", "Bearer wrong", "Bearer 🙂", "Bearer ana extra"],
    ids=repr,
)
async def test_nobody_unknown_is_let_in(served: Served, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode()}
    response = await served.client.post("/v1/conversations", headers=headers)
    assert_problem(response, 401, "authentication")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_the_unknown_are_refused_before_their_body_is_read(served: Served) -> None:
    response = await served.client.post("/v1/feedback", headers={"content-type": "application/json"}, content=b"{")
    assert_problem(response, 401, "authentication")


async def test_a_revoked_key_is_refused_at_once(served: Served) -> None:
    await served.conversation("shop")
    del served.application.tenants.principals["shop"]
    assert_problem(await served.client.post("/v1/conversations", headers=bearer("shop")), 401, "authentication")


@pytest.mark.parametrize("who", ["ben", "stranger", "shop"])
async def test_another_persons_conversation_is_not_found(served: Served, who: str) -> None:
    path = f"/v1/conversations/{await served.conversation('ana')}"
    for response in (
        await served.client.get(path, headers=bearer(who)),
        await served.client.post(f"{path}/messages", headers=bearer(who), json={"text": "hello"}),
        await served.client.get(f"{path}/turns", headers=bearer(who)),
    ):
        document = assert_problem(response, 404, "not-found")
        assert document["detail"] == "there is no conversation 'conv_1'"


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    [
        ("POST", "/v1/conversations", {}, {"ana", "shop", "agent", "analyst", "admin"}),
        ("GET", "/v1/conversations/conv_1", None, {"ana", "agent", "analyst", "admin"}),
        ("POST", "/v1/conversations/conv_1/agent-messages", {"text": "hi"}, {"agent", "admin"}),
        ("POST", "/v1/conversations/conv_1/release", None, {"agent", "admin"}),
        (
            "POST",
            "/v1/feedback",
            {"decision_id": "d", "kind": "thumbs", "value": 1},
            {"ana", "shop", "agent", "analyst", "admin"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_roles_decide(
    served: Served, method: str, path: str, body: dict[str, object] | None, allowed: set[str]
) -> None:
    await served.conversation("ana")
    for who in EVERYBODY:
        response = await served.client.request(method, path, headers=bearer(who), json=body)
        if who in allowed:
            assert response.status_code < 300, (who, response.text)
        elif who == "shop":
            assert response.status_code in (403, 404)
        else:
            assert_problem(response, 403, "access")


@pytest.mark.parametrize("who", [one for one in EVERYBODY if one != "ana"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/tenants"), ("POST", "/v1/tenants"), ("GET", "/v1/tenants/other"), ("PATCH", "/v1/tenants/other")],
)
async def test_only_operators_reach_other_tenants(served: Served, who: str, method: str, path: str) -> None:
    body = {"id": "new"} if method == "POST" else {}
    response = await served.client.request(method, path, headers=bearer(who), json=body)
    assert_problem(response, 403, "access")


@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_key_is_of_no_use_in_another_tenant(served: Served, who: str) -> None:
    response = await served.client.post("/v1/conversations", headers=bearer(who, rejoinder_tenant="other"))
    assert_problem(response, 403, "access")


async def test_an_operator_must_name_a_tenant(served: Served) -> None:
    response = await served.client.post("/v1/conversations", headers=bearer("operator"))
    assert "Rejoinder-Tenant" in assert_problem(response, 422, "invalid-input")["detail"]


async def test_an_operator_works_in_the_tenant_that_is_named(served: Served) -> None:
    response = await served.client.post("/v1/conversations", headers=bearer("operator", rejoinder_tenant="acme"))
    assert response.status_code == 201
    assert ("acme", "conv_1") in served.application.conversations.all


async def test_an_operator_who_names_an_unknown_tenant_is_told(served: Served) -> None:
    response = await served.client.post("/v1/conversations", headers=bearer("operator", rejoinder_tenant="acne"))
    assert_problem(response, 404, "not-found")


# --- limits --------------------------------------------------------------------------------------------------------


async def test_a_user_who_asks_too_often_is_told_when_to_come_back(serve: Serve) -> None:
    served = await serve(user_requests_per_minute=3)
    for _ in range(3):
        assert (await served.client.post("/v1/conversations", headers=bearer("ana"))).status_code == 201
    response = await served.client.post("/v1/conversations", headers=bearer("ana"))
    assert_problem(response, 429, "rate-limited")
    assert 1 <= int(response.headers["retry-after"]) <= 20
    assert (await served.client.post("/v1/conversations", headers=bearer("ben"))).status_code == 201


async def test_a_key_is_no_user_but_counts_for_its_tenant(serve: Serve) -> None:
    served = await serve(user_requests_per_minute=1, tenant_requests_per_minute=3)
    for _ in range(3):
        assert (await served.client.post("/v1/conversations", headers=bearer("shop"))).status_code == 201
    assert_problem(await served.client.post("/v1/conversations", headers=bearer("shop")), 429, "rate-limited")
    assert (await served.client.post("/v1/conversations", headers=bearer("stranger"))).status_code == 201


async def test_health_needs_no_key(served: Served) -> None:
    assert (await served.client.get("/v1/health")).json()["status"] == "ok"


async def test_browsers_of_other_sites_may_call_only_when_their_origin_is_listed(serve: Serve) -> None:
    served = await serve(cors_origins=("https://shop.example",))
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    allowed = await served.client.options("/v1/conversations", headers={"origin": "https://shop.example", **ask})
    refused = await served.client.options("/v1/conversations", headers={"origin": "https://evil.example", **ask})
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in refused.headers
    told = await served.client.post("/v1/conversations", headers={"origin": "https://shop.example"})
    assert told.status_code == 401
    assert told.headers["access-control-allow-origin"] == "https://shop.example"
