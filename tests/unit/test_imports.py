"""What an import costs, and who may import whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "sklearn", "scipy", "numpy", "pydantic", "sqlalchemy", "fastapi", "typer", "celery", "transformers")
LONGEST_S = 0.3


def fresh(code: str) -> str:
    """Run code in a new process; return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_is_quick() -> None:
    code = "import time\nstart = time.perf_counter()\nimport rejoinder\nprint(time.perf_counter() - start)"

    assert min(float(fresh(code)) for _ in range(5)) < LONGEST_S


@pytest.mark.parametrize("module", ["rejoinder", "rejoinder.hooks", "rejoinder.payloads", "rejoinder.errors"])
def test_what_a_plugin_imports_pulls_in_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}\nprint(*(set({HEAVY!r}) & set(sys.modules)))"

    assert fresh(code).split() == []


@pytest.mark.parametrize("module", ["rejoinder.learning.queue", "rejoinder.cli.worker", "rejoinder.cli.models"])
def test_celery_is_imported_only_when_something_is_sent(module: str) -> None:
    code = f"import sys, {module}\nprint(*({{'celery', 'kombu', 'torch', 'sqlalchemy'}} & set(sys.modules)))"

    assert fresh(code).split() == []


def test_the_help_lists_what_a_domain_brings() -> None:
    pytest.importorskip("rejoinder_customer_service", reason="the domain customer_service is not installed")
    code = "import sys\nfrom rejoinder.cli import main\nsys.argv = ['rejoinder', '--help']\nmain()"

    listed = [line.split()[0] for line in fresh(code).splitlines() if line.startswith("  ") and line.strip()]
    assert "demo" in listed
    assert "worker" in listed


def test_nobody_imports_what_is_above() -> None:
    pytest.importorskip("importlinter", reason="needs the tools of the group dev")
    program = "import sys\nfrom importlinter.cli import lint_imports\nsys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
