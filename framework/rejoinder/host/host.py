"""The host as the rest of Rejoinder uses it: one typed method per hook."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.context import Deployment, NoModels, Request
from rejoinder.errors import HookError, HookUnavailableError, PluginError, PluginLoadError, RedactionError
from rejoinder.hooks import SPECS
from rejoinder.host.breaker import CircuitBreaker
from rejoinder.host.calls import HookCalls
from rejoinder.host.discovery import FoundPlugin, folder_plugins, installed_plugins
from rejoinder.host.implementations import Implementation
from rejoinder.host.merge import merge_understandings
from rejoinder.host.plugins import Plugin, Plugins, load_plugins
from rejoinder.host.streams import guarded_parts
from rejoinder.host.threads import DaemonThreads
from rejoinder.payloads import (
    Action,
    Adaptation,
    AdaptationRequest,
    Answer,
    Caller,
    ConversationState,
    Decision,
    Delivery,
    DeliveryReceipt,
    Detection,
    DetectorState,
    Domain,
    Effect,
    EffectResult,
    Evaluation,
    EvaluationRequest,
    Event,
    Example,
    Feedback,
    Message,
    Observation,
    Poll,
    Purpose,
    Query,
    Reply,
    Reward,
    Schedule,
    Source,
    Task,
    Understanding,
)
from rejoinder.trace import Trace

if TYPE_CHECKING:
    from pydantic import BaseModel


class Host:
    """Calls plugins; each method is the hook of the same name, and what it raises is what the specification says.

    Args:
        plugins: registered plugins.
        deadlines_s: seconds that one call of a hook may take, by hook name; others have their specification's default.
        breaker_failures: failures in a row after which a plugin is left alone for a tenant, >= 1.
        breaker_reset_s: seconds for which it is left alone, > 0.
    """

    def __init__(
        self,
        plugins: Plugins,
        *,
        deadlines_s: Mapping[str, float] | None = None,
        breaker_failures: int = 5,
        breaker_reset_s: float = 30.0,
    ) -> None:
        self.plugins = plugins
        self.failures: list[PluginError] = []
        self._not_started: frozenset[str] = frozenset()
        breaker = CircuitBreaker(failures=breaker_failures, reset_s=breaker_reset_s)
        self.calls = HookCalls(deadlines_s or {}, breaker, DaemonThreads())

    @classmethod
    def load(
        cls,
        *,
        folder: Path | None = None,
        disabled: Sequence[str] = (),
        tolerant: bool = False,
        **options: Any,
    ) -> Host:
        """Find, check and register the plugins that are installed and those of a folder.

        Args:
            folder: folder with one-off plugins.
            disabled: names of plugins to leave out.
            tolerant: leave out plugins that do not fit, and keep why in `failures`, instead of raising.
            options: passed on to `Host`.
        Raises:
            PluginLoadError, PluginSpecError, PluginOrderError: a plugin does not fit; with several, one PluginLoadError names all.
        """
        found: list[FoundPlugin] = list(installed_plugins())
        if folder is not None:
            found.extend(folder_plugins(folder))
        plugins, failures = load_plugins(found, disabled=disabled)
        if failures and not tolerant:
            if len(failures) == 1:
                raise failures[0]
            lines = "\n".join(f"- {failure}" for failure in failures)
            raise PluginLoadError(f"{len(failures)} plugins cannot be used:\n{lines}") from failures[0]
        host = cls(plugins, **options)
        host.failures = failures
        return host

    def close(self) -> None:
        """Let the threads for plugins end."""
        self.calls.threads.close()

    # --- what plugins brought --------------------------------------------------------------------------------------

    @property
    def plugin_names(self) -> frozenset[str]:
        """Names of the registered plugins."""
        return self.plugins.names

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domains, in declared order."""
        return tuple(domain for _, domain in self.plugins.registered("register_domain"))

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks by name."""
        return {task.name: task for _, task in self.plugins.registered("register_tasks")}

    @property
    def schedules(self) -> tuple[tuple[str, Schedule], ...]:
        """What is done every so often, with the plugin that brought it."""
        return tuple(self.plugins.registered("register_schedules"))

    def owner_of_task(self, name: str) -> str | None:
        """Return the plugin that registered a task, or None."""
        return next((plugin for plugin, task in self.plugins.registered("register_tasks") if task.name == name), None)

    @property
    def settings_models(self) -> Mapping[str, type[BaseModel]]:
        """The settings model of each plugin that has one: its domain's, or its attribute `settings`."""
        models: dict[str, type[BaseModel]] = {}
        for plugin in self.plugins:
            model = getattr(plugin.instance, "settings", None)
            for domain in plugin.registered.get("register_domain", ()):
                model = domain.settings or model
            if isinstance(model, type):
                models[plugin.name] = model
        return models

    def registered(self, hook: str) -> list[tuple[str, Any]]:
        """Return plugin and value for all that a `register_*` hook gave, in declared order."""
        return self.plugins.registered(hook)

    def order(self) -> Iterator[tuple[str, Implementation]]:
        """Yield hook and implementation for all hooks, in the order in which they are called."""
        for hook in SPECS:
            for one in self.plugins.in_order(hook):
                yield hook, one

    def plugin(self, name: str) -> Plugin:
        """Return a registered plugin; KeyError when there is none."""
        return self.plugins[name]

    # --- life cycle ------------------------------------------------------------------------------------------------

    async def start(self, deployment: Deployment) -> None:
        """Tell all plugins that the host is about to serve; one that fails is in `failures` and serves no turn."""
        self._not_started = frozenset()
        request = self._outside_tenants()
        await self._each("start", {"deployment": deployment}, request)
        failed = [call for call in request.trace.calls if call.outcome not in ("result", "nothing")]
        self._not_started = frozenset(call.plugin for call in failed)
        self.failures.extend(HookError(call.detail, plugin=call.plugin, hook="start") for call in failed)

    async def stop(self, deployment: Deployment) -> None:
        """Tell all plugins, last first, that the host ends."""
        request = self._outside_tenants()
        await self.calls.each(tuple(reversed(self.plugins.in_order("stop"))), {"deployment": deployment}, request)

    async def tenant_enabled(self, request: Request, plugins: frozenset[str] | None = None) -> None:
        """Tell plugins (all that the tenant has, or these) that the tenant has them."""
        await self._each("tenant_enabled", {}, request, plugins)

    async def tenant_disabled(self, request: Request, plugins: frozenset[str] | None = None) -> None:
        """Tell plugins (all that the tenant has, or these) that the tenant no longer has them."""
        await self._each("tenant_disabled", {}, request, plugins)

    async def seed_examples(self, request: Request) -> list[Example]:
        """Return the examples that the tenant's models start from."""
        return await self._collect_many("seed_examples", {}, request)

    async def regression_examples(self, request: Request) -> list[Example]:
        """Return what a new model must not answer worse than the live one."""
        return await self._collect_many("regression_examples", {}, request)

    # --- a turn ----------------------------------------------------------------------------------------------------

    async def understand_intent(self, message: Message, state: ConversationState, request: Request) -> Understanding:
        """Return what all plugins together make of a message."""
        arguments = {"message": message, "state": state}
        found = await self.calls.collect(self._of("understand_intent", request), arguments, request)
        return merge_understandings(understanding for _, understanding in found)

    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, request: Request
    ) -> Action | None:
        """Return the first plugin's action; None when no plugin had one."""
        arguments = {"message": message, "understanding": understanding, "state": state}
        found = await self.calls.first(self._of("decide_action", request), arguments, request)
        return found[1] if found else None

    async def run_effect(self, effect: Effect, request: Request) -> EffectResult:
        """Run an effect by the plugin that it names; a failure is a result that says why."""
        implementations = tuple(one for one in self._of("run_effect", request) if one.plugin == effect.plugin)
        if not implementations:
            error = f"plugin {effect.plugin!r} is not enabled or runs no effects"
            return EffectResult(name=effect.name, ok=False, error=error)
        deadline = min(request.deadline, time.monotonic() + effect.timeout_s)
        limited = replace(request, deadline=deadline, trace=Trace(started=request.trace.started))
        found = await self.calls.first(implementations, {"effect": effect}, limited)
        request.trace.calls.extend(limited.trace.calls)
        if found:
            result: EffectResult = found[1]
            return result
        failed = [call.detail for call in limited.trace.calls if call.detail]
        return EffectResult(name=effect.name, ok=False, error=failed[-1] if failed else "the plugin gave no result")

    async def retrieve_answers(self, query: Query, request: Request) -> tuple[Answer, ...]:
        """Return what all plugins offer, best first; earlier plugins win ties."""
        answers: list[Answer] = await self._collect_many("retrieve_answers", {"query": query}, request)
        return tuple(sorted(answers, key=lambda answer: -answer.score))

    async def rank_answers(self, query: Query, answers: tuple[Answer, ...], request: Request) -> tuple[Answer, ...]:
        """Return the answers as the plugins, one after another, leave them."""
        arguments = {"query": query, "answers": tuple(answers)}
        ranked: tuple[Answer, ...] = await self.calls.chain(
            self._of("rank_answers", request), arguments, request, key="answers"
        )
        return ranked

    async def compose_reply(
        self, action: Action, answers: tuple[Answer, ...], state: ConversationState, request: Request
    ) -> Reply | AsyncIterator[str] | None:
        """Return the first plugin's reply, whole or in parts; None when no plugin had one."""
        arguments = {"action": action, "answers": answers, "state": state}
        implementations = self._of("compose_reply", request)
        found = await self.calls.first(implementations, arguments, request)
        if found is None:
            return None
        name, reply = found
        if isinstance(reply, Reply):
            return reply
        return guarded_parts(self.calls, next(one for one in implementations if one.plugin == name), reply, request)

    # --- learning --------------------------------------------------------------------------------------------------

    async def score_feedback(self, feedback: Feedback, decision: Decision, request: Request) -> list[Reward]:
        """Return the rewards of all plugins."""
        return await self._collect_many("score_feedback", {"feedback": feedback, "decision": decision}, request)

    async def make_examples(
        self, reward: Reward, feedback: Feedback, decision: Decision, request: Request
    ) -> list[Example]:
        """Return the examples of all plugins."""
        arguments = {"reward": reward, "feedback": feedback, "decision": decision}
        return await self._collect_many("make_examples", arguments, request)

    async def choose_queue(self, task: str, request: Request) -> str | None:
        """Return which workers are to fit a model of a task, as the first plugin that cares says; None where none does."""
        found = await self.calls.first(self._of("choose_queue", request), {"task": task}, request)
        return found[1] if found else None

    async def adapt_model(self, adaptation: AdaptationRequest, request: Request) -> Adaptation | None:
        """Return the first plugin's fitted model.

        Raises:
            HookError: a plugin failed; try again later.
        """
        found = await self.calls.first(self._of("adapt_model", request), {"request": adaptation}, request)
        return found[1] if found else None

    async def evaluate_model(self, evaluation: EvaluationRequest, request: Request) -> Evaluation | None:
        """Return the first plugin's evaluation.

        Raises:
            HookError: a plugin failed; try again later.
        """
        found = await self.calls.first(self._of("evaluate_model", request), {"request": evaluation}, request)
        return found[1] if found else None

    # --- streams ---------------------------------------------------------------------------------------------------

    async def poll_source(self, source: Source, cursor: str | None, request: Request) -> list[tuple[str, Poll]]:
        """Return plugin and news of each that knows the source; HookError: try again with the same cursor."""
        return await self._each("poll_source", {"source": source, "cursor": cursor}, request)

    async def read_events(self, events: Sequence[Event], request: Request) -> list[Observation]:
        """Return what all plugins read from a batch; HookError: try again later."""
        return await self._collect_many("read_events", {"events": tuple(events)}, request)

    async def detect_change(
        self, observations: Sequence[Observation], state: DetectorState, request: Request
    ) -> Detection | None:
        """Return the owner's detection; HookError: try again with the same state."""
        arguments = {"observations": tuple(observations), "state": state}
        found = await self.calls.first(self._of("detect_change", request), arguments, request)
        return found[1] if found else None

    async def deliver_alert(self, delivery: Delivery, request: Request) -> list[tuple[str, DeliveryReceipt]]:
        """Return plugin and receipt of each that knows the receiver; HookError: try again later."""
        return await self._each("deliver_alert", {"delivery": delivery}, request)

    async def redact_text(self, text: str, purpose: Purpose, request: Request) -> str:
        """Return a text with placeholders for what must not be kept.

        Raises:
            RedactionError: a redactor failed; the text must not be stored, logged or trained on.
        """
        arguments = {"text": text, "purpose": purpose}
        redactors = self.plugins.in_order("redact_text", request.plugins)
        try:
            for one in redactors:
                if one.plugin in self._not_started:
                    raise HookUnavailableError(
                        f"plugin {one.plugin!r} did not start", plugin=one.plugin, hook="redact_text"
                    )
            redacted: str = await self.calls.chain(redactors, arguments, request, key="text")
        except HookError as error:
            raise RedactionError(
                f"the text was not stored, since it could not be redacted: {error}",
                plugin=error.plugin or "",
                hook="redact_text",
                tenant=request.tenant,
            ) from error
        return redacted

    # --- shared ----------------------------------------------------------------------------------------------------

    def _outside_tenants(self) -> Request:
        return Request(
            tenant="",
            caller=Caller(id="system", role="admin"),
            models=NoModels(),
            plugins=self.plugin_names,
            settings={},
            deadline=math.inf,
        )

    def _of(self, hook: str, request: Request, plugins: frozenset[str] | None = None) -> tuple[Implementation, ...]:
        enabled = request.plugins if plugins is None else request.plugins & plugins
        found = self.plugins.in_order(hook, enabled - self._not_started if self._not_started else enabled)
        if all(one.order.when is None for one in found):
            return found
        return tuple(one for one in found if _takes_part(one, request))

    async def _collect_many(self, hook: str, arguments: Mapping[str, Any], request: Request) -> list[Any]:
        found = await self.calls.collect(self._of(hook, request), arguments, request)
        return [value for _, values in found for value in values]

    async def _each(
        self, hook: str, arguments: Mapping[str, Any], request: Request, plugins: frozenset[str] | None = None
    ) -> list[tuple[str, Any]]:
        return await self.calls.each(self._of(hook, request, plugins), arguments, request)


def _takes_part(one: Implementation, request: Request) -> bool:
    """Ask a plugin whether its implementation is to be called; one that cannot say is called, within the bounds of a call."""
    if one.order.when is None:
        return True
    try:
        return bool(one.order.when(request.settings.get(one.plugin)))
    except Exception:
        return True
