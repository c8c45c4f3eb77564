"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from typing import Final

from rejoinder.context import Context, Deployment
from rejoinder.errors import FlowError
from rejoinder.flows import FlowBook, check_flows, load_flows
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Action, ConversationState, Effect, EffectResult, Message, Understanding
from rejoinder.slots.formats import read

from rejoinder_plugins.flows.beside import parts_of
from rejoinder_plugins.flows.calls import Caller, is_call, is_fault
from rejoinder_plugins.flows.compiled import Compiled
from rejoinder_plugins.flows.engine import Turn
from rejoinder_plugins.flows.settings import FlowsSettings

_SAMPLE: Final = "on 1 March 2020, $1, ana@example.com, 4111111111111111, DE89370400440532013000"


class FlowsPlugin:
    """Runs flows: begins them, fills their slots, calls the tenant's API, comes back after interruptions, gives up in time."""

    rejoinder_spec = ">=1.0,<2"
    settings = FlowsSettings

    def __init__(self) -> None:
        self._shipped = FlowBook()
        self._caller = Caller()
        self._compiled: dict[str, Compiled] = {}

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Load and check the flows of the installed domains.

        Raises:
            FlowError: one of them cannot run; it names all that is wrong, with file and line.
        """
        self._shipped = shipped_flows(deployment)
        self._caller = Caller(deployment.api_hosts)

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Make the tenant's flows ready, and load what they need: the first date takes far longer than a turn may."""
        flows = self._of(context).flows.values()
        if flows:
            await asyncio.to_thread(self._caller.get_ready)
        for kind in {slot.type: slot for flow in flows for slot in flow.slots.values()}.values():
            await asyncio.to_thread(read, kind, _SAMPLE, context.now())

    @hookimpl()
    async def tenant_disabled(self, context: Context) -> None:
        """Forget the tenant's flows."""
        self._compiled.pop(context.tenant, None)

    @hookimpl(when=FlowsSettings.has_flows)
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Go on with the flow that waits, or begin one; None where neither is wanted."""
        compiled = self._of(context)
        if not compiled.flows or state.mode != "bot":
            return None
        parts = await parts_of(message, understanding, compiled, context)
        return Turn(message, understanding, state, context, compiled, parts).decide()

    @hookimpl()
    async def run_effect(self, effect: Effect, context: Context) -> EffectResult | None:
        """Call the tenant's API; None for an effect that is no call."""
        if not is_call(effect):
            return None
        settings: FlowsSettings = context.settings
        result = await self._caller.call(effect, settings.api, remaining_s=context.remaining_s)
        if is_fault(result):
            context.logger.warning("a call of tenant %s's API failed: %s", context.tenant, result.error)
        return result

    def _of(self, context: Context) -> Compiled:
        settings: FlowsSettings = context.settings
        compiled = self._compiled.get(context.tenant)
        if compiled is None or compiled.settings is not settings:
            compiled = self._compiled[context.tenant] = Compiled.of(settings, self._shipped)
            for problem in compiled.problems:
                context.logger.error("a flow of tenant %s is left out: %s", context.tenant, problem)
        return compiled


def shipped_flows(deployment: Deployment) -> FlowBook:
    """Return the flows of the installed domains, checked. Raises as `FlowsPlugin.start`."""
    book = load_flows(source for domain in deployment.domains for source in domain.flows)
    intents = {intent for domain in deployment.domains for intent in domain.intents}
    found = check_flows(book, intents=intents)
    if found:
        raise FlowError([str(one) for one in found])
    return book
