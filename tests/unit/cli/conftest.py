"""A deployment in a folder, with a real plugin from `plugins.folder`, and the command line to work on it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder.cli import app
from typer.testing import CliRunner, Result

PLUGIN = """
from pydantic import BaseModel, Field, SecretStr

from rejoinder import hookimpl


class Settings(BaseModel):
    greeting: str = Field(default="hello", description="What it says.")
    tries: int = Field(default=3, ge=1, le=9)
    token: SecretStr | None = None


settings = Settings


@hookimpl()
def start() -> None:
    pass
"""

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with `rejoinder.toml` and one plugin; no REJOINDER_ variable of the outside reaches it."""
    for name in [name for name in os.environ if name.startswith("REJOINDER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "smalltalk.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "rejoinder.toml").write_text(
        '[plugins]\nfolder = "plugins"\n[store]\nsynchronous = "NORMAL"\n[tenant_defaults.smalltalk]\ntries = 4\n',
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run a command line and return its result; it must exit with `code`."""

    def run(*words: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)
        assert result.exit_code == code, f"rejoinder {' '.join(words)}: {result.exit_code}\n{result.output}"
        return result

    return run


@pytest.fixture
def data(run: Run) -> Callable[..., Any]:
    """Run a command line with --json and return what it prints."""

    def data(*words: str, code: int = 0) -> Any:
        return json.loads(run(*words, "--json", code=code).stdout)

    return data
