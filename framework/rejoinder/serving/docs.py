"""The page at `/docs`: Swagger UI, all of it from this server, since a company's server or its users often cannot reach the internet."""

from __future__ import annotations

from importlib.resources import files
from typing import Final, Literal

from fastapi import APIRouter, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse

__all__ = ["router"]

_ASSETS: Final = ("fastapi_swagger", "resources")
"""The package that brings Swagger UI as its project releases it, and the folder in it."""

_KEPT: Final = {"cache-control": "public, max-age=86400"}

Asset = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"]

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> Response:
    """The API for people. Addresses are relative, so that it works behind a proxy that adds a path."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Rejoinder",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon-32x32.png",
        # else the browser sends the document's address to a validator on the internet
        swagger_ui_parameters={"validatorUrl": None},
    )


@router.get("/docs/{name}", response_class=FileResponse)
async def asset(name: Asset) -> FileResponse:
    """One of the page's files."""
    package, folder = _ASSETS
    return FileResponse(str(files(package) / folder / name), headers=_KEPT)
