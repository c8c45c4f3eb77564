"""A project made by `rejoinder plugins new` installs, is found, and passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rejoinder.cli.plugin_project import create_project


@pytest.mark.parametrize("domain", [False, True], ids=["plugin", "domain"])
def test_a_new_project_installs_is_found_and_passes_its_tests(tmp_path: Path, domain: bool) -> None:
    project = create_project("brand_new", tmp_path, domain=domain)
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(project)], check=True, capture_output=True, text=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "4 passed" in tests.stdout

    code = (
        "from rejoinder.host.discovery import installed_plugins\n"
        "found = {one.name: one for one in installed_plugins()}['brand_new']\n"
        "print(found.distribution, type(found.load()).__name__)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "rejoinder-brand-new 0.1.0 Plugin"


@pytest.mark.parametrize("domain", [False, True], ids=["plugin", "domain"])
@pytest.mark.parametrize("command", ["check --select E,F,I,UP,B", "format --check"], ids=["lint", "format"])
def test_a_new_project_is_clean(tmp_path: Path, domain: bool, command: str) -> None:
    project = create_project("clean", tmp_path, domain=domain)
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--isolated", "--config", "line-length = 120"]

    done = subprocess.run(ruff, cwd=project, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
