"""`rejoinder tenant` and `rejoinder key`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Data = Callable[..., Any]
HIDDEN = "hunter2-do-not-show"


@pytest.fixture
def acme(run: Run) -> str:
    run("tenant", "create", "acme", "--name", "Acme Bank")
    return "acme"


def test_tenants_are_made_and_listed(run: Run, data: Data, acme: str) -> None:
    (record,) = data("tenant", "list")
    assert (record["id"], record["name"], record["plugins"], record["disabled"]) == ("acme", "Acme Bank", None, False)
    assert "Acme Bank" in run("tenant", "list").output


@pytest.mark.usefixtures("acme")
def test_a_tenant_is_made_once(run: Run) -> None:
    assert "already" in run("tenant", "create", "acme", code=1).stderr


def test_without_tenants_the_next_step_is_told(run: Run, data: Data) -> None:
    assert "rejoinder tenant create" in run("tenant", "list").output
    assert data("tenant", "list") == []


@pytest.mark.usefixtures("acme")
def test_show_tells_what_a_tenant_has(run: Run, data: Data) -> None:
    run("tenant", "set", "acme", "smalltalk.greeting", "hi")
    found = data("tenant", "show", "acme")
    assert "smalltalk" in found["plugins"]
    assert found["settings_stored"] == ["smalltalk.greeting"]
    assert "smalltalk.greeting" in run("tenant", "show", "acme").output


@pytest.mark.usefixtures("acme")
def test_a_tenant_is_disabled_and_enabled(data: Data) -> None:
    assert data("tenant", "disable", "acme")["disabled"] is True
    assert data("tenant", "enable", "acme")["disabled"] is False


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("smalltalk.tries", "5", 5),
        ("smalltalk.greeting", "good day", "good day"),
        ("smalltalk.greeting", "007", "007"),
        ("smalltalk.greeting", "12", "12"),
    ],
)
@pytest.mark.usefixtures("acme")
def test_a_setting_is_json_or_text(data: Data, key: str, value: str, stored: Any) -> None:
    (record,) = data("tenant", "set", "acme", key, value)
    assert record == {"key": key, "value": stored, "from": "stored setting of 'acme'"}


@pytest.mark.usefixtures("acme")
def test_unset_goes_back_to_the_layer_below(run: Run, data: Data) -> None:
    run("tenant", "set", "acme", "smalltalk.tries", "5")
    (record,) = data("tenant", "unset", "acme", "smalltalk.tries")
    assert record["value"] == 4
    assert "rejoinder.toml:6" in record["from"]
    run("tenant", "unset", "acme", "smalltalk.tries", code=1)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("smaltalk.tries", "5", "Did you mean 'smalltalk'"),
        ("smalltalk.trys", "5", "Did you mean 'tries'"),
        ("smalltalk.tries", "50", "got 50, expected integer from 1 to 9"),
        ("smalltalk.tries", "many", "got 'many', expected integer from 1 to 9"),
    ],
)
@pytest.mark.usefixtures("acme")
def test_a_wrong_setting_is_refused(run: Run, data: Data, key: str, value: str, text: str) -> None:
    assert text in run("tenant", "set", "acme", key, value, code=1).stderr
    assert data("tenant", "show", "acme")["settings_stored"] == []


@pytest.mark.usefixtures("acme")
def test_a_secret_is_read_from_standard_input_and_never_shown(run: Run, folder: Path) -> None:
    outputs = [
        run("tenant", "set", "acme", "smalltalk.token", "-", stdin=f"{HIDDEN}\n").output,
        run("settings", "show", "--tenant", "acme").output,
        run("settings", "explain", "--tenant", "acme", "--json").output,
        run("tenant", "show", "acme", "--json").output,
    ]
    assert not any(HIDDEN in output for output in outputs)
    assert not any(HIDDEN.encode() in file.read_bytes() for file in (folder / "rejoinder-data").iterdir())


@pytest.mark.usefixtures("acme")
def test_plugins_of_a_tenant(run: Run, data: Data) -> None:
    def state() -> dict[str, bool]:
        return {record["plugin"]: record["enabled"] for record in data("tenant", "plugins", "acme")}

    assert state()["smalltalk"] is True
    run("tenant", "plugins", "acme", "--disable", "smalltalk")
    assert state()["smalltalk"] is False
    run("tenant", "plugins", "acme", "--enable", "smalltalk")
    assert state()["smalltalk"] is True
    assert "Did you mean 'smalltalk'" in run("tenant", "plugins", "acme", "--enable", "smaltalk", code=1).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("show", "acmee"),
        ("disable", "acmee"),
        ("set", "acmee", "smalltalk.tries", "5"),
        ("unset", "acmee", "smalltalk.tries"),
        ("plugins", "acmee"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.usefixtures("acme")
def test_an_unknown_tenant_has_the_closest(run: Run, words: tuple[str, ...]) -> None:
    assert "Did you mean 'acme'" in run("tenant", *words, code=1).stderr


# --- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("acme")
def test_a_key_is_shown_once(run: Run, data: Data) -> None:
    token = run("key", "create", "--tenant", "acme", "--role", "agent", "--name", "desk").output.splitlines()[0]
    assert token.startswith("rj_")
    listed = run("key", "list", "--tenant", "acme", "--json").output
    (record,) = json.loads(listed)
    assert (record["role"], record["name"], record["prefix"]) == ("agent", "desk", token[:11])
    assert token.rpartition("_")[2] not in listed
    assert "hash" not in record


@pytest.mark.usefixtures("acme")
def test_a_key_is_revoked(run: Run, data: Data) -> None:
    made = data("key", "create", "--tenant", "acme", "--expires-days", "3")
    assert made["expires_at"] is not None
    assert data("key", "revoke", made["id"], "--tenant", "acme")["revoked_at"] is not None
    run("key", "revoke", made["id"], "--operator", code=1)


@pytest.mark.usefixtures("acme")
def test_an_operator_key(data: Data) -> None:
    made = data("key", "create", "--operator")
    assert (made["role"], made["tenant"]) == ("operator", None)
    assert [record["id"] for record in data("key", "list", "--operator")] == [made["id"]]


@pytest.mark.parametrize(
    "words", [("create",), ("create", "--tenant", "acme", "--operator"), ("list",)], ids=["none", "both", "list"]
)
@pytest.mark.usefixtures("acme")
def test_whose_key_must_be_said(run: Run, words: tuple[str, ...]) -> None:
    assert "--tenant" in run("key", *words, code=2).stderr


@pytest.mark.usefixtures("acme")
def test_an_unknown_role_is_refused(run: Run) -> None:
    assert "Did you mean 'analyst'" in run("key", "create", "--tenant", "acme", "--role", "analist", code=1).stderr


@pytest.mark.usefixtures("acme")
def test_a_flow_that_no_domain_has_is_refused(run: Run, data: Data) -> None:
    pytest.importorskip("rejoinder_customer_service", reason="the domain customer_service is not installed")
    for value in ('["cancel_ordr", "refund"]', "cancel_ordr"):
        told = run("tenant", "set", "acme", "flows.use", value, code=1).stderr
        assert "flows.use: there is no flow 'cancel_ordr'. Did you mean 'cancel_order'?" in told
        assert "block_card, cancel_order, change_address" in told
    assert data("tenant", "show", "acme")["settings_stored"] == []
    (row,) = data("tenant", "set", "acme", "flows.use", "refund")
    assert row["value"] == ["refund"]


@pytest.mark.usefixtures("acme")
def test_a_flow_of_a_domain_that_is_gone_leaves_a_tenant_its_settings(folder: Path, run: Run, data: Data) -> None:
    """The settings hold, so that the tenant is served; the check tells of it, and another change is no hindrance."""
    (folder / "tenants").mkdir()
    (folder / "tenants" / "acme.toml").write_text('[flows]\nuse = ["long_gone"]\n', encoding="utf-8")
    run("tenant", "set", "acme", "smalltalk.tries", "5")
    assert "flows" in data("tenant", "show", "acme")["plugins"]
    assert "acme.toml:2: flows.use: there is no flow 'long_gone'" in run("settings", "check", code=1).output
