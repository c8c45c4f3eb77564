"""A host with only the plugins of one test, and the requests that its hooks ask for."""

from __future__ import annotations

import asyncio
import re
import tempfile
import threading
import time
from collections.abc import Coroutine, Mapping
from types import ModuleType
from typing import Any, TypeVar

from rejoinder.context import Clock, Deployment, Models, Request
from rejoinder.host import Host, Plugins
from rejoinder.host.calls import HookCalls
from rejoinder.payloads import Caller, Utterance
from rejoinder.testing.doubles import FixedClock, HashModels
from rejoinder.trace import Trace

_T = TypeVar("_T")


def make_request(
    *,
    tenant: str = "test",
    plugins: frozenset[str] = frozenset(),
    caller: Caller | None = None,
    models: Models | None = None,
    settings: Mapping[str, Any] | None = None,
    session_id: str | None = "session",
    history: tuple[Utterance, ...] = (),
    timeout_s: float = 30.0,
    clock: Clock | None = None,
) -> Request:
    """Return a request as a hook's method asks for; what is not given is harmless and always the same.

    Args:
        timeout_s: seconds until the request's deadline, > 0.
    """
    return Request(
        tenant=tenant,
        caller=caller or Caller(id="user"),
        models=models or HashModels(),
        plugins=plugins,
        settings=settings or {},
        session_id=session_id,
        history=history,
        deadline=time.monotonic() + timeout_s,
        clock=clock or FixedClock(),
        trace=Trace(),
    )


class HostUnderTest(Host):
    """A started host with only the plugins that a test names; made by the fixture `rejoinder_host`, or by `of`."""

    def __init__(self, plugins: Plugins, *, tenant: str, settings: Mapping[str, Any], **options: Any) -> None:
        super().__init__(plugins, **options)
        self.tenant = tenant
        self.settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="rejoinder-test-")
        self.deployment = Deployment(domains=self.domains, data_dir=self._folder.name, clock=FixedClock())
        self._starting = _StartingCalls(self.calls, self)
        self.started = False
        self.finished = False

    @classmethod
    def of(
        cls,
        *unnamed: object,
        tenant: str = "test",
        settings: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **named: object,
    ) -> HostUnderTest:
        """Register plugins and start them.

        Where a loop is running already (in an `async def` test), `start` is called in that loop, before the first hook.

        Args:
            unnamed: plugins named after their class or module: `OpeningHours` becomes "opening_hours".
            settings: the tenant's settings by plugin name.
            options: passed on to `Host`, e.g. `{"deadlines_s": {"retrieve_answers": 0.1}}`.
            named: plugins by name.
        Raises:
            PluginSpecError, PluginOrderError: a plugin does not fit.
        """
        plugins = Plugins()
        for instance in unnamed:
            plugins.register(instance, default_name(instance), "this test")
        for name, instance in named.items():
            plugins.register(instance, name, "this test")
        host = cls(plugins, tenant=tenant, settings=settings or {}, **(options or {}))
        host.begin()
        return host

    def request(self, **changes: Any) -> Request:
        """Return a request of this host's tenant, with all its plugins enabled; `changes` as in `make_request`."""
        return make_request(
            **{"tenant": self.tenant, "plugins": self.plugin_names, "settings": self.settings, **changes}
        )

    def run(self, hook: Coroutine[Any, Any, _T]) -> _T:
        """Await what a hook's method returned, from a `def` test: `host.run(host.retrieve_answers(query, host.request()))`."""
        return run_apart(hook)

    def begin(self) -> None:
        """Start now, or at the first call of a hook where a loop is running."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            run_apart(self.start_once())
        else:
            self.calls = self._starting

    async def start_once(self) -> None:
        """Call the plugins' `start`, if that was not done yet."""
        if not self.started:
            self.started = True
            self.calls = self._starting.calls
            await self.start(self.deployment)

    def finish(self) -> None:
        """Stop the plugins and give back what the host holds; a second time does nothing."""
        if self.finished:
            return
        self.finished = True
        if self.started:
            run_apart(self.stop(self.deployment))
        self.close()
        self._folder.cleanup()


class _StartingCalls(HookCalls):
    """Stands in for a host's calls until the first one, before which it starts the host."""

    def __init__(self, calls: HookCalls, host: HostUnderTest) -> None:
        self.__dict__.update(calls.__dict__)
        self.calls = calls
        self._host = host

    async def collect(self, implementations: Any, arguments: Any, request: Request) -> list[tuple[str, Any]]:
        await self._host.start_once()
        return await self.calls.collect(implementations, arguments, request)

    async def each(self, implementations: Any, arguments: Any, request: Request) -> list[tuple[str, Any]]:
        await self._host.start_once()
        return await self.calls.each(implementations, arguments, request)

    async def first(self, implementations: Any, arguments: Any, request: Request) -> tuple[str, Any] | None:
        await self._host.start_once()
        return await self.calls.first(implementations, arguments, request)

    async def chain(self, implementations: Any, arguments: Any, request: Request, *, key: str) -> Any:
        await self._host.start_once()
        return await self.calls.chain(implementations, arguments, request, key=key)


def default_name(plugin: object) -> str:
    """Return the name of a plugin that was given none: `OpeningHoursPlugin()` is "opening_hours".

    Example:
        >>> default_name(FixedClock())
        'fixed_clock'
    """
    if isinstance(plugin, ModuleType):
        return plugin.__name__.rpartition(".")[2]
    name = plugin.__name__ if isinstance(plugin, type) else type(plugin).__name__
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    return words.removesuffix("_plugin") or words


def run_apart(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in a loop of its own in another thread, so that the test's own loop is left as it is."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=serve, name="rejoinder-test", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
