"""The default broker: a folder with messages that are there whole or not at all."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")

from kombu import Connection
from kombu.transport import filesystem
from rejoinder.learning.folder_transport import URL


def connection(folder: Path) -> Connection:
    for name in ("messages", "control"):
        (folder / name).mkdir(exist_ok=True)
    messages = str(folder / "messages")
    options = {"data_folder_in": messages, "data_folder_out": messages, "control_folder": str(folder / "control")}
    return Connection(URL, transport_options=options)


def taken(queue: Any) -> list[Any]:
    found = []
    while True:
        try:
            message = queue.get(block=False)
        except Empty:
            return found
        found.append(message.payload)
        message.ack()


def test_messages_come_once_and_in_order(tmp_path: Path) -> None:
    with connection(tmp_path) as made:
        queue = made.SimpleQueue("cpu")
        for number in range(20):
            queue.put({"number": number})
        assert taken(queue) == [{"number": number} for number in range(20)]
        assert taken(queue) == []
    assert [path.name for path in (tmp_path / "messages").iterdir()] == []


def test_what_cannot_be_read_is_dropped_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with connection(tmp_path) as made:
        queue = made.SimpleQueue("cpu")
        (tmp_path / "messages" / "0.cpu.msg").write_text("")
        (tmp_path / "messages" / "1.cpu.msg").write_text("{half of a mess")
        queue.put({"number": 1})
        assert taken(queue) == [{"number": 1}]
    assert caplog.text.count("cannot be read and is dropped") == 2


def test_a_damaged_list_of_queues_is_made_anew(tmp_path: Path) -> None:
    with connection(tmp_path) as made:
        made.SimpleQueue("cpu").put({"number": 1})
    for file in (tmp_path / "control").glob("*.exchange"):
        file.write_text("[[")
    with connection(tmp_path) as made:
        queue = made.SimpleQueue("cpu")
        queue.put({"number": 2})
        assert taken(queue) == [{"number": 1}, {"number": 2}]


def test_many_that_write_and_read_at_once_lose_and_repeat_nothing(tmp_path: Path) -> None:
    found: list[Any] = []
    failures: list[BaseException] = []
    ended = threading.Event()

    def write(writer: int) -> None:
        try:
            with connection(tmp_path) as made:
                queue = made.SimpleQueue("cpu")
                for number in range(40):
                    queue.put([writer, number])
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        try:
            with connection(tmp_path) as made:
                queue = made.SimpleQueue("cpu")
                last = False
                while not last:
                    last = ended.is_set()
                    found.extend(taken(queue))
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert sorted(found) == [[writer, number] for writer in range(3) for number in range(40)]


def test_the_reason_why_it_is_there(tmp_path: Path) -> None:
    """When kombu reads what it has not written whole yet as nothing, this transport can go."""
    with connection(tmp_path) as made:
        channel = made.channel()
        (tmp_path / "messages" / "0.cpu.msg").write_text("")
        with pytest.raises(json.JSONDecodeError):
            filesystem.Channel._get(channel, "cpu")
