"""The façade over tenants, on a real SQLite file."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr
from rejoinder.errors import (
    AccessError,
    AuthenticationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    SettingsError,
)
from rejoinder.layers import Layer
from rejoinder.payloads import Domain
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.database import Database
from rejoinder.tenants.service import Tenants
from sqlalchemy import text

HIDDEN = "hunter2-do-not-show"


class Account(BaseModel):
    user: str = "bot"
    password: SecretStr = SecretStr("")


class Smalltalk(BaseModel):
    greeting: str = "hello"
    tries: int = Field(default=3, ge=1, le=9)
    token: SecretStr | None = None
    account: Account = Account()


class Crm(BaseModel):
    url: str


class Plugins:
    """What the host would know."""

    plugin_names = frozenset({"smalltalk", "silent", "crm"})
    settings_models: Mapping[str, type[BaseModel]] = {"smalltalk": Smalltalk, "crm": Crm}
    domains: Sequence[Domain] = ()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path}/test.db", synchronous="NORMAL")
    await database.migrate()
    yield database
    await database.close()


def open_tenants(database: Database, folder: Path, clock: Any) -> Tenants:
    defaults = Layer("tenant_defaults", "rejoinder.toml", {"smalltalk": {"tries": 4}})
    loaded = LoadedSettings(
        DeploymentSettings(data_dir=folder / "data"), tenant_defaults=defaults, tenants_dir=folder / "tenants"
    )
    return Tenants(database, Plugins(), loaded, clock=clock, monotonic=clock.monotonic)


@pytest.fixture
async def tenants(database: Database, tmp_path: Path, clock: Any) -> Tenants:
    (tmp_path / "tenants").mkdir()
    tenants = open_tenants(database, tmp_path, clock)
    await tenants.create("acme", name="Acme Bank")
    await tenants.create("blue")
    return tenants


async def settings_of(tenants: Tenants, tenant: str = "acme") -> Smalltalk:
    settings = (await tenants.resolved(tenant)).settings["smalltalk"]
    assert isinstance(settings, Smalltalk)
    return settings


# --- tenants -------------------------------------------------------------------------------------------------------


async def test_tenants_are_made_listed_and_found(tenants: Tenants) -> None:
    assert [(row.id, row.name) for row in await tenants.list()] == [("acme", "Acme Bank"), ("blue", "blue")]
    assert (await tenants.rename("blue", "Blue")).name == "Blue"
    with pytest.raises(NotFoundError, match="Did you mean 'acme'"):
        await tenants.get("acne")


@pytest.mark.parametrize("tenant", ["", "Acme", "../etc", "a b", "-a", "x" * 64])
async def test_an_id_that_is_no_slug_is_refused(tenants: Tenants, tenant: str) -> None:
    with pytest.raises(InvalidInputError):
        await tenants.create(tenant)


async def test_an_id_is_taken_once(tenants: Tenants) -> None:
    with pytest.raises(ConflictError):
        await tenants.create("acme")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"settings": {"smaltalk": {}}}, "Did you mean 'smalltalk'"),
        ({"settings": {"smalltalk": {"greting": "x"}}}, "Did you mean 'greeting'"),
        ({"plugins": ["silnt"]}, "Did you mean 'silent'"),
        ({"plugins": ["crm"]}, "crm.url is missing"),
    ],
)
async def test_a_tenant_with_wrong_settings_is_not_made(tenants: Tenants, options: dict[str, Any], hint: str) -> None:
    with pytest.raises(SettingsError, match=hint):
        await tenants.create("coral", **options)
    assert len(await tenants.list()) == 2


async def test_a_tenant_may_start_with_settings_and_plugins(tenants: Tenants) -> None:
    await tenants.create("coral", settings={"crm": {"url": "u"}}, plugins=["crm"])
    assert (await tenants.resolved("coral")).plugins == {"crm"}


# --- settings ------------------------------------------------------------------------------------------------------


async def test_a_stored_setting_is_typed_and_takes_hold_at_once(tenants: Tenants) -> None:
    assert (await settings_of(tenants)).tries == 4
    await tenants.set_setting("acme", "smalltalk.tries", 5)
    assert (await settings_of(tenants)).tries == 5
    assert (await settings_of(tenants, "blue")).tries == 4
    await tenants.unset_setting("acme", "smalltalk.tries")
    assert (await settings_of(tenants)).tries == 4
    assert (await tenants.get("acme")).settings == {}


async def test_the_row_is_stronger_than_the_file(tenants: Tenants, tmp_path: Path) -> None:
    (tmp_path / "tenants" / "acme.toml").write_text("[smalltalk]\ntries = 6\ngreeting = 'hi'\n")
    await tenants.set_setting("acme", "smalltalk.tries", 5)
    assert await settings_of(tenants) == Smalltalk(tries=5, greeting="hi")


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("smaltalk.tries", 3, "Did you mean 'smalltalk'"),
        ("smalltalk.trys", 3, "Did you mean 'tries'"),
        ("smalltalk.account.usr", "x", "Did you mean 'user'"),
        ("smalltalk.tries", 0, "got 0, expected integer from 1 to 9"),
        ("smalltalk.tries.more", 0, "smalltalk.tries"),
        ("smalltalk", {}, "names no setting"),
        ("smalltalk.", 1, "names no setting"),
        ("silent.key", 1, "has no settings"),
    ],
)
async def test_a_wrong_setting_changes_nothing(tenants: Tenants, key: str, value: Any, hint: str) -> None:
    await tenants.set_setting("acme", "smalltalk.greeting", "before")
    with pytest.raises(SettingsError, match=hint):
        await tenants.set_setting("acme", key, value)
    assert (await tenants.get("acme")).settings == {"smalltalk": {"greeting": "before"}}


async def test_what_json_cannot_say_is_refused(tenants: Tenants) -> None:
    with pytest.raises(InvalidInputError):
        await tenants.set_setting("acme", "smalltalk.greeting", object())


async def test_unsetting_what_is_not_set_is_told(tenants: Tenants) -> None:
    with pytest.raises(NotFoundError, match=r"has no stored setting 'smalltalk\.account\.user'"):
        await tenants.unset_setting("acme", "smalltalk.account.user")


async def test_two_mistakes_can_be_mended_one_by_one(tenants: Tenants, database: Database) -> None:
    async with database.write() as session:
        wrong = '{"smalltalk": {"tries": 0, "greeting": 7}}'
        await session.execute(text("UPDATE tenants SET settings = :wrong WHERE id = 'acme'"), {"wrong": wrong})
    fresh = Tenants(database, Plugins(), tenants._loaded)
    with pytest.raises(SettingsError):
        await fresh.resolved("acme")
    with pytest.raises(SettingsError, match="tries"):
        await fresh.set_setting("acme", "smalltalk.tries", 0)
    with pytest.raises(SettingsError, match="greeting"):
        await fresh.set_setting("acme", "smalltalk.tries", 2)
    assert (await fresh.get("acme")).settings["smalltalk"]["tries"] == 2
    await fresh.set_setting("acme", "smalltalk.greeting", "hi")
    assert await settings_of(fresh) == Smalltalk(tries=2, greeting="hi")


async def test_a_change_by_another_process_takes_hold_within_two_seconds(
    tenants: Tenants, database: Database, tmp_path: Path, clock: Any
) -> None:
    assert (await settings_of(tenants)).tries == 4
    await open_tenants(database, tmp_path, clock).set_setting("acme", "smalltalk.tries", 7)
    clock.turn(1.9)
    assert (await settings_of(tenants)).tries == 7


async def test_a_file_broken_while_served_is_told_and_the_settings_before_go_on(
    tenants: Tenants, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tenants" / "acme.toml"
    file.write_text("[smalltalk]\ntries = 6\n")
    assert (await settings_of(tenants)).tries == 6
    file.write_text("[smalltalk]\ntrys = 7\n")
    with caplog.at_level(logging.ERROR):
        assert (await settings_of(tenants)).tries == 6
        assert (await settings_of(tenants)).tries == 6
    assert len(caplog.records) == 1
    assert "Did you mean 'tries'" in caplog.text
    found = await tenants.check("acme")
    assert "Did you mean 'tries'" in found.problems[0]
    file.write_text("[smalltalk]\ntries = 8\n")
    assert (await settings_of(tenants)).tries == 8


async def test_checking_names_files_of_tenants_that_are_not_there(tenants: Tenants, tmp_path: Path) -> None:
    (tmp_path / "tenants" / "acm.toml").write_text("")
    found = await tenants.check()
    assert [text.partition(": ")[2] for text in found.problems] == ["there is no tenant 'acm'. Did you mean 'acme'?"]
    assert found.tenants == ["acme", "blue"]
    assert set(found.skipped["acme"]) == {"crm"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("smalltalk.token", HIDDEN),
        ("smalltalk.account.password", HIDDEN),
        ("smalltalk.account", {"user": "ann", "password": HIDDEN}),
    ],
)
async def test_a_stored_secret_is_encrypted_masked_and_usable(
    tenants: Tenants, database: Database, tmp_path: Path, key: str, value: Any
) -> None:
    resolved = await tenants.set_setting("acme", key, value)
    settings = await settings_of(tenants)
    assert HIDDEN in (
        settings.account.password.get_secret_value(),
        (settings.token or SecretStr("")).get_secret_value(),
    )
    async with database.read() as session:
        stored = str((await session.execute(text("SELECT settings FROM tenants"))).all())
    assert "$sealed" in stored
    for shown in (stored, repr(resolved.rows()), repr(resolved), repr(settings)):
        assert HIDDEN not in shown
    assert HIDDEN.encode() not in _bytes_of(tmp_path)


def _bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_sealed_secret_of_another_tenant_cannot_be_used(tenants: Tenants, database: Database) -> None:
    await tenants.set_setting("acme", "smalltalk.token", HIDDEN)
    async with database.write() as session:
        await session.execute(text("UPDATE tenants SET settings = (SELECT settings FROM tenants WHERE id = 'acme')"))
    with pytest.raises(SettingsError, match="'blue' cannot be read"):
        await Tenants(database, Plugins(), tenants._loaded).resolved("blue")


# --- plugins -------------------------------------------------------------------------------------------------------


async def test_plugins_are_taken_and_given(tenants: Tenants) -> None:
    assert (await tenants.resolved("acme")).plugins == {"smalltalk", "silent"}
    await tenants.disable_plugin("acme", "silent")
    assert (await tenants.resolved("acme")).plugins == {"smalltalk"}
    assert (await tenants.resolved("blue")).plugins == {"smalltalk", "silent"}
    await tenants.enable_plugin("acme", "silent")
    assert (await tenants.get("acme")).plugins == ["crm", "silent", "smalltalk"]
    await tenants.use_all_plugins("acme")
    assert (await tenants.get("acme")).plugins is None


async def test_a_plugin_that_lacks_a_required_setting_is_not_enabled(tenants: Tenants) -> None:
    await tenants.disable_plugin("acme", "crm")
    with pytest.raises(SettingsError, match=r"crm\.url is missing.*rejoinder tenant set acme crm\.url VALUE"):
        await tenants.enable_plugin("acme", "crm")
    assert (await tenants.get("acme")).plugins == ["silent", "smalltalk"]
    await tenants.set_setting("acme", "crm.url", "https://crm.example")
    await tenants.enable_plugin("acme", "crm")
    with pytest.raises(SettingsError, match="is missing"):
        await tenants.unset_setting("acme", "crm.url")
    assert "crm" in (await tenants.resolved("acme")).plugins


@pytest.mark.parametrize("change", ["enable_plugin", "disable_plugin"])
async def test_a_plugin_that_is_not_installed_is_refused(tenants: Tenants, change: str) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'silent'"):
        await getattr(tenants, change)("acme", "silnt")


# --- keys and tokens -----------------------------------------------------------------------------------------------


async def test_a_user_comes_in_with_a_token_that_a_key_issued(tenants: Tenants) -> None:
    key = await tenants.create_key("customer", tenant="acme")
    issuer = await tenants.authenticate(key.token, tenant="acme")
    issued = await tenants.issue_token(issuer, "ann", locale="pt-BR", time_zone="Europe/Lisbon")
    user = await tenants.authenticate(issued.token, tenant="acme")
    assert (user.tenant, user.role, user.user_id, user.locale) == ("acme", "customer", "ann", "pt-BR")


async def test_credentials_of_another_tenant_are_refused(tenants: Tenants) -> None:
    key = await tenants.create_key("admin", tenant="acme")
    issued = await tenants.issue_token(await tenants.authenticate(key.token), "ann")
    for credential in (key.token, issued.token):
        with pytest.raises(AuthenticationError):
            await tenants.authenticate(credential, tenant="blue")


async def test_an_operator_reaches_every_tenant(tenants: Tenants) -> None:
    key = await tenants.create_key("operator", tenant=None)
    operator = await tenants.authenticate(key.token, tenant="blue")
    issued = await tenants.issue_token(operator, "ann", tenant="blue")
    assert (await tenants.authenticate(issued.token)).tenant == "blue"
    with pytest.raises(NotFoundError):
        await tenants.issue_token(operator, "ann", tenant="nobody")


async def test_revoking_a_key_revokes_the_tokens_that_it_issued(tenants: Tenants) -> None:
    key = await tenants.create_key("customer", tenant="acme")
    issued = await tenants.issue_token(await tenants.authenticate(key.token), "ann")
    await tenants.authenticate(issued.token)
    await tenants.revoke_key(key.record.id, tenant="acme")
    with pytest.raises(AuthenticationError):
        await tenants.authenticate(issued.token)


async def test_disabling_a_tenant_refuses_keys_and_tokens_at_once(tenants: Tenants) -> None:
    key = await tenants.create_key("customer", tenant="acme")
    issuer = await tenants.authenticate(key.token)
    issued = await tenants.issue_token(issuer, "ann")
    await tenants.authenticate(issued.token)
    await tenants.disable("acme")
    for credential in (key.token, issued.token):
        with pytest.raises(AuthenticationError):
            await tenants.authenticate(credential)
    with pytest.raises(AccessError):
        await tenants.issue_token(issuer, "ann")
    await tenants.disable("acme", disabled=False)
    await tenants.authenticate(issued.token)
