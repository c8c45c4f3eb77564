"""The fixture `rejoinder_host`: a started host with only the named plugins, closed in the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.errors import PluginSpecError
from rejoinder.payloads import Answer, Query
from rejoinder.testing import EchoPlugin, HostUnderTest


class LifecyclePlugin:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.data_dir = ""

    @hookimpl()
    def start(self, deployment: Any) -> None:
        self.data_dir = deployment.data_dir
        assert Path(self.data_dir).is_dir()
        self.told.append("start")

    @hookimpl()
    async def stop(self) -> None:
        self.told.append("stop")

    @hookimpl()
    async def retrieve_answers(self, context: Any) -> list[Answer]:
        self.told.append("retrieve")
        return [Answer(id=context.tenant, score=0.5, source=context.plugin, text=str(context.settings))]


def test_a_host_is_started_and_has_only_the_named_plugins(rejoinder_host: Any) -> None:
    plugin = LifecyclePlugin()

    host = rejoinder_host(plugin, other=EchoPlugin())

    assert plugin.told == ["start"]
    assert host.plugin_names == {"lifecycle", "other"}


async def test_in_an_async_test_it_is_started_before_the_first_hook(rejoinder_host: Any) -> None:
    plugin = LifecyclePlugin()
    host = rejoinder_host(plugin)

    await host.retrieve_answers(Query(), host.request())
    await host.retrieve_answers(Query(), host.request())

    assert plugin.told == ["start", "retrieve", "retrieve"]


def test_tenant_and_settings_are_in_the_requests(rejoinder_host: Any) -> None:
    host = rejoinder_host(mine=LifecyclePlugin(), tenant="acme", settings={"mine": "my settings"})

    (answer,) = host.run(host.retrieve_answers(Query(), host.request()))

    assert (answer.id, answer.source, answer.text) == ("acme", "mine", "my settings")


def test_a_request_can_be_changed(rejoinder_host: Any) -> None:
    host = rejoinder_host(mine=LifecyclePlugin(), tenant="acme")
    request = host.request(tenant="other", plugins=frozenset(), session_id=None)

    assert (request.tenant, request.session_id) == ("other", None)
    assert host.run(host.retrieve_answers(Query(), request)) == ()


def test_options_reach_the_host(rejoinder_host: Any) -> None:
    host = rejoinder_host(EchoPlugin(), options={"deadlines_s": {"retrieve_answers": 0.5}})

    assert host.calls.deadline_s(host.plugins.in_order("retrieve_answers")[0]) == 0.5


def test_finishing_stops_closes_and_tidies_once() -> None:
    plugin = LifecyclePlugin()
    host = HostUnderTest.of(plugin)

    host.finish()
    host.finish()

    assert plugin.told == ["start", "stop"]
    assert not Path(plugin.data_dir).exists()


def test_a_plugin_that_does_not_fit_is_refused(rejoinder_host: Any) -> None:
    with pytest.raises(PluginSpecError, match="plugin 'echo' from this test: EchoPlugin is a class"):
        rejoinder_host(EchoPlugin)


def test_the_fixture_ends_what_a_test_began(pytester_run: Any) -> None:
    done = pytester_run(
        "import pathlib\n"
        "from rejoinder import hookimpl\n"
        "class Mine:\n"
        "    @hookimpl()\n"
        "    def stop(self): pathlib.Path('stopped').touch()\n"
        "def test_it(rejoinder_host): rejoinder_host(Mine())\n"
    )

    assert done.returncode == 0, done.stdout
    assert (done.folder / "stopped").exists()


def test_a_run_that_does_not_use_it_imports_little(pytester_run: Any) -> None:
    done = pytester_run(
        "import sys\n"
        "def test_it():\n"
        "    heavy = {'torch', 'numpy', 'pydantic', 'sqlalchemy', 'fastapi', 'rejoinder.host'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )

    assert done.returncode == 0, done.stdout


@pytest.fixture
def pytester_run(tmp_path: Path) -> Any:
    """Run a test file in a process of its own, in a folder of its own."""

    def run(source: str) -> Any:
        (tmp_path / "test_it.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "test_it.py"]
        command[4:4] = ["-p", "no:hypothesispytest", "-p", "no:schemathesis", "-p", "no:anyio"]
        done: Any = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        done.folder = tmp_path
        return done

    return run
