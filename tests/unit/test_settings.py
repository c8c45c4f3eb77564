"""Deployment settings: layers, origins, refusals, secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.errors import NotFoundError, SettingsError
from rejoinder.layers import Layer, Layered
from rejoinder.settings import DeploymentSettings, LoadedSettings, SecretUrl, load_settings, weakness

STRONG = "k8Qw3nZx0vT5yLr2Hs9BdFg4JmPcUe7A"
HIDDEN = "hunter2-do-not-show"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(folder: Path, toml: str | None = None, environ: Mapping[str, str] | None = None) -> LoadedSettings:
    if toml is not None:
        (folder / "rejoinder.toml").write_text(toml, encoding="utf-8")
    return load_settings(environ=environ or {})


def refusal(folder: Path, toml: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, toml, environ)
    return str(caught.value)


# --- layers --------------------------------------------------------------------------------------------------------


def test_defaults_alone_make_a_deployment(folder: Path) -> None:
    loaded = load(folder)
    assert loaded.settings.server.port == 8080
    assert loaded.settings.data_dir == folder / "rejoinder-data"
    assert loaded.settings.store_url == f"sqlite+aiosqlite:///{folder}/rejoinder-data/rejoinder.db"
    assert {row.origin.layer for row in loaded.rows()} == {"default"}


def test_nothing_is_made_by_loading(folder: Path) -> None:
    load(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("toml", "environ", "port", "layer"),
    [
        pytest.param(None, {}, 8080, "default", id="default"),
        pytest.param("[server]\nport = 9000\n", {}, 9000, "file", id="file-over-default"),
        pytest.param(None, {"REJOINDER_SERVER__PORT": "9100"}, 9100, "environment", id="environment-over-default"),
        pytest.param(
            "[server]\nport = 9000\n",
            {"REJOINDER_SERVER__PORT": "9100"},
            9100,
            "environment",
            id="environment-over-file",
        ),
        pytest.param(
            "server.port = 9000\n", {"REJOINDER_SERVER__PORT": ""}, 9000, "file", id="empty-variable-is-unset"
        ),
        pytest.param(
            None,
            {"REJOINDER_SERVER": '{"port": 1}', "REJOINDER_SERVER__PORT": "2"},
            2,
            "environment",
            id="one-setting-over-its-section",
        ),
    ],
)
def test_a_later_layer_wins(folder: Path, toml: str | None, environ: Mapping[str, str], port: int, layer: str) -> None:
    loaded = load(folder, toml, environ)
    assert loaded.settings.server.port == port
    assert loaded.origin("server.port").layer == layer


def test_layers_are_merged_key_by_key(folder: Path) -> None:
    loaded = load(
        folder,
        "[server]\nport = 9000\n[hooks.deadline_s]\nretrieve_answers = 0.5\n",
        {"REJOINDER_SERVER__HOST": "0.0.0.0", "REJOINDER_HOOKS__DEADLINE_S__RANK_ANSWERS": "2"},  # noqa: S104
    )
    assert (loaded.settings.server.host, loaded.settings.server.port) == ("0.0.0.0", 9000)  # noqa: S104
    assert loaded.settings.hooks.deadline_s == {"retrieve_answers": 0.5, "rank_answers": 2.0}


def test_explaining_names_file_line_variable_and_what_is_overridden(folder: Path) -> None:
    loaded = load(folder, "\n[server]\n# the port\nport = 9000\n", {"REJOINDER_SERVER__PORT": "9100"})
    (row,) = loaded.row("server.port")
    assert row.origin.place == "REJOINDER_SERVER__PORT"
    assert [(origin.place, value) for origin, value in row.overridden] == [
        (f"{folder / 'rejoinder.toml'}:4", 9000),
        ("default", 8080),
    ]


def test_every_setting_has_help(folder: Path) -> None:
    assert [row.key for row in load(folder).rows() if not row.help] == []


def test_a_key_that_is_no_setting_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"Did you mean 'server\.port'"):
        load(folder).row("server.prot")


@pytest.mark.parametrize("text", ["https://a.example, https://b.example", '["https://a.example", "https://b.example"]'])
def test_a_list_in_a_variable_is_json_or_commas(folder: Path, text: str) -> None:
    loaded = load(folder, environ={"REJOINDER_SERVER__CORS_ORIGINS": text})
    assert loaded.settings.server.cors_origins == ("https://a.example", "https://b.example")


def test_the_constructor_reads_no_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_SERVER__PORT", "9100")
    assert DeploymentSettings().server.port == 8080
    assert load_settings().settings.server.port == 9100


def test_config_variable_names_the_file_and_paths_start_there(folder: Path) -> None:
    inner = folder / "etc"
    inner.mkdir()
    (inner / "bot.toml").write_text('data_dir = "files"\n[plugins]\nfolder = "mine"\n', encoding="utf-8")
    loaded = load_settings(environ={"REJOINDER_CONFIG": "etc/bot.toml"})
    assert loaded.settings.data_dir == inner / "files"
    assert loaded.settings.plugins.folder == inner / "mine"
    assert loaded.tenants_dir == inner / "tenants"
    moved = load_settings(environ={"REJOINDER_CONFIG": "etc/bot.toml", "REJOINDER_DATA_DIR": "files"})
    assert moved.settings.data_dir == folder / "files"


def test_a_named_file_must_be_there(folder: Path) -> None:
    assert "there is no settings file" in refusal(folder, environ={"REJOINDER_CONFIG": "nowhere.toml"})


def test_variables_that_are_no_settings_are_left_alone(folder: Path) -> None:
    load(folder, environ={"REJOINDER_DATA": "/data", "REJOINDER_REQUIRE_SERVICES": "1"})


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "texts"),
    [
        pytest.param("[server]\nprot = 1\n", [":2: server.prot: unknown key. Did you mean 'port'?"], id="unknown"),
        pytest.param("port = 1\n", [":1: port: unknown key. Did you mean 'server.port'?"], id="at-the-wrong-level"),
        pytest.param("[servr]\nport = 1\n", [":1: servr: unknown key. Did you mean 'server'?"], id="unknown-section"),
        pytest.param(
            '[server]\nport = "eighty"\n',
            [":2: server.port: got 'eighty', expected integer from 0 to 65535"],
            id="type",
        ),
        pytest.param("[server]\nport = true\n", [":2: server.port: got true, expected integer"], id="bool-for-int"),
        pytest.param("[server]\nport = 99999\n", ["got 99999, expected integer from 0 to 65535"], id="range"),
        pytest.param(
            '[security]\nenvironment = "prodution"\n',
            ["got 'prodution', expected one of 'development', 'production'. Did you mean 'production'?"],
            id="choice",
        ),
        pytest.param("learning = 1\n", [":1: learning: got 1, expected table"], id="value-for-a-table"),
        pytest.param(
            "[plugins]\ndisabled = [1]\n", ["plugins.disabled[0]: got 1, expected list of text"], id="in-a-list"
        ),
        pytest.param(
            "[hooks.deadline_s]\nretrieve_answer = 1\n",
            [":2: hooks.deadline_s.retrieve_answer: there is no such hook. Did you mean 'retrieve_answers'?"],
            id="hook",
        ),
        pytest.param("[hooks.deadline_s]\nstart = 0\n", ["hooks.deadline_s.start: got 0, expected"], id="hook-range"),
        pytest.param("[server\nport = 1\n", ["rejoinder.toml: is not TOML", "line 1"], id="syntax"),
        pytest.param("tenant_defaults = 1\n", ["expected a table `[tenant_defaults.<plugin>]`"], id="tenant-defaults"),
        pytest.param(
            "[server]\nport = -1\nmax_text_chars = 0\n", ["server.port", "server.max_text_chars"], id="several"
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_named(folder: Path, toml: str, texts: list[str]) -> None:
    message = refusal(folder, toml)
    assert "rejoinder.toml" in message
    for text in texts:
        assert text in message


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        pytest.param(
            {"REJOINDER_SEVRER__PORT": "1"},
            "REJOINDER_SEVRER__PORT: there is no such setting. Did you mean 'REJOINDER_SERVER__PORT'?",
            id="unknown-section",
        ),
        pytest.param({"REJOINDER_SERVER__PROT": "1"}, "Did you mean 'REJOINDER_SERVER__PORT'?", id="unknown-key"),
        pytest.param({"REJOINDER_CONFG": "1"}, "Did you mean 'REJOINDER_CONFIG'?", id="unknown-non-setting"),
        pytest.param({"REJOINDER_SERVER__PORT": "x"}, "REJOINDER_SERVER__PORT: server.port: got 'x'", id="type"),
        pytest.param({"REJOINDER_SERVER": "{"}, "REJOINDER_SERVER: server:", id="json"),
        pytest.param({"REJOINDER_HOOKS__DEADLINE_S__STRT": "1"}, "no such hook. Did you mean 'start'?", id="hook"),
        pytest.param(
            {"REJOINDER_TENANT_DEFAULTS__SMALLTALK__GREETING": "hi"},
            "the environment never overrides a tenant",
            id="tenant",
        ),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(folder: Path, environ: dict[str, str], text: str) -> None:
    assert text in refusal(folder, environ=environ)


def test_a_file_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "rejoinder.toml").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in refusal(folder)


# --- secrets -------------------------------------------------------------------------------------------------------


def test_secrets_are_masked_wherever_settings_are_shown(folder: Path) -> None:
    url = f"postgresql://bot:{HIDDEN}@db/chat?password={HIDDEN}"
    loaded = load(
        folder,
        f'[security]\nsecret_key = "{HIDDEN}"\n[tenant_defaults.crm]\ntoken = "{HIDDEN}"\n',
        {"REJOINDER_SECURITY__SECRET_KEY": HIDDEN + "-2", "REJOINDER_STORE__URL": url},
    )
    shown = [
        repr(loaded),
        str(loaded.settings),
        loaded.settings.model_dump_json(),
        str(loaded.settings.model_dump()),
        repr(loaded.rows()),
        json.dumps([row.value for row in loaded.rows()]),
        repr(loaded.tenant_defaults),
    ]
    assert [text for text in shown if HIDDEN in text] == []
    (row,) = loaded.row("security.secret_key")
    assert (row.secret, row.value, row.overridden[0][1]) == (True, "**********", "**********")
    assert loaded.row("store.url")[0].value == "postgresql://bot:***@db/chat?password=***"
    assert loaded.settings.store_url == url


@pytest.mark.parametrize(
    "toml",
    [
        f'[security]\nsecret_kye = "{HIDDEN}"\n',
        f'[security]\nsecret_key = ["{HIDDEN}"]\n',
        f'[security]\nsecret_key = {{a = "{HIDDEN}"}}\n',
        f'[security]\nenvironment = "production"\nsecret_key = "{HIDDEN}"\n',
        f'security = "{HIDDEN}"\n',
    ],
    ids=["misspelt", "list", "table", "weak", "whole-section"],
)
def test_a_refusal_does_not_show_a_secret(folder: Path, toml: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(folder, toml)
    assert HIDDEN not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("secret", ["short", "a" * 40, "my-secret-key-that-is-quite-long-indeed-0123", "changeme" * 5])
def test_weak_secrets_are_refused_in_production_only(folder: Path, secret: str) -> None:
    toml = f'[security]\nsecret_key = "{secret}"\n'
    load(folder, toml)
    assert "too weak for production" in refusal(folder, toml, {"REJOINDER_SECURITY__ENVIRONMENT": "production"})


def test_a_strong_secret_is_good_in_production(folder: Path) -> None:
    environ = {"REJOINDER_SECURITY__ENVIRONMENT": "production", "REJOINDER_SECURITY__SECRET_KEY": STRONG}
    assert load(folder, environ=environ).settings.security.environment == "production"
    assert weakness(STRONG) is None


def test_a_url_password_with_an_at_sign_is_masked() -> None:
    assert str(SecretUrl("postgresql://u:p@ss:w@host/db")) == "postgresql://u:***@host/db"


# --- merging -------------------------------------------------------------------------------------------------------

_keys = st.sampled_from(["a", "b", "c"])
_trees = st.recursive(
    st.integers() | st.text("xyz", max_size=3), lambda inner: st.dictionaries(_keys, inner, max_size=3), max_leaves=8
)
_tables = st.dictionaries(_keys, _trees, max_size=3)


@given(_tables, _tables)
def test_merging_keeps_the_later_value_and_its_origin(weak: dict[str, object], strong: dict[str, object]) -> None:
    layered = Layered([Layer("weak", "weak", weak), Layer("strong", "strong", strong)])

    def walk(tree: object, path: tuple[str, ...], merged: object) -> None:
        if isinstance(tree, dict):
            assert isinstance(merged, dict)
            for key, value in tree.items():
                walk(value, (*path, key), merged[key])
        else:
            assert merged == tree
            assert layered.origin(path).layer == "strong"

    walk(strong, (), layered.values)
    alone = Layered([Layer("weak", "weak", weak)])
    assert alone.values == weak


@given(_tables)
def test_merging_with_nothing_changes_nothing(table: dict[str, object]) -> None:
    assert Layered([Layer("a", "a", table), Layer("b", "b", {})]).values == table
    assert Layered([Layer("b", "b", {}), Layer("a", "a", table)]).values == table
