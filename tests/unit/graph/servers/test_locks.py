"""Locks on files: shared, alone, and gone with their holder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rejoinder.errors import GraphError
from rejoinder.graph.servers.locks import FileHold, is_held

HOLDER = """
import sys
from pathlib import Path
from rejoinder.graph.servers.locks import FileHold
hold = FileHold.exclusive(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_only_one_holds_a_lock_alone(tmp_path: Path) -> None:
    first = FileHold.exclusive(tmp_path / "lock")
    assert first is not None
    assert is_held(tmp_path / "lock")
    assert FileHold.exclusive(tmp_path / "lock") is None
    assert FileHold.shared(tmp_path / "lock") is None
    first.release()
    first.release()
    assert not is_held(tmp_path / "lock")
    again = FileHold.exclusive(tmp_path / "lock")
    assert again is not None


def test_many_share_a_lock_and_nobody_has_it_alone_meanwhile(tmp_path: Path) -> None:
    shared = [FileHold.shared(tmp_path / "lock") for _ in range(3)]
    assert None not in shared
    assert not is_held(tmp_path / "lock")
    for one in shared:
        assert FileHold.exclusive(tmp_path / "lock") is None
        assert one is not None
        one.release()
    assert FileHold.exclusive(tmp_path / "lock") is not None


def test_a_lock_that_is_garbage_is_let_go(tmp_path: Path) -> None:
    assert FileHold.exclusive(tmp_path / "lock") is not None
    assert not is_held(tmp_path / "lock")


def test_patience_is_for_a_lock_that_is_let_go_in_time(tmp_path: Path) -> None:
    hold = FileHold.exclusive(tmp_path / "lock")
    begun = time.monotonic()
    assert FileHold.shared(tmp_path / "lock", patience_s=0.1) is None
    assert 0.1 <= time.monotonic() - begun < 5
    assert hold is not None


def test_the_kernel_lets_go_when_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert not is_held(path)


def test_a_lock_that_nobody_took_is_not_made_by_looking(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_replaces_what_was_there(tmp_path: Path) -> None:
    hold = FileHold.exclusive(tmp_path / "lock")
    assert hold is not None
    hold.write("123456")
    hold.write("78")
    assert (tmp_path / "lock").read_text() == "78"
    hold.release()
    with pytest.raises(GraphError, match="released"):
        hold.write("9")
