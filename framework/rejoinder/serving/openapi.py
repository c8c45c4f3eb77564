"""The OpenAPI document: FastAPI's, with what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from rejoinder.events.arriving import EventIn
from rejoinder.items.arriving import ItemIn
from rejoinder.learning.example_import import ExampleIn
from rejoinder.serving.guards import AccessGuard
from rejoinder.serving.schemas.parts import ProblemDocument

__all__ = ["describe"]

_DESCRIPTION = """Chatbots that learn, at once and safely, from the people who talk to them.

Every request needs `Authorization: Bearer <API key or token>`; an operator names the tenant in `Rejoinder-Tenant`. Every error is
a problem document (RFC 9457). Over a WebSocket: `/v1/conversations/{conversation_id}/socket`."""

_TENANT_PARAMETER = {
    "name": "Rejoinder-Tenant",
    "in": "header",
    "required": False,
    "description": "The tenant that an operator's request is about; others leave it out.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
}


def describe(app: FastAPI) -> None:
    """Let an application describe itself."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way of extending it


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in (ProblemDocument, ExampleIn, EventIn, ItemIn):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or the token of an end user."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].get("422", {}).get("content", {}).pop("application/json", None)
            if path not in AccessGuard.open_paths and not path.startswith("/v1/channels/"):
                operation["security"] = [{"bearer": []}]
                operation.setdefault("parameters", []).append(_TENANT_PARAMETER)
    return document
