"""The tutorial's code runs as it stands: its blocks make one test module, run by pytest in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "guide" / "writing-a-plugin.md").read_text(encoding="utf-8")


def test_the_tutorials_code_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    (tmp_path / "test_tutorial.py").write_text("\n\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"]

    done = subprocess.run([*command, "test_tutorial.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{PAGE.count('def test_')} passed" in done.stdout


def test_the_entry_point_is_that_of_a_new_project() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)

    points = tomllib.loads(block)["project"]["entry-points"]["rejoinder.plugins"]

    assert points == {"opening_hours": "rejoinder_opening_hours:plugin"}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (Path(__file__).resolve().parents[3] / "docs" / "guide" / target).resolve().is_file(), target
