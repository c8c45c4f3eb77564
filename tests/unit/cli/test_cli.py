"""The root command: help, errors, lazy import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rejoinder.cli import COMMANDS, app
from rejoinder.errors import NotFoundError
from typer.testing import CliRunner, Result

Run = Callable[..., Result]


def test_help_lists_every_command(run: Run) -> None:
    output = run("--help").output
    for name, command in COMMANDS.items():
        assert name in output
        assert command.help[:20] in output


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_can_be_imported(run: Run, name: str) -> None:
    assert "Usage:" in run(name, "--help").output


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys\nfrom rejoinder.cli import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'sqlalchemy', 'numpy', 'fastapi', 'rich.console', 'rejoinder.cli.settings'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_is_there_when_the_settings_are_broken(run: Run, folder: Path) -> None:
    (folder / "rejoinder.toml").write_text("[server]\nport = -1\n", encoding="utf-8")
    result = run("--help")
    assert "serve" in result.output
    assert "server.port" in result.stderr


def test_a_wrong_command_is_wrong_usage_with_a_hint(run: Run) -> None:
    result = run("tenent", code=2)
    assert "Did you mean 'tenant'" in result.stderr


def test_an_error_is_one_line_and_no_traceback(run: Run) -> None:
    result = run("tenant", "show", "nobody", code=1)
    assert result.stderr == "rejoinder: there is no tenant 'nobody'.\n"
    assert result.stdout == ""


def test_several_errors_are_one_line(run: Run, folder: Path) -> None:
    (folder / "rejoinder.toml").write_text("[server]\nport = -1\nmax_text_chars = 0\n", encoding="utf-8")
    lines = run("settings", "show", code=1).stderr.splitlines()
    assert len(lines) == 1
    assert "server.port" in lines[0]
    assert "server.max_text_chars" in lines[0]


def test_debug_shows_the_traceback(folder: Path) -> None:
    result = CliRunner().invoke(app, ["--debug", "tenant", "show", "nobody"])
    assert isinstance(result.exception, NotFoundError)


def test_version(run: Run) -> None:
    assert run("--version").output.startswith("rejoinder ")
