"""Contract checks: what any host may expect of a plugin, picked by the hooks that it implements."""

from __future__ import annotations

import asyncio
import copy
import inspect
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from pydantic import ValidationError

from rejoinder.errors import PayloadError, PluginError
from rejoinder.host import Plugin, Plugins
from rejoinder.host.implementations import Implementation
from rejoinder.payloads import Query, Reading, Reply
from rejoinder.testing.examples import ExampleCall, example_arguments
from rejoinder.testing.host import HostUnderTest, default_name, run_apart
from rejoinder.testing.rules import broken_rules
from rejoinder.trace import Call
from rejoinder.wire import from_json, is_jsonable, to_json

_CHAIN_KEYS = {"rank_answers": "answers", "redact_text": "text"}
_FIRST = ("start", "tenant_enabled")
_LAST = ("tenant_disabled", "stop")
_LONGEST_BLOCK_S = 0.25
_NOT_REPEATED = {
    "start": "it gets ready once",
    "stop": "it ends once",
    "tenant_enabled": "it gives nothing",
    "tenant_disabled": "it gives nothing",
    "run_effect": "it changes the world",
    "deliver_alert": "it changes the world",
    "poll_source": "what is new depends on the source",
    "adapt_model": "it writes files",
}
"""Hooks of which a second call may give something else, and why."""

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check came to; `detail` says what is wrong, or why the check was skipped."""

    check: str
    hook: str | None
    outcome: Outcome
    detail: str = ""

    def __str__(self) -> str:
        where = f"{self.hook}: " if self.hook else ""
        return f"{self.outcome}: {where}{self.check}" + (f": {self.detail}" if self.detail else "")


class ContractError(PluginError, AssertionError):
    """A plugin does not keep the contract; the text names every failed check, `results` holds all.

    Attributes:
        results: what every check came to.
    """

    def __init__(self, plugin: str, results: Sequence[CheckResult]) -> None:
        failed = [str(one) for one in results if one.outcome == "failed"]
        lines = "\n".join(f"- {line.removeprefix('failed: ')}" for line in failed)
        checks = "check" if len(failed) == 1 else "checks"
        super().__init__(f"plugin {plugin!r} fails {len(failed)} contract {checks}:\n{lines}", plugin=plugin)
        self.results = list(results)


def check_plugin(plugin: object, **options: Any) -> list[CheckResult]:
    """Run the contract checks that fit a plugin; takes what `run_checks` takes.

    Returns:
        All results; none of them failed.
    Raises:
        ContractError: some failed; the text names each with the example that shows it.

    Example:
        >>> from rejoinder.testing import EchoPlugin
        >>> {one.outcome for one in check_plugin(EchoPlugin(), fresh_process=False)} <= {"passed", "skipped"}
        True
    """
    results = run_checks(plugin, **options)
    if any(one.outcome == "failed" for one in results):
        raise ContractError(options.get("name") or default_name(plugin), results)
    return results


def run_checks(
    plugin: object,
    *,
    name: str | None = None,
    settings: Any = None,
    examples: Mapping[str, Sequence[ExampleCall]] | None = None,
    timeout_s: float = 5.0,
    fresh_process: bool = True,
) -> list[CheckResult]:
    """Run the contract checks that fit a plugin, and return what each came to.

    Args:
        plugin: an instance or a module, as it is registered.
        name: the plugin's name; made from its class or module when it is not given.
        settings: the tenant's settings; the defaults of the plugin's settings model when they are not given.
        examples: further calls by hook, for what the shipped examples cannot know (a source's kind, a trained model).
        timeout_s: seconds that one call may take here, > 0; never more than the hook allows.
        fresh_process: whether to import the plugin in a new process too (about half a second).
    """
    name = name or default_name(plugin)
    return run_apart(_Checks(plugin, name, settings, examples or {}, timeout_s, fresh_process).run())


class _Checks:
    def __init__(
        self,
        plugin: object,
        name: str,
        settings: Any,
        examples: Mapping[str, Sequence[ExampleCall]],
        timeout_s: float,
        fresh_process: bool,
    ) -> None:
        self.plugin = plugin
        self.name = name
        self.settings = settings
        self.examples = examples
        self.timeout_s = timeout_s
        self.fresh_process = fresh_process
        self.results: list[CheckResult] = []

    async def run(self) -> list[CheckResult]:
        from rejoinder.hooks import SPECS

        options: dict[str, Any] = {
            "deadlines_s": {spec.name: min(spec.deadline_s, self.timeout_s) for spec in SPECS.values()},
            "breaker_failures": sys.maxsize,
        }
        plugins = Plugins()
        try:
            registered = plugins.register(self.plugin, self.name, "this check")
        except PluginError as error:
            self._add("fits the specifications", None, [str(error)])
            return self.results
        self._add("fits the specifications", None, [])
        host = HostUnderTest(plugins, tenant="test", settings={}, **options)
        settings = self._settings(host)
        host.settings = {} if settings is None else {self.name: settings}
        with tempfile.TemporaryDirectory(prefix="rejoinder-check-") as folder:
            for hook in _FIRST:
                await self._lifecycle(host, registered, hook, folder)
            for one in registered.implementations:
                if one.spec.failure == "strict":
                    self._add(
                        "keeps the hook's rules",
                        one.spec.name,
                        broken_rules(one.spec.name, {}, registered.registered[one.spec.name]),
                    )
                elif one.spec.name not in (*_FIRST, *_LAST):
                    await _HookChecks(self, host, one, folder).run()
            for hook in _LAST:
                await self._lifecycle(host, registered, hook, folder)
        host.finish()
        self._fresh_import()
        return self.results

    def _add(self, check: str, hook: str | None, problems: Sequence[str]) -> None:
        outcome: Outcome = "failed" if problems else "passed"
        self.results.append(CheckResult(check, hook, outcome, "; ".join(problems)))

    def _skip(self, check: str, hook: str | None, reason: str) -> None:
        self.results.append(CheckResult(check, hook, "skipped", reason))

    def _settings(self, host: HostUnderTest) -> Any:
        model = host.settings_models.get(self.name)
        if self.settings is not None or model is None:
            return self.settings
        try:
            made = model()
        except ValidationError as error:
            self._add(
                "has settings",
                None,
                [f"{model.__name__} has no defaults, give `settings=`: {error.errors()[0]['msg']}"],
            )
            return None
        return made

    async def _lifecycle(self, host: HostUnderTest, plugin: Plugin, hook: str, folder: str) -> None:
        for one in plugin.implementations:
            if one.spec.name == hook:
                await _HookChecks(self, host, one, folder).run()

    def _fresh_import(self) -> None:
        check = "can be imported in a fresh process"
        home = self.plugin if isinstance(self.plugin, ModuleType) else type(self.plugin)
        module = home.__name__ if isinstance(home, ModuleType) else home.__module__
        if not self.fresh_process:
            self._skip(check, None, "switched off by `fresh_process=False`")
        elif isinstance(home, type) and "<locals>" in home.__qualname__:
            self._skip(check, None, "its class is defined within a function")
        elif not _importable(module):
            self._skip(check, None, f"its module {module} cannot be imported by name")
        else:
            self._add(check, None, _import_problems(module))


class _HookChecks:
    """The checks of one implementation."""

    def __init__(self, checks: _Checks, host: HostUnderTest, one: Implementation, folder: str) -> None:
        self.add: Callable[[str, Sequence[str]], None] = lambda check, problems: checks._add(check, self.hook, problems)
        self.skip: Callable[[str, str], None] = lambda check, reason: checks._skip(check, self.hook, reason)
        self.host = host
        self.one = one
        self.hook = one.spec.name
        shipped = example_arguments(self.hook, plugin=checks.name, folder=folder)
        self.examples = [*shipped, *self._own_intents(), *checks.examples.get(self.hook, ())]

    def _own_intents(self) -> list[ExampleCall]:
        """Return queries for the first intents of the plugin's own domain."""
        if self.hook != "retrieve_answers":
            return []
        intents = {intent: title for domain in self.host.domains for intent, title in domain.intents.items()}
        return [
            ExampleCall(
                f"its intent {intent!r}",
                {"query": Query(text=title, intents=(Reading(intent=intent, confidence=0.9, title=title),))},
            )
            for intent, title in list(intents.items())[:3]
        ]

    async def run(self) -> None:
        values: dict[str, Any] = {}
        failed: list[str] = []
        tried_again: list[str] = []
        edited: list[str] = []
        rules: list[str] = []
        blocked = 0.0
        for example in self.examples:
            before = copy.deepcopy(dict(example.arguments))
            value, call, held = await self._timed(example)
            if held > _LONGEST_BLOCK_S and self.hook not in _NOT_REPEATED:
                held = min(held, (await self._timed(example))[2])  # once may be a busy machine
            blocked = max(blocked, held)
            if call is not None and call.outcome == "error" and self.one.spec.failure == "retried":
                tried_again.append(f"example {example.label!r}: {call.detail}")
            elif call is not None:
                failed.append(f"example {example.label!r}: {call.detail}")
            else:
                values[example.label] = value
                rules.extend(
                    f"example {example.label!r}: {rule}" for rule in broken_rules(self.hook, example.arguments, value)
                )
            if before != dict(example.arguments):
                changed = [key for key, old in before.items() if old != example.arguments[key]]
                edited.append(f"example {example.label!r}: it edited {', '.join(changed)}; return a new value instead")
        self.add("gives the right type for every example, in time, without raising", failed)
        if tried_again:
            self.skip("never raises", f"a retried hook may; it did for {tried_again[0]}")
        self.add("leaves its arguments untouched", edited)
        self.add("keeps the hook's rules", rules)
        self._round_trip(values)
        await self._repeat(values)
        if self.one.kind == "def":
            self.skip("does not block the loop", "a `def` implementation runs in a thread")
        else:
            slow = [f"it held the loop for {blocked:.2f} s: use `def`, or `await` what takes long"]
            self.add("does not block the loop", slow if blocked > _LONGEST_BLOCK_S else [])

    async def _timed(self, example: ExampleCall) -> tuple[Any, Call | None, float]:
        async with _Heartbeat() as heartbeat:
            value, call = await self._call(example)
        return value, call, heartbeat.longest_s

    async def _call(self, example: ExampleCall) -> tuple[Any, Call | None]:
        """Return the value, and the call that failed or None."""
        request = self.host.request(history=example.history)
        arguments = dict(example.arguments)
        if (key := _CHAIN_KEYS.get(self.hook)) is not None:
            try:
                value = await self.host.calls.chain((self.one,), arguments, request, key=key)
            except PluginError:
                value = None
        elif self.hook == "compose_reply":
            reply = await self.host.compose_reply(**arguments, request=request)
            value = reply if reply is None or isinstance(reply, Reply) else tuple([part async for part in reply])
        else:
            try:
                found = await self.host.calls.first((self.one,), arguments, request)
            except PluginError:
                found = None
            value = found[1] if found else None
        wrong = [call for call in request.trace.calls if call.outcome not in ("result", "nothing")]
        return value, wrong[0] if wrong else None

    def _round_trip(self, values: Mapping[str, Any]) -> None:
        check = "gives values that survive JSON"
        problems = []
        crossed = 0
        for label, value in values.items():
            for payload in _payloads(value):
                crossed += 1
                try:
                    if from_json(type(payload), to_json(payload)) != payload:
                        problems.append(f"example {label!r}: {type(payload).__name__} comes back as something else")
                except PayloadError as error:
                    problems.append(f"example {label!r}: {error}")
        if crossed:
            self.add(check, problems)
        else:
            self.skip(check, "it gave no payload for any example")

    async def _repeat(self, values: dict[str, Any]) -> None:
        again, together = "gives the same for the same arguments", "gives the same when called at the same time"
        if self.hook in _NOT_REPEATED:
            self.skip(again, _NOT_REPEATED[self.hook])
            self.skip(together, _NOT_REPEATED[self.hook])
            return
        examples = [example for example in self.examples if example.label in values]
        different = []
        for example in examples:
            for _ in range(2):  # one that warms up behind its first answers may give better ones once
                before, (values[example.label], _) = values[example.label], await self._call(example)
                if values[example.label] == before:
                    break
            else:
                different.append(f"example {example.label!r}")
        self.add(again, different)
        if different:
            self.skip(together, "it is not the same when called one after another")
            return
        results = await asyncio.gather(*[self._call(example) for example in examples])
        mixed = []
        for example, (value, _) in zip(examples, results, strict=True):
            # It may have warmed up just then: what it gives alone now counts too.
            if value != values[example.label] and value != (await self._call(example))[0]:
                mixed.append(f"example {example.label!r}")
        self.add(together, mixed)


class _Heartbeat:
    """Measures the longest time for which the loop did nothing else."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def __aenter__(self) -> _Heartbeat:
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0.001)
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _beat(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest_s = max(self.longest_s, now - last)
            last = now


def _payloads(value: Any) -> Iterator[Any]:
    values = value if isinstance(value, tuple) else (value,)
    for one in values:
        if hasattr(type(one), "__pydantic_config__") and is_jsonable(type(one)):
            yield one


def _importable(module: str) -> bool:
    package = module.partition(".")[0]
    return package != "__main__" and any(finder.find_spec(package, None) for finder in sys.meta_path)


_IMPORT = """
import sys, threading
sys.path[:] = {path!r}
import {module}
threads = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
if threads:
    sys.exit("importing it starts threads: " + ", ".join(threads) + "; start them in the hook `start`")
"""


def _import_problems(module: str) -> list[str]:
    code = inspect.cleandoc(_IMPORT).format(path=sys.path, module=module)
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60.0, check=False)  # noqa: S603  # our own code
    except subprocess.TimeoutExpired:
        return ["importing it takes longer than 60 s"]
    lines = done.stderr.strip().splitlines()
    return [] if done.returncode == 0 else [lines[-1] if lines else f"exit status {done.returncode}"]
