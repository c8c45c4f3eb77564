"""The threads for `def` plugins."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest
from rejoinder.host.threads import DaemonThreads


async def test_a_thread_gives_its_result_and_its_exception() -> None:
    threads = DaemonThreads()

    assert await threads.submit(lambda: 7) == 7
    with pytest.raises(KeyError):
        await threads.submit(lambda: {}["x"])
    threads.close()


async def test_a_quiet_pool_uses_one_thread_again_and_again() -> None:
    threads = DaemonThreads()
    names = {await threads.submit(threading.get_ident) for _ in range(50)}

    assert len(names) == 1
    threads.close()


async def test_no_more_threads_than_the_limit() -> None:
    threads = DaemonThreads(limit=3)
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    await asyncio.gather(*[threads.submit(work) for _ in range(20)])

    assert most == 3
    threads.close()


async def test_a_stuck_thread_is_replaced_and_taken_back() -> None:
    threads = DaemonThreads(limit=1, stuck_limit=1)
    release = threading.Event()
    stuck = threads.submit(lambda: release.wait(60))
    waiting = threads.submit(lambda: "done")

    threads.mark_stuck(stuck, "bad")
    threads.mark_stuck(stuck, "bad")

    assert threads.exhausted("bad")
    assert not threads.exhausted("good")
    assert await asyncio.wait_for(waiting, 5) == "done"

    release.set()
    await stuck
    assert not threads.exhausted("bad")
    assert await asyncio.gather(*[threads.submit(lambda: "again") for _ in range(5)]) == ["again"] * 5
    threads.close()


async def test_one_that_came_back_meanwhile_is_not_stuck() -> None:
    threads = DaemonThreads(stuck_limit=1)
    future = threads.submit(lambda: 1)
    await future

    threads.mark_stuck(future, "good")

    assert not threads.exhausted("good")
    threads.close()


async def test_close_lets_threads_end() -> None:
    threads = DaemonThreads()
    thread = await threads.submit(threading.current_thread)
    assert isinstance(thread, threading.Thread)

    threads.close()
    await asyncio.to_thread(thread.join, 5)

    assert not thread.is_alive()


def test_a_hanging_thread_does_not_keep_the_process_from_ending() -> None:
    code = (
        "import asyncio, time\n"
        "from rejoinder.host.threads import DaemonThreads\n"
        "async def main():\n"
        "    DaemonThreads().submit(lambda: time.sleep(60))\n"
        "    await asyncio.sleep(0.05)\n"
        "asyncio.run(main())\n"
    )
    started = time.perf_counter()

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert time.perf_counter() - started < 20


def test_a_pool_serves_one_loop_after_another() -> None:
    threads = DaemonThreads()

    async def work() -> object:
        return await threads.submit(lambda: "done")

    assert [asyncio.run(work()) for _ in range(3)] == ["done"] * 3
    threads.close()
