"""`rejoinder plugins`: list, check, new, docs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rejoinder.cli.plugins import app
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError, SettingsError
from rejoinder.host.discovery import FoundPlugin, folder_plugins
from typer.testing import CliRunner, Result

GOOD = """
from rejoinder import hookimpl

class Plugin:
    @hookimpl({order})
    def retrieve_answers(self, query):
        return []

plugin = Plugin()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment whose only plugins are those of a folder; run in an empty folder."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rejoinder.toml").write_text('[plugins]\nfolder = "plugins"\ndisabled = []\n')
    for module in ("rejoinder.host.discovery", "rejoinder.host.host"):
        monkeypatch.setattr(f"{module}.installed_plugins", lambda: iter(()))
    return plugins


def write(folder: Path, name: str, order: str = "", source: str = GOOD) -> None:
    (folder / f"{name}.py").write_text(source.replace("{order}", order))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=True)


def data(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


@pytest.mark.parametrize("words", [(), ("list",)], ids=["default", "list"])
def test_lists_plugins_with_hooks_and_origin(folder: Path, words: tuple[str, ...]) -> None:
    write(folder, "shop")

    assert data(*words)["plugins"] == [
        {
            "plugin": "shop",
            "distribution": str(folder / "shop.py"),
            "version": None,
            "state": "on",
            "hooks": ["retrieve_answers"],
            "problem": None,
        }
    ]


def test_shows_why_a_plugin_is_refused_and_which_are_switched_off(folder: Path) -> None:
    write(folder, "shop")
    write(folder, "broken", source="import no_such_module")
    write(folder, "misspelt", source=GOOD.replace("answers", "answer"))
    toml = folder.parent / "rejoinder.toml"
    toml.write_text(toml.read_text().replace("[]", '["shop"]'))

    rows = {row["plugin"]: row for row in data()["plugins"]}

    assert rows["shop"]["state"] == "off"
    assert rows["broken"]["state"] == rows["misspelt"]["state"] == "refused"
    assert "No module named 'no_such_module'" in rows["broken"]["problem"]
    assert "Did you mean 'retrieve_answers'?" in rows["misspelt"]["problem"]
    assert "Did you mean 'retrieve_answers'?" in run().stdout


def test_shows_the_order_and_why_without_being_asked(folder: Path) -> None:
    write(folder, "a", "trylast=True")
    write(folder, "b", "after=['c']")
    write(folder, "c")
    write(folder, "d", "tryfirst=True, before=['nobody']")

    rows = data()["order"]

    assert [(row["place"], row["plugin"], row["why"]) for row in rows] == [
        (1, "d", "tryfirst, before nobody"),
        (2, "c", "by name"),
        (3, "b", "after c"),
        (4, "a", "trylast"),
    ]
    assert {(row["hook"], row["kind"]) for row in rows} == {("retrieve_answers", "def")}


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("words", [(), ("list",)], ids=["default", "list"])
def test_a_terminal_shows_the_order_in_lines_that_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], columns: int
) -> None:
    write(folder, "a", "trylast=True")
    write(folder, "b")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in run(*words).stdout.splitlines()]

    assert max(map(len, lines)) <= columns
    calls = [line.split() for line in lines if "retrieve_answers" in line]
    assert calls == [
        ["retrieve_answers", "1", "b", "by", "name", "def"],
        ["retrieve_answers", "2", "a", "trylast", "def"],
    ]


def test_says_so_when_there_is_none(folder: Path) -> None:
    assert "No plugin is installed." in run().stdout


def test_check_passes_a_good_plugin(folder: Path) -> None:
    write(folder, "shop")

    result = run("check", "shop")

    assert result.exit_code == 0
    assert "shop: " in result.stdout
    assert " passed, 0 failed, " in result.stdout


def test_check_tells_what_fails_and_exits_with_1(folder: Path) -> None:
    write(folder, "shop", source=GOOD.replace("return []", "return 'text'"))

    result = run("check", "shop")

    assert result.exit_code == 1
    assert "shop: failed: retrieve_answers: gives the right type" in result.output
    assert "returned str, expected a list or tuple of Answer" in result.output


def test_check_all_as_json(folder: Path) -> None:
    write(folder, "good")
    write(folder, "broken", source="1 / 0")

    found = data("check")

    assert found["ok"] is False
    assert {row["plugin"]: row["ok"] for row in found["plugins"]} == {"broken": False, "good": True}
    broken = next(row for row in found["plugins"] if row["plugin"] == "broken")
    assert "ZeroDivisionError" in broken["checks"][0]["detail"]


def test_check_shows_reasons_of_skips_when_asked(folder: Path) -> None:
    write(folder, "shop")

    assert "skipped: retrieve_answers: does not block the loop: a `def`" in run("check", "shop", "--verbose").stdout


