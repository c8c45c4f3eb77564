"""The page at `/docs` needs nothing but this server."""

from __future__ import annotations

import re

import pytest

from .conftest import Served
from .test_bad_input import assert_problem


async def test_the_page_loads_nothing_from_elsewhere(served: Served) -> None:
    page = await served.client.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "://" not in page.text
    assert '"validatorUrl": null' in page.text


async def test_all_that_the_page_loads_is_served(served: Served) -> None:
    page = (await served.client.get("/docs")).text
    loaded = set(re.findall(r"""(?:src|href|url)(?:=|: )["']([^"']+)""", page))
    assert loaded == {
        "docs/swagger-ui-bundle.js",
        "docs/swagger-ui.css",
        "docs/favicon-32x32.png",
        "openapi.json",
    }
    kinds = {}
    for address in loaded:
        answer = await served.client.get(f"/{address}")
        assert answer.status_code == 200, address
        assert answer.content, address
        kinds[address.rpartition(".")[2]] = answer.headers["content-type"].partition(";")[0]
    assert kinds == {"js": "text/javascript", "css": "text/css", "png": "image/png", "json": "application/json"}


async def test_the_root_leads_to_the_page(served: Served) -> None:
    answer = await served.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [("main.py", 422, "invalid-input"), ("..%2Fmain.py", 404, "not-found"), ("%2Fetc%2Fpasswd", 404, "not-found")],
)
async def test_other_files_are_not_served(served: Served, name: str, status: int, kind: str) -> None:
    assert_problem(await served.client.get(f"/docs/{name}"), status, kind)
