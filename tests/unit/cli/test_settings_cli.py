"""`rejoinder settings`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field
from rejoinder.cli.settings_page import difference, settings_page
from rejoinder.fields import keys_of
from rejoinder.settings import DeploymentSettings, variable_of
from typer.testing import Result

Run = Callable[..., Result]
Data = Callable[..., Any]
HIDDEN = "hunter2-do-not-show"


def test_show_prints_all_settings(data: Data) -> None:
    keys = {record["key"] for record in data("settings", "show")}
    assert {"data_dir", "server.port", "security.secret_key"} <= keys


def test_show_of_one_key_or_a_section(run: Run, data: Data) -> None:
    assert [record["value"] for record in data("settings", "show", "server.port")] == [8080]
    assert all(record["key"].startswith("server.") for record in data("settings", "show", "server"))
    assert "8080" in run("settings", "show", "server.port").output


def test_show_of_an_unknown_key_has_the_closest(run: Run) -> None:
    assert "Did you mean 'server.port'" in run("settings", "show", "server.prot", code=1).stderr


def test_explain_tells_every_layer(run: Run, data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "rejoinder.toml").write_text("[server]\nport = 9000\n", encoding="utf-8")
    monkeypatch.setenv("REJOINDER_SERVER__PORT", "9100")
    (record,) = data("settings", "explain", "server.port")
    assert record["value"] == 9100
    assert record["origin"] == {"layer": "environment", "place": "REJOINDER_SERVER__PORT"}
    assert [(one["value"], one["origin"]["layer"]) for one in record["overridden"]] == [
        (9000, "file"),
        (8080, "default"),
    ]
    output = run("settings", "explain", "server.port").output
    assert "REJOINDER_SERVER__PORT" in output
    assert "rejoinder.toml:2" in output


def test_explain_of_a_tenant_tells_every_layer(
    run: Run, data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tenant", "create", "acme")
    (folder / "tenants").mkdir()
    (folder / "tenants" / "acme.toml").write_text("[smalltalk]\ntries = 5\n", encoding="utf-8")
    run("tenant", "set", "acme", "smalltalk.tries", "6")
    monkeypatch.setenv("TRIES", "9")
    (record,) = data("settings", "explain", "smalltalk.tries", "--tenant", "acme")
    assert (record["value"], record["origin"]["layer"]) == (6, "tenant")
    assert [(one["value"], one["origin"]["layer"]) for one in record["overridden"]] == [
        (5, "tenant_file"),
        (4, "tenant_defaults"),
        (3, "default"),
    ]


@pytest.mark.parametrize("command", ["show", "explain"])
@pytest.mark.parametrize("flag", [(), ("--json",)], ids=["table", "json"])
def test_secrets_are_masked(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, flag: tuple[str, ...]
) -> None:
    (folder / "rejoinder.toml").write_text(f'[security]\nsecret_key = "{HIDDEN}-1"\n', encoding="utf-8")
    monkeypatch.setenv("REJOINDER_SECURITY__SECRET_KEY", f"{HIDDEN}-2")
    monkeypatch.setenv("REJOINDER_STORE__URL", f"postgresql://bot:{HIDDEN}@db/chat")
    output = run("settings", command, *flag).output
    assert HIDDEN not in output
    assert "**********" in output
    assert "postgresql://bot:***@db/chat" in output


def test_check_says_what_is_right(run: Run, data: Data) -> None:
    assert "right" in run("settings", "check").output
    assert data("settings", "check") == {"ok": True, "problems": [], "skipped": {}, "tenants": []}


def test_check_makes_nothing(run: Run, folder: Path) -> None:
    run("settings", "check")
    assert not (folder / "rejoinder-data").exists()


def test_check_finds_what_is_wrong_in_every_place(run: Run, data: Data, folder: Path) -> None:
    run("tenant", "create", "acme")
    (folder / "tenants").mkdir()
    (folder / "tenants" / "acme.toml").write_text("[smaltalk]\n", encoding="utf-8")
    (folder / "tenants" / "acm.toml").write_text("", encoding="utf-8")
    found = data("settings", "check", code=1)
    assert found["ok"] is False
    assert any("Did you mean 'smalltalk'" in text and "acme.toml:1" in text for text in found["problems"])
    assert any("Did you mean 'acme'" in text for text in found["problems"])
    assert "smaltalk" in run("settings", "check", "--tenant", "acme", code=1).stderr


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("[servr]\n", "Did you mean 'server'"),
        ("[tenant_defaults.smaltalk]\n", "Did you mean 'smalltalk'"),
        ("[tenant_defaults.smalltalk]\ntrys = 1\n", "Did you mean 'tries'"),
    ],
)
def test_check_finds_what_is_wrong_in_the_file(run: Run, folder: Path, toml: str, text: str) -> None:
    (folder / "rejoinder.toml").write_text(f'plugins.folder = "plugins"\n{toml}', encoding="utf-8")
    stderr = run("settings", "check", code=1).stderr
    assert text in stderr
    assert "rejoinder.toml:" in stderr


def test_check_looks_at_tenant_files_before_there_is_a_store(run: Run, folder: Path) -> None:
    (folder / "tenants").mkdir()
    (folder / "tenants" / "acme.toml").write_text("[smalltalk]\ntries = 0\n", encoding="utf-8")
    assert "smalltalk.tries: got 0" in run("settings", "check", code=1).stderr


def test_the_page_is_written_and_compared(run: Run, folder: Path) -> None:
    run("settings", "docs", "--check", code=1)
    run("settings", "docs")
    run("settings", "docs", "--check")
    page = folder / "docs" / "settings.md"
    page.write_text(page.read_text(encoding="utf-8").replace("8080", "80"), encoding="utf-8")
    stderr = run("settings", "docs", "--check", code=1).stderr
    assert "not up to date" in stderr
    assert "run: rejoinder settings docs" in stderr


def test_the_page_names_every_setting_with_its_variable() -> None:
    page = settings_page({})
    for path, info in keys_of(DeploymentSettings):
        assert f"| `{'.'.join(path)}` |" in page
        assert f"`{variable_of(path)}`" in page
        assert info.description


def test_the_page_has_a_section_for_each_plugin() -> None:
    class Crm(BaseModel):
        """Looks up customers."""

        url: str = Field(description="Where | it is.")
        timeout_s: float = Field(default=2.0, gt=0, le=9, description="How long.")

    page = settings_page({"crm": Crm})
    assert "### `[crm]`\n\nLooks up customers.\n" in page
    assert "| `crm.url` | text | required |  | Where \\| it is. |" in page
    assert "| `crm.timeout_s` | number above 0 and at most 9 | `2.0` | seconds | How long. |" in page


def test_the_difference_of_two_pages_is_told() -> None:
    assert difference("a\nb\n", "a\nc\n") == "line 2 is 'b', expected 'c'"
    assert difference("a\n", "a\nc\n") == "it has 1 lines, expected 2"
