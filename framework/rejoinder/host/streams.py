"""Guard a reply that comes in parts: each part is a call with a deadline, isolated like any other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

from rejoinder.context import Request
from rejoinder.host.calls import GRACE_S, HookCalls
from rejoinder.host.implementations import Implementation
from rejoinder.trace import Trace


async def guarded_parts(
    calls: HookCalls, one: Implementation, reply: AsyncIterator[str], request: Request
) -> AsyncIterator[str]:
    """Yield the parts of a plugin's reply; one that fails, hangs or is no text ends the reply early, and what came stands.

    The trace gets the failure, not every part.
    """
    iterator: AsyncIterator[str] | None = None

    async def next_part() -> str | None:
        nonlocal iterator
        iterator = aiter(reply) if iterator is None else iterator
        try:
            part = await anext(iterator)
        except StopAsyncIteration:
            return None
        if part is None:
            raise TypeError("a part of the reply is None, expected str")
        return part

    call = (replace(one, spec=replace(one.spec, gives=str), function=next_part, arguments=(), kind="async"),)
    aside = replace(request, trace=Trace(started=request.trace.started))
    try:
        while (found := await calls.first(call, {}, aside)) is not None:
            yield found[1]
    finally:
        request.trace.calls.extend(one for one in aside.trace.calls if one.outcome not in ("result", "nothing"))
        if (close := getattr(iterator, "aclose", None)) is not None:
            await asyncio.wait((asyncio.ensure_future(_quietly(close())),), timeout=GRACE_S)


async def _quietly(closing: Awaitable[None]) -> None:
    with contextlib.suppress(Exception):
        await closing
