"""The example page of a shop in a real browser, over a real server, from another origin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.common import need_program
from tests.services.server import running_server
from tests.support.application import ADMIN
from tests.support.shop import ITEMS, shop

playwright_api = pytest.importorskip("playwright.sync_api", reason="needs the dependency group dev")
pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><rect width="4" height="3" fill="#7a9"/></svg>'


class Quiet(SimpleHTTPRequestHandler):
    """Serves the example, and a picture at any name that ends in .svg; logs nothing."""

    def do_GET(self) -> None:
        if not self.path.endswith(".svg"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml")
        self.end_headers()
        self.wfile.write(PICTURE.encode())
        return None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def pages() -> Iterator[str]:
    """Serve the example as a shop's own server does; give its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(EXAMPLES)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.service
def test_a_page_shows_lists_and_the_next_one_knows_the_click(tmp_path: Path) -> None:
    chromium = need_program("chromium")
    with pages() as origin:
        (tmp_path / "rejoinder.toml").write_text(f'[server]\ncors_origins = ["{origin}"]\n')
        with running_server(tmp_path) as server, httpx.Client(base_url=server.url, timeout=300) as client:
            operator = {"authorization": f"Bearer {server.operator_key}", "rejoinder-tenant": "acme"}
            rules = {"recommendation": {"explore": False, "diversity": 0.0}}
            made = client.post(
                "/v1/tenants",
                json={"id": "acme", "settings": rules},
                headers={"authorization": operator["authorization"]},
            )
            assert made.status_code == 201, made.text
            offered = [{**item, "image": f"{origin}/{item['id']}.svg"} for item in ITEMS]
            offered[0]["title"] = "<b>Not HTML</b>"
            assert client.post("/v1/items", json=offered, headers=operator).json()["new"] == 30
            token = client.post("/v1/tokens", json={"user_id": "ann"}, headers=operator).json()["token"]
            page_url = f"{origin}/shop.html?url={server.url}#{token}"
            with playwright_api.sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 960, "height": 640})
                errors: list[str] = []
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.goto(page_url)
                cards = page.locator(".rejoinder-card")
                cards.first.wait_for()
                assert cards.count() == 6
                before = page.locator("#for-you").get_attribute("data-decision")
                clicked = cards.first.get_attribute("data-item") or ""
                kind = clicked.partition("-")[0]
                cards.first.click()
                page.wait_for_function("d => document.querySelector('#for-you').dataset.decision !== d", arg=before)
                items = [one.get_attribute("data-item") or "" for one in cards.all()]
                assert clicked not in items
                assert sum(one.startswith(kind) for one in items) >= 4
                assert f"Same tag as {cards.first.locator('.rejoinder-title').inner_text()}" not in page.content()
                assert "Same tag as" in page.locator(".rejoinder-reason").first.inner_text()
                assert page.locator(".rejoinder-title b").count() == 0
                page.screenshot(path=tmp_path / "widget.png")
                page.goto(f"{origin}/shop.html?url={server.url}#wrong")
                page.reload()
                page.locator(".rejoinder-note").wait_for()
                assert "cannot be shown" in page.locator(".rejoinder-note").inner_text()
                assert len(errors) == 1
                browser.close()


@pytest.mark.service
def test_a_click_leads_on_where_it_cannot_be_told() -> None:
    chromium = need_program("chromium")
    with pages() as origin, playwright_api.sync_playwright() as playwright:
        item = {"id": "i", "title": "I", "reason": "", "image": None, "price": None, "url": f"{origin}/i.svg"}
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        listed = {"decision_id": "d", "items": [item], "note": ""}
        page.route("**/v1/recommendations", lambda route: route.fulfill(json=listed))
        page.route("**/behaviour", lambda route: route.fulfill(status=503, json={"title": "Busy"}))
        page.goto(f"{origin}/shop.html?url={origin}#token")
        page.locator(".rejoinder-card").click()
        page.wait_for_url(item["url"])
        browser.close()


async def test_a_token_tells_and_lists_for_its_own_user_only(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        acme.keys["ann"] = (await acme.post("tokens", {"user_id": "ann"}, status=201))["token"]
        click = {"kind": "click", "item_id": "fishing-1"}
        assert (await acme.post("recommendations/behaviour", click, "ann"))["status"] == "accepted"
        named = {**click, "id": "c1"}
        assert (await acme.post("recommendations/behaviour", named, "ann"))["status"] == "accepted"
        assert (await acme.post("recommendations/behaviour", named, "ann"))["status"] == "duplicate"
        await acme.rule(explore=False, diversity=0.0)
        listed = await acme.ids("ann", limit=4)
        assert all(one.startswith("fishing") for one in listed)
        assert "fishing-1" not in listed
        for path, body in (
            ("recommendations/behaviour", {**click, "user_id": "ben"}),
            ("recommendations", {"user_id": "ben"}),
        ):
            await acme.post(path, body, "ann", status=403)
        await acme.post("recommendations/behaviour", click, "admin", status=422)
        await acme.post("recommendations/behaviour", {**click, "kind": "rate", "value": 11}, "ann", status=422)
        await acme.post("recommendations/behaviour", {**click, "kind": "document"}, "ann", status=422)
        await acme.post("events", {**click, "user_id": "ann"}, "ann", status=403)
        items = (await acme.application.models.request_for("other", ADMIN)).items
        assert items is not None
        assert len(await items.recent("ann", None)) == 0
