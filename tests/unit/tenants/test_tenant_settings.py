"""A tenant's settings: layers, origins, refusals, isolation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings
from rejoinder.errors import SettingsError
from rejoinder.layers import Layer
from rejoinder.tenants.settings import TenantSettingsResolver

HIDDEN = "hunter2-do-not-show"


class Voice(BaseModel):
    pitch: float = 1.0


class Smalltalk(BaseModel):
    """Its author forgot to forbid unknown keys."""

    greeting: str = "hello"
    tries: int = Field(default=3, ge=1, le=9, description="How often.")
    voice: Voice = Voice()
    token: SecretStr | None = None


class Crm(BaseModel):
    url: str
    timeout_s: float = 2.0


MODELS: dict[str, type[BaseModel]] = {"smalltalk": Smalltalk}
NAMES = ("smalltalk", "silent")


def resolver(
    folder: Path,
    defaults: Mapping[str, Any] | None = None,
    models: Mapping[str, type[BaseModel]] | None = None,
    **options: Any,
) -> TenantSettingsResolver:
    models = models or MODELS
    layer = Layer("tenant_defaults", "rejoinder.toml", defaults or {})
    return TenantSettingsResolver(models, {*NAMES, *models}, defaults=layer, folder=folder, **options)


def write(folder: Path, tenant: str, toml: str) -> None:
    (folder / f"{tenant}.toml").write_text(toml, encoding="utf-8")


@pytest.mark.parametrize(
    ("defaults", "toml", "stored", "greeting", "layer"),
    [
        pytest.param({}, None, {}, "hello", "default", id="plugin-default"),
        pytest.param({"greeting": "a"}, None, {}, "a", "tenant_defaults", id="tenant-defaults"),
        pytest.param({"greeting": "a"}, 'greeting = "b"', {}, "b", "tenant_file", id="file"),
        pytest.param({"greeting": "a"}, 'greeting = "b"', {"greeting": "c"}, "c", "tenant", id="row"),
        pytest.param({"greeting": "a"}, None, {"greeting": "c"}, "c", "tenant", id="row-without-file"),
    ],
)
def test_a_later_layer_wins(
    tmp_path: Path, defaults: dict[str, Any], toml: str | None, stored: dict[str, Any], greeting: str, layer: str
) -> None:
    if toml is not None:
        write(tmp_path, "acme", f"[smalltalk]\n{toml}\n")
    found = resolver(tmp_path, {"smalltalk": defaults}).resolve("acme", {"smalltalk": stored})
    settings = found.settings["smalltalk"]
    assert isinstance(settings, Smalltalk)
    assert settings.greeting == greeting
    (row,) = [row for row in found.rows() if row.key == "smalltalk.greeting"]
    assert row.origin.layer == layer


def test_layers_are_merged_key_by_key(tmp_path: Path) -> None:
    write(tmp_path, "acme", "[smalltalk.voice]\npitch = 2\n")
    found = resolver(tmp_path, {"smalltalk": {"tries": 4}}).resolve("acme", {"smalltalk": {"greeting": "c"}})
    assert found.settings["smalltalk"] == Smalltalk(greeting="c", tries=4, voice=Voice(pitch=2.0))


def test_the_environment_never_overrides_a_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GREETING", "SMALLTALK__GREETING", "REJOINDER_SMALLTALK__GREETING", "REJOINDER_GREETING"):
        monkeypatch.setenv(name, "from the environment")
    found = resolver(tmp_path).resolve("acme", {})
    assert found.settings["smalltalk"] == Smalltalk()
    assert "GREETING" in os.environ


def test_a_model_that_reads_the_environment_itself_is_refused(tmp_path: Path) -> None:
    class Sly(BaseSettings):
        greeting: str = "hello"

    with pytest.raises(SettingsError, match=r"'sly'.*reads the environment, which never overrides a tenant"):
        resolver(tmp_path, models={"sly": Sly})


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        pytest.param({"smaltalk": {}}, "there is no plugin 'smaltalk'. Did you mean 'smalltalk'?", id="plugin"),
        pytest.param(
            {"smalltalk": {"greting": "x"}}, "smalltalk.greting: unknown key. Did you mean 'greeting'?", id="key"
        ),
        pytest.param(
            {"smalltalk": {"voice": {"pich": 1}}}, "smalltalk.voice.pich: unknown key. Did you mean 'pitch'?", id="deep"
        ),
        pytest.param({"smalltalk": {"tries": 0}}, "smalltalk.tries: got 0, expected integer from 1 to 9", id="range"),
        pytest.param({"smalltalk": "x"}, "expected a table", id="no-table"),
        pytest.param({"silent": {"a": 1}}, "the plugin 'silent' has no settings", id="no-settings"),
    ],
)
def test_what_is_wrong_is_refused_on_each_layer(tmp_path: Path, wrong: dict[str, Any], text: str) -> None:
    import tomli_w

    with pytest.raises(SettingsError) as caught:
        resolver(tmp_path, wrong)
    assert text in str(caught.value)
    assert str(caught.value).startswith("rejoinder.toml: ")
    good = resolver(tmp_path)
    if set(wrong) == {"smalltalk"} and isinstance(wrong["smalltalk"], dict):
        with pytest.raises(SettingsError) as caught:
            good.resolve("acme", wrong)
        assert text in str(caught.value)
        assert "stored setting of 'acme'" in str(caught.value)
    write(tmp_path, "acme", tomli_w.dumps(wrong))
    with pytest.raises(SettingsError) as caught:
        good.resolve("acme", {})
    assert text in str(caught.value)
    assert "acme.toml" in str(caught.value)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    write(tmp_path, "acme", "[smalltalk\n")
    with pytest.raises(SettingsError, match=r"acme\.toml: is not TOML.*line 1"):
        resolver(tmp_path).resolve("acme", {})


def test_settings_are_cached_until_the_file_or_the_row_changes(tmp_path: Path) -> None:
    source = resolver(tmp_path)
    first = source.resolve("acme", {})
    assert source.resolve("acme", {}) is first
    write(tmp_path, "acme", '[smalltalk]\ngreeting = "b"\n')
    second = source.resolve("acme", {})
    assert second.settings["smalltalk"] == Smalltalk(greeting="b")
    assert source.resolve("acme", {"smalltalk": {"tries": 5}}).settings["smalltalk"] == Smalltalk(greeting="b", tries=5)
    (tmp_path / "acme.toml").unlink()
    assert source.resolve("acme", {}).settings["smalltalk"] == Smalltalk()


def test_a_plugin_whose_required_setting_is_missing_is_skipped_with_the_command_to_type(tmp_path: Path) -> None:
    source = resolver(tmp_path, models={**MODELS, "crm": Crm})
    found = source.resolve("acme", {})
    assert found.plugins == {"smalltalk", "silent"}
    assert "crm.url is missing" in found.skipped["crm"]
    assert "rejoinder tenant set acme crm.url VALUE" in found.skipped["crm"]
    assert source.resolve("acme", {"crm": {"url": "https://crm.example"}}).plugins == {"smalltalk", "silent", "crm"}


def test_only_enabled_plugins_are_there(tmp_path: Path) -> None:
    found = resolver(tmp_path).resolve("acme", {}, ["silent", "gone"])
    assert found.plugins == {"silent"}
    assert found.skipped == {"gone": "it is not installed"}


def test_stored_settings_of_an_uninstalled_plugin_are_kept_and_told(tmp_path: Path) -> None:
    found = resolver(tmp_path).resolve("acme", {"gone": {"a": 1}})
    assert found.skipped == {"gone": "it is not installed"}


def test_a_plugin_that_the_deployment_leaves_out_may_keep_its_tables(tmp_path: Path) -> None:
    resolver(tmp_path, {"off": {"a": 1}}, disabled=("off",)).resolve("acme", {})


def test_secrets_are_masked_and_values_of_refused_ones_not_shown(tmp_path: Path) -> None:
    write(tmp_path, "acme", f'[smalltalk]\ntoken = "{HIDDEN}"\n')
    source = resolver(tmp_path)
    found = source.resolve("acme", {"smalltalk": {"token": f"{HIDDEN}-2"}})
    assert HIDDEN not in repr(found) + repr(found.rows())
    (row,) = [row for row in found.rows() if row.key == "smalltalk.token"]
    assert (row.value, row.overridden[0][1]) == ("**********", "**********")
    with pytest.raises(SettingsError) as caught:
        source.resolve("acme", {"smalltalk": {"token": [HIDDEN], "tokn": HIDDEN}})
    assert HIDDEN not in str(caught.value)


_values = st.fixed_dictionaries({}, optional={"greeting": st.text("abc", max_size=5), "tries": st.integers(1, 9)})


@given(st.dictionaries(st.sampled_from(["acme", "blue", "coral"]), _values, min_size=1), st.data())
def test_a_tenant_never_sees_the_settings_of_another(stored: dict[str, dict[str, Any]], data: st.DataObject) -> None:
    source = resolver(Path("/nowhere"))
    order = data.draw(st.lists(st.sampled_from(["acme", "blue", "coral"]), min_size=1, max_size=8))
    for tenant in order:
        mine = stored.get(tenant, {})
        found = source.resolve(tenant, {"smalltalk": mine})
        assert found.tenant == tenant
        assert found.settings["smalltalk"] == Smalltalk(**mine)
    both = [source.resolve(tenant, {}).settings["smalltalk"] for tenant in ("acme", "blue")]
    assert both[0] is not both[1]