@pytest.mark.parametrize("kind", ["file", "package", "folder"])
def test_check_takes_a_path(tmp_path: Path, folder: Path, kind: str) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    if kind == "package":
        (place / "__init__.py").write_text(GOOD.replace("{order}", ""))
    else:
        write(place, "shop")

    rows = data("check", str(place / "shop.py" if kind == "file" else place))["plugins"]

    assert [(row["plugin"], row["ok"]) for row in rows] == [("elsewhere" if kind == "package" else "shop", True)]


def test_check_of_an_unknown_name_says_what_is_near(folder: Path) -> None:
    write(folder, "shop")

    error = run("check", "shp").exception

    assert isinstance(error, NotFoundError)
    assert str(error) == "there is no plugin, file or folder 'shp'. Did you mean 'shop'? See `rejoinder plugins`"


@pytest.mark.parametrize("flags", [(), ("--domain",)], ids=["plugin", "domain"])
def test_new_writes_a_project(tmp_path: Path, flags: tuple[str, ...]) -> None:
    found = data("new", "opening_hours", *flags, "--into", str(tmp_path))

    folder = Path(found["folder"])
    assert folder == tmp_path / "rejoinder-opening-hours"
    assert {"README.md", "pyproject.toml", "rejoinder_opening_hours/plugin.py", "tests/test_plugin.py"} <= set(
        found["files"]
    )
    assert 'opening_hours = "rejoinder_opening_hours:plugin"' in (folder / "pyproject.toml").read_text()
    assert not [path for path in folder.rglob("*") if path.is_file() and "$" in path.read_text()]


@pytest.mark.parametrize("flags", [(), ("--domain",)], ids=["plugin", "domain"])
def test_a_new_project_passes_the_check(folder: Path, flags: tuple[str, ...]) -> None:
    name = "checked_domain" if flags else "checked_plugin"
    project = data("new", name, *flags)["folder"]

    found = data("check", project)

    assert found["ok"], found


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Opening-Hours", " Did you mean 'opening_hours'?"),
        ("opening hours!", " Did you mean 'opening_hours'?"),
        ("2fast", " Did you mean 'fast'?"),
        ("class", ""),
        ("x", ""),
        ("../../etc", " Did you mean 'etc'?"),
        ("x" * 60, ""),
        ("öffnung", " Did you mean 'ffnung'?"),
    ],
)
def test_new_refuses_names_that_are_none(tmp_path: Path, name: str, hint: str) -> None:
    error = run("new", name, "--into", str(tmp_path)).exception

    assert isinstance(error, InvalidInputError)
    assert str(error).startswith(f"{name!r} is no plugin name: use 2 to 50 small letters")
    assert str(error).endswith(f"no word of Python.{hint}")
    assert list(tmp_path.iterdir()) == []


def test_new_refuses_a_folder_that_is_there(tmp_path: Path) -> None:
    run("new", "shop", "--into", str(tmp_path))
    (tmp_path / "rejoinder-shop" / "README.md").write_text("mine")

    error = run("new", "shop", "--into", str(tmp_path)).exception

    assert isinstance(error, ConflictError)
    assert "rejoinder-shop is there already: choose another name" in str(error)
    assert (tmp_path / "rejoinder-shop" / "README.md").read_text() == "mine"


def test_new_refuses_a_place_that_is_not_there(tmp_path: Path) -> None:
    error = run("new", "shop", "--into", str(tmp_path / "nowhere")).exception

    assert isinstance(error, InvalidInputError)
    assert "make it first" in str(error)


def test_a_project_without_plugins_is_refused(tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "project"
    place.mkdir()
    (place / "pyproject.toml").write_text('[project]\nname = "x"\n')

    error = run("check", str(place)).exception

    assert isinstance(error, NotFoundError)
    assert 'names no plugin: add [project.entry-points."rejoinder.plugins"]' in str(error)


def test_docs_compares_and_writes(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3] / "docs"
    page = tmp_path / "hooks.md"
    (tmp_path / "examples").symlink_to(root / "examples")
    page.write_text((root / "hooks.md").read_text().replace("### `start(deployment)`", "### `start()`"))

    error = run("docs", "--output", str(page), "--check").exception
    assert isinstance(error, SettingsError)
    assert "is not up to date; run: rejoinder plugins docs" in str(error)

    assert data("docs", "--output", str(page))["changed"] is True
    assert page.read_text() == (root / "hooks.md").read_text()
    assert data("docs", "--output", str(page), "--check")["changed"] is False


def test_folder_plugins_are_found_in_order_of_names(folder: Path) -> None:
    for name in ("c", "a", "b"):
        write(folder, name)

    assert [row["plugin"] for row in data()["plugins"]] == ["a", "b", "c"]
    assert all(isinstance(one, FoundPlugin) for one in folder_plugins(folder))
