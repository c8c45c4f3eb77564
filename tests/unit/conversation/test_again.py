"""An action that wants to go on after its effects is followed by another decision in the same turn."""

from __future__ import annotations

from dataclasses import replace

from rejoinder import hookimpl
from rejoinder.context import Context
from rejoinder.payloads import Action, ConversationState, Effect, EffectResult

from tests.unit.conversation.conftest import MakeBot


class Steps:
    """Plans an effect for each decision, up to `most`, then says what came of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.decisions = 0
        self.keys: list[str] = []

    @hookimpl()
    async def decide_action(self, state: ConversationState, context: Context) -> Action:
        self.decisions += 1
        done = [one for one in state.effects if self.decisions > 1]
        if len(done) == self.most:
            return Action(kind="ask", state=state, text=f"did {', '.join(str(one.value) for one in done)}")
        effect = Effect(name=f"step {len(done)}", plugin=context.plugin)
        return Action(
            kind="ask", state=replace(state, misses=3), text=f"step {len(done)}", effects=(effect,), again=True
        )

    @hookimpl()
    async def run_effect(self, effect: Effect) -> EffectResult:
        self.keys.append(effect.key)
        return EffectResult(name=effect.name, ok=True, value=effect.name)


async def test_each_decision_sees_the_results_so_far_and_all_texts_are_said(bot_of: MakeBot) -> None:
    steps = Steps(2)
    bot = await bot_of(steps=steps)
    turn = await bot.say("go")
    assert turn.reply.parts == ("step 0\nstep 1\ndid step 0, step 1",)
    assert steps.decisions == 3
    assert len(set(steps.keys)) == 2
    assert [one.value for one in (await bot.state()).effects] == ["step 0", "step 1"]
    assert (await bot.state()).misses == 3


async def test_a_repeated_message_gives_its_effects_the_same_keys_only_while_it_is_not_recorded(
    bot_of: MakeBot,
) -> None:
    steps = Steps(1)
    bot = await bot_of(steps=steps)
    first = await bot.say("go", key="k")
    assert (await bot.say("go", key="k")).reply == first.reply
    assert len(steps.keys) == 1


async def test_a_plugin_that_never_ends_is_stopped(bot_of: MakeBot) -> None:
    steps = Steps(1000)
    bot = await bot_of(steps=steps)
    turn = await bot.say("go")
    assert steps.decisions == 10
    assert turn.reply.parts[0].startswith("step 0\nstep 1\n")
