"""A broker that is a folder: kombu's filesystem transport, with messages that are there whole or not at all.

kombu's own writes a message under its final name, so that a worker which reads at that moment finds it empty, and ends; so does every
worker after a process was killed while it wrote. Here files are written beside and renamed, and one that cannot be read is dropped with
a warning: what it told stands in the store, and a sweep tells it again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any
from uuid import uuid4

from filelock import FileLock
from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual

__all__ = ["URL", "Transport"]

_SCHEME = "rejoinder-folder"
URL = f"{_SCHEME}://"
"""Celery's broker URL; the folders are transport options, as for kombu's own."""

_LOCK = ".lock"

_logger = logging.getLogger("rejoinder.learning")


class Channel(filesystem.Channel):
    """Messages are files `<moment>.<queue>.msg`, oldest first; which queues an exchange feeds is a file too."""

    def get_table(self, exchange: str) -> list[Any]:
        """Return the queues of an exchange."""
        try:
            rows = json.loads(self._file_of(exchange).read_bytes())
            return [filesystem.exchange_queue_t(*row) for row in rows]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:  # bound anew by whoever uses it
            _logger.warning("the broker's list of queues of %r is damaged and is made anew: %s", exchange, error)
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        self.control_folder.mkdir(parents=True, exist_ok=True)
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with FileLock(self.control_folder / _LOCK):
            table = self.get_table(exchange)
            if bound not in table:
                _write(self._file_of(exchange), [bound, *table])

    def _file_of(self, exchange: str) -> Path:
        file: Path = self.control_folder / f"{exchange}.exchange"
        return file

    def _put(self, queue: str, message: Any, **_: Any) -> None:  # type: ignore[override]  # kombu's own two differ
        # The moment first, so that names in order are messages in order; wall time, since monotonic clocks begin anew.
        _write(Path(self.data_folder_out) / f"{time_ns():020d}_{uuid4().hex}.{queue}.msg", message)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            mine = folder / f".{uuid4().hex}.taken"
            try:
                (folder / name).rename(mine)
            except OSError:  # another worker took it
                continue
            try:
                return json.loads(mine.read_bytes())
            except ValueError as error:
                _logger.warning("message %s cannot be read and is dropped: %s", name, error)
            finally:
                mine.unlink(missing_ok=True)
        raise Empty


class Transport(filesystem.Transport):
    """The transport of `URL`. Each connection binds its queues anew, so that a folder which was emptied is in order again."""

    Channel = Channel

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)  # type: ignore[no-untyped-call]
        self.state = virtual.BrokerState()  # type: ignore[no-untyped-call]


TRANSPORT_ALIASES[_SCHEME] = f"{__name__}:Transport"


def _write(path: Path, value: Any) -> None:
    beside = path.with_name(f".{uuid4().hex}.writing")
    try:
        beside.write_bytes(json.dumps(value).encode())
        beside.replace(path)
    except OSError:  # such as a full disk, which is not to be filled with beginnings
        beside.unlink(missing_ok=True)
        raise
