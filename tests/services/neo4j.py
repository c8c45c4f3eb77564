"""A real Neo4j Community server for tests: its jars from Maven Central, in a new folder, on a free port of 127.0.0.1.

`neo4j_url` is a session-scoped fixture; import it in a conftest.py. The jars (116 MB) are fetched once, into the user's cache folder.
Where Java or Maven is missing, or nothing can be fetched, tests that use it are skipped with one reason, or fail when
REJOINDER_REQUIRE_SERVICES=1. The server ends with this process, also when that is killed: it watches its standard input.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from neo4j import GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from tests.services.common import do_without, free_port, new_folder

VERSION = "5.26.12"
RUNNING = "REJOINDER_TEST_NEO4J_URL"
"""Variable with the Bolt URL of a server that runs already, such as that of compose.yaml; tests use spaces of their own and drop them."""

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
FETCH_TIMEOUT_S = 900.0
_HERE = Path(__file__).parent / "neo4j_server"
_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "--add-opens=java.base/java.nio=ALL-UNNAMED")


class Neo4jMissingError(Exception):
    """There is no Neo4j on this machine, and none can be fetched."""


def neo4j_jars() -> Path:
    """Return the folder of Neo4j's jars, fetched when they are not there yet.

    Raises:
        Neo4jMissingError: Java or Maven is missing, or Maven cannot fetch them.
    """
    missing = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if missing:
        raise Neo4jMissingError(
            f"for Neo4j there is no {' and no '.join(missing)}; on Debian: apt-get install default-jdk-headless maven"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rejoinder"
    jars = cache / f"neo4j-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{jars}.lock"):
        if not jars.is_dir():
            _fetch(jars)
    return jars


@contextmanager
def running_neo4j() -> Iterator[str]:
    """Start a server and give its Bolt URL, with user and password; stop it at the end.

    Raises:
        Neo4jMissingError: there is none, and none can be fetched.
        TimeoutError: it did not come up in two minutes; the text holds its log.
    """
    jars = neo4j_jars()
    with new_folder("neo4j") as folder:
        port = free_port()
        command = ["java", *_JAVA, "-cp", f"{jars}/*", str(_HERE / "Neo4jServer.java"), str(folder), str(port)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder)
        assert process.stdin is not None
        try:
            password = _log_in(process, port, folder / "log")
            yield f"bolt://neo4j:{password}@127.0.0.1:{port}"
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def neo4j_url() -> Iterator[str]:
    """The Bolt URL of a running server, with user and password: the one that `REJOINDER_TEST_NEO4J_URL` names, else a new one."""
    if running := os.environ.get(RUNNING):
        yield running
        return
    try:
        neo4j_jars()
    except Neo4jMissingError as error:
        do_without(str(error))
    with running_neo4j() as url:
        yield url


def _fetch(jars: Path) -> None:
    """Have Maven copy the jars, beside first, so that the folder is there with all of them or not at all."""
    beside = Path(tempfile.mkdtemp(prefix=f"{jars.name}.", dir=jars.parent))
    command = ["mvn", "-q", "-B", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-Dneo4j.version={VERSION}", f"-DoutputDirectory={beside / 'jars'}"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
        if told.returncode or not (beside / "jars").is_dir():
            raise Neo4jMissingError(f"Maven cannot fetch Neo4j {VERSION}: {(told.stdout + told.stderr)[-2000:]}")
        (beside / "jars").rename(jars)
    except subprocess.TimeoutExpired as error:
        raise Neo4jMissingError(f"Maven did not fetch Neo4j {VERSION} in {FETCH_TIMEOUT_S:.0f} s") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _log_in(process: subprocess.Popen[bytes], port: int, log: Path) -> str:
    """Wait until the server takes the first log-in, which has to change the password; return the new one."""
    password = secrets.token_hex(16)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            _asked(port, "neo4j", "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $new", "system", new=password)
            _asked(port, password, "RETURN 1", "neo4j")
        except (DriverError, Neo4jError) as error:
            if time.monotonic() > deadline or process.poll() is not None:
                raise TimeoutError(f"Neo4j did not come up: {error}\n{log.read_text(errors='replace')}") from error
            time.sleep(0.2)
        else:
            return password


def _asked(port: int, password: str, cypher: str, database: str, **parameters: str) -> None:
    url, user = f"bolt://127.0.0.1:{port}", ("neo4j", password)
    with (
        GraphDatabase.driver(url, auth=user, max_transaction_retry_time=0) as driver,
        driver.session(database=database) as session,
    ):
        session.run(cypher, parameters).consume()
