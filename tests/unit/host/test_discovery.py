"""Plugins are found by entry point and in a folder."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import PluginLoadError
from rejoinder.host.discovery import ENTRY_POINT_GROUP, FoundPlugin, folder_plugins, installed_plugins
from rejoinder.host.plugins import load_plugins

SOURCE = """
from rejoinder import hookimpl

class Plugin:
    @hookimpl()
    def retrieve_answers(self, query):
        return []
"""


def test_a_folder_gives_its_modules_and_packages(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(SOURCE + "plugin = Plugin()")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "__init__.py").write_text("from .inner import plugin")
    (tmp_path / "two" / "inner.py").write_text(SOURCE + "plugin = Plugin()")
    for name in ("_private.py", ".hidden.py", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "data").mkdir()

    found = list(folder_plugins(tmp_path))

    assert [(one.name, one.distribution) for one in found] == [
        ("one", str(tmp_path / "one.py")),
        ("two", str(tmp_path / "two")),
    ]
    plugins, failures = load_plugins(found)
    assert (plugins.names, failures) == ({"one", "two"}, [])


def test_a_class_in_a_folder_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(SOURCE + "plugin = Plugin")

    _, (failure,) = load_plugins(folder_plugins(tmp_path))

    assert (
        str(failure)
        == f"plugin 'one' from {tmp_path / 'one.py'}: Plugin is a class; give an instance: forgot the `()`?"
    )


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginLoadError, match=r"there is no plugin folder .*nowhere.*correct `plugins.folder`"):
        list(folder_plugins(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'", id="import"),
        pytest.param("def", "SyntaxError: invalid syntax", id="syntax"),
        pytest.param("raise SystemExit(1)", "SystemExit: 1", id="leaves"),
        pytest.param("1 / 0", "ZeroDivisionError: division by zero", id="raises"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(tmp_path: Path, source: str, text: str) -> None:
    path = tmp_path / "one.py"
    path.write_text(source)

    with pytest.raises(PluginLoadError) as failed:
        FoundPlugin("one", str(path), path).load()

    assert str(failed.value).startswith(f"plugin 'one' from {path} cannot be imported: {text}")
    assert failed.value.__cause__ is not None
    assert "rejoinder_folder_plugins.one" not in sys.modules


def test_ctrl_c_while_importing_ends_the_program(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text("raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        FoundPlugin("one", str(path), path).load()


def test_installed_plugins_name_their_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = tmp_path / "shop-1.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.2\n")
    (information / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nshop = shop_plugin:plugin\n")
    (tmp_path / "shop_plugin.py").write_text(SOURCE + "plugin = Plugin()")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = {one.name: one for one in installed_plugins()}["shop"]

    assert found.distribution == "shop 1.2"
    plugins, _ = load_plugins([found])
    assert plugins["shop"].distribution == "shop 1.2"


def test_an_entry_point_that_leads_nowhere_is_named() -> None:
    found = FoundPlugin("shop", "shop 1.2", EntryPoint("shop", "rejoinder:nothing", ENTRY_POINT_GROUP))

    with pytest.raises(PluginLoadError, match=r"'shop' from shop 1\.2 cannot be imported: AttributeError") as failed:
        found.load()
    assert failed.value.distribution == "shop 1.2"


def test_finding_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("raise AssertionError")

    found: list[Any] = list(folder_plugins(tmp_path))

    assert [one.name for one in found] == ["one"]
