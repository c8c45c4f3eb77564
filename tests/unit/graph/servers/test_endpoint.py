"""The endpoint file: read by its owner only, whole or not at all, and without passwords in what is printed."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from rejoinder.errors import GraphError
from rejoinder.graph.servers.endpoint import (
    Credentials,
    Endpoint,
    ServerAddress,
    read_address,
    read_credentials,
    write_privately,
)
from rejoinder.graph.servers.locks import FileHold

ADDRESS = ServerAddress(
    password="one-secret",
    reader_password="another-secret",
    bolt_url="bolt://127.0.0.1:1",
    http_url="http://127.0.0.1:2",
    pid=3,
    version="4",
)


def test_an_address_comes_back_as_it_was_written_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.json"
    write_privately(path, ADDRESS)
    assert read_address(path) == ADDRESS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_credentials_are_random_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    made = Credentials.random()
    write_privately(path, made)
    assert read_credentials(path) == made
    assert len({made.password, made.reader_password, Credentials.random().password}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00\xff",
        '{"pid": 3}',
        json.dumps({**asdict(ADDRESS), "pid": "3"}),
        json.dumps({**asdict(ADDRESS), "pid": True}),
        json.dumps({**asdict(ADDRESS), "more": 1}),
        json.dumps(asdict(ADDRESS))[:-5],
    ],
)
def test_what_is_half_written_or_strange_counts_as_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "endpoint.json"
    path.write_text(text, encoding="latin-1")
    assert read_address(path) is None


def test_a_file_that_is_not_there_is_no_address(tmp_path: Path) -> None:
    assert read_address(tmp_path / "endpoint.json") is None


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").mkdir()
    with pytest.raises(GraphError, match=r"endpoint\.json cannot be read"):
        read_address(tmp_path / "endpoint.json")


def test_passwords_are_not_printed(tmp_path: Path) -> None:
    hold = FileHold.shared(tmp_path / "lock")
    assert hold is not None
    endpoint = Endpoint.of(ADDRESS, hold)
    assert "secret" not in repr(endpoint) + repr(ADDRESS)
    assert endpoint.password == "one-secret"
    endpoint.close()
    endpoint.close()
    assert FileHold.exclusive(tmp_path / "lock") is not None
