"""Start coroutines at once instead of at the loop's next turn: most implementations end without ever waiting."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator, Iterable, Iterator
from typing import Any, TypeAlias

__all__ = ["start_at_once"]

_Work: TypeAlias = Coroutine[Any, Any, None]
_Started: TypeAlias = Iterator[asyncio.Task[None] | None]


def start_at_once(works: Iterable[_Work]) -> _Started:
    """Run each coroutine to its first wait, one after another, and let it go on in a task beside the caller's.

    What one sees as its task, e.g. for its time-outs, is never the caller's. Those that end without waiting may share one.

    Yields:
        The task of each; None for one that ended without waiting. What one raised before its first wait is raised here.
    """
    return _start(works)


if sys.version_info >= (3, 12):

    def _start(works: Iterable[_Work]) -> _Started:
        loop = asyncio.get_running_loop()
        for work in works:
            task = asyncio.Task(work, loop=loop, eager_start=True)
            yield None if task.done() and task.result() is None else task

else:

    def _start(works: Iterable[_Work]) -> _Started:
        loop = asyncio.get_running_loop()
        outer = asyncio.current_task(loop)
        begun = task = None
        for work in works:
            if begun is None or task is None:
                begun = _Begun()
                context = contextvars.copy_context()
                task = loop.create_task(begun, context=context)
            if outer is not None:
                _leave_task(loop, outer)
            _enter_task(loop, task)
            try:
                ended = context.run(begun.begin, work)
            finally:
                _leave_task(loop, task)
                if outer is not None:
                    _enter_task(loop, outer)
            yield None if ended else task
            if not ended:
                begun = task = None

    class _Begun(Coroutine[Any, Any, None]):
        """What a task runs: the rest of a coroutine whose first step was done before the task's own, or nothing."""

        def __init__(self) -> None:
            self._work: _Work | None = None
            self._awaited: list[Any] = []

        def begin(self, work: _Work) -> bool:
            """Do a coroutine's first step; return whether it was its last."""
            try:
                self._awaited.append(work.send(None))
            except StopIteration:
                return True
            self._work = work
            return False

        def send(self, value: Any) -> Any:
            if self._work is None:
                raise StopIteration
            return self._awaited.pop() if self._awaited else self._work.send(value)

        def throw(self, *error: Any) -> Any:
            if self._work is None:
                raise error[0]
            return self._work.throw(*error)

        def close(self) -> None:
            if self._work is not None:
                self._work.close()

        def __await__(self) -> Generator[Any, Any, None]:
            raise TypeError("only a task runs this")
