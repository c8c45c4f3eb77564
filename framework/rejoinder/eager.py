"""Start coroutines at once instead of at the loop's next turn: most implementations end without ever waiting."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Coroutine, Generator, Iterable, Iterator
from typing import Any, TypeAlias

__all__ = ["start_at_once"]

_Work: TypeAlias = Coroutine[Any, Any, None]
_Started: TypeAlias = Iterator[asyncio.Task[None] | None]


def start_at_once(works: Iterable[_Work]) -> _Started:
    """Run each coroutine to its first wait, one after another, and let it go on in a task beside the caller's.

    What one sees as its task, e.g. for its time-outs, is never the caller's. Those that end without waiting may share one.

    Yields:
        The task of each; None for one that ended without waiting. What one raised before its first wait is raised here; one that
            cancelled itself just counts as ended.
    """
    return _start(works)


if sys.version_info >= (3, 12):

    def _start(works: Iterable[_Work]) -> _Started:
        loop = asyncio.get_running_loop()
        for work in works:
            task = asyncio.Task(work, loop=loop, eager_start=True)
            if task.done() and not task.cancelled():
                task.result()
            yield None if task.done() else task

else:
    from asyncio.tasks import _enter_task, _leave_task

    def _start(works: Iterable[_Work]) -> _Started:
        loop = asyncio.get_running_loop()
        outer = asyncio.current_task(loop)
        begun = task = None
        for work in works:
            if begun is None or task is None:
                begun = _Begun()
                task = loop.create_task(begun)
            if outer is not None:
                _leave_task(loop, outer)
            _enter_task(loop, task)
            try:
                ended = begun.begin(work)
            finally:
                _leave_task(loop, task)
                if outer is not None:
                    _enter_task(loop, outer)
            yield None if ended else task
            if not ended or task.cancelling():
                begun = task = None

    class _Begun(Coroutine[Any, Any, None]):
        """What a task runs: the rest of a coroutine whose first step was done before the task's own, or nothing."""

        def __init__(self) -> None:
            self._work: _Work | None = None
            self._context = contextvars.Context()
            self._awaited: list[Any] = []
            self._is_future = False

        def begin(self, work: _Work) -> bool:
            """Do a coroutine's first step in a context of its own; return whether it was its last."""
            context = contextvars.copy_context()
            try:
                awaited = context.run(work.send, None)
            except StopIteration:
                return True
            self._work, self._context = work, context
            # By this flag a task knows that a future was awaited and not just yielded; until ours looks, others may await it.
            self._is_future = bool(getattr(awaited, "_asyncio_future_blocking", False))
            if self._is_future:
                awaited._asyncio_future_blocking = False
            self._awaited.append(awaited)
            return False

        def send(self, value: Any) -> Any:
            if self._work is None:
                raise StopIteration
            return self._first() if self._awaited else self._context.run(self._work.send, value)

        def throw(self, *error: Any) -> Any:
            if self._work is None:
                raise error[0]
            if self._awaited:
                # Cancelled before the task's first step: what it waits for is cancelled first, as by `Task.cancel`.
                awaited = self._first()
                if self._is_future and isinstance(error[0], asyncio.CancelledError) and awaited.cancel(*error[0].args):
                    return awaited
                if self._is_future:
                    awaited._asyncio_future_blocking = False
            return self._context.run(self._work.throw, *error)

        def close(self) -> None:
            if self._work is not None:
                self._work.close()

        def _first(self) -> Any:
            """Return what the first step waits for, to the task that asks."""
            awaited = self._awaited.pop()
            if self._is_future:
                awaited._asyncio_future_blocking = True
            return awaited

        def __await__(self) -> Generator[Any, Any, None]:
            raise TypeError("only a task runs this")
