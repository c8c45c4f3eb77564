"""Chance decides only where the bot is unsure and the tenant wants it; its propensities are what happens; and it finds what is better."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.learning.experience import Outcomes
from rejoinder.payloads import Action, Answer, Caller, ConversationState, Effect, EffectResult, Message, Query, Reply
from rejoinder.store.decisions import get_decision
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin
from rejoinder_plugins.exploration import ExplorationPlugin, ExplorationSettings
from rejoinder_plugins.exploration.thompson import chances_best, places

from tests.support.application import opened
from tests.support.learners import TaughtPlugin

ON = ExplorationSettings(enabled=True)
QUERY = Query(text="where is my card")


def answers(*scores: float) -> tuple[Answer, ...]:
    return tuple(Answer(id=f"a{i}", score=score, source="test", text=f"answer {i}") for i, score in enumerate(scores))


@pytest.fixture
def ranked(bench: Any, models: Any) -> Callable[..., Any]:
    class Told(models):  # type: ignore[misc]
        said: dict[str, Outcomes] = {}  # noqa: RUF012

        async def outcomes(self, text: str, candidates: Any) -> dict[str, Outcomes]:
            return {one: self.said.get(one, Outcomes()) for one in candidates}

    async def rank(
        found: tuple[Answer, ...], settings: Any = ON, query: Query = QUERY, **said: Outcomes
    ) -> list[Answer]:
        told = Told()
        told.said = said
        made = bench(models=told, settings={"exploration": settings}, exploration=ExplorationPlugin())
        return list(await made.call("rank_answers", query, found))

    return rank


@pytest.mark.parametrize(
    ("settings", "scores", "query"),
    [
        (ExplorationSettings(), (0.6, 0.59), QUERY),
        (ON, (0.95, 0.94), QUERY),
        (ON, (0.6, 0.4), QUERY),
        (ON, (0.6,), QUERY),
        (ON, (0.6, 0.59), Query(text="where is my card", explore=False)),
        (ON, (0.6, 0.59), Query(kind="recommendation", text="x")),
    ],
    ids=["off by default", "sure", "beyond the margin", "one answer", "a flow or effect", "a list"],
)
async def test_nothing_is_left_to_chance(ranked: Any, settings: Any, scores: tuple[float, ...], query: Query):
    found = answers(*scores)
    for _ in range(20):
        assert tuple(await ranked(found, settings, query)) == found


async def test_only_what_is_within_the_margin_may_come_first(ranked: Any):
    firsts = Counter([(await ranked(answers(0.6, 0.55, 0.3)))[0].id for _ in range(60)])
    assert firsts["a0"] > 0
    assert firsts["a1"] > 0
    assert firsts["a2"] == 0


async def test_what_people_said_moves_the_odds(ranked: Any):
    said = {"a0": Outcomes(bad=15.0), "a1": Outcomes(good=15.0)}
    firsts = Counter([(await ranked(answers(0.6, 0.58), **said))[0].id for _ in range(40)])
    assert firsts["a1"] == 40


async def test_propensities_are_the_frequencies_with_which_it_happens(ranked: Any):
    rounds = 300
    seen: Counter[tuple[int, str]] = Counter()
    stated: dict[tuple[int, str], float] = {}
    for _ in range(rounds):
        for place, one in enumerate(await ranked(answers(0.6, 0.57, 0.5))):
            seen[place, one.id] += 1
            stated[place, one.id] = one.propensity
    for at, chance in stated.items():
        assert seen[at] / rounds == pytest.approx(chance, abs=4 * (chance * (1 - chance) / rounds) ** 0.5 + 1e-9)
    assert sum(chance for (place, _), chance in stated.items() if place == 0) == pytest.approx(1.0)


def test_chances_are_those_of_drawing_and_comparing():
    alphas, betas = np.array([5.0, 3.0, 2.0]), np.array([4.0, 2.0, 5.0])
    draws = np.random.default_rng(0).beta(alphas, betas, size=(100_000, 3)).argmax(axis=1)
    chances = chances_best(alphas.tolist(), betas.tolist())
    assert chances.sum() == pytest.approx(1.0)
    assert chances == pytest.approx(np.bincount(draws) / 100_000, abs=0.01)
    table = places(chances)
    assert table.sum(axis=0) == pytest.approx(np.ones(3))
    assert table.sum(axis=1) == pytest.approx(np.ones(3))


# --- in a conversation -----------------------------------------------------------------------------------------------


class TwoAnswers:
    """Finds two answers that are nearly as good; with "pay" in the text, an effect was run before."""

    @hookimpl()
    async def decide_action(self, message: Message, state: ConversationState) -> Action:
        effects = (Effect(name="pay", plugin="two"),) if "pay" in message.text else ()
        return Action(kind="answer", state=state, query=Query(text=message.text), effects=effects)

    @hookimpl()
    async def run_effect(self, effect: Effect) -> EffectResult:
        return EffectResult(name=effect.name, ok=True)

    @hookimpl()
    async def retrieve_answers(self) -> list[Answer]:
        return [
            Answer(id="worse", score=0.6, source="test", text="worse"),
            Answer(id="better", score=0.55, source="test", text="better"),
        ]

    @hookimpl()
    async def compose_reply(self, answers: tuple[Answer, ...]) -> Reply:
        return Reply(parts=(answers[0].text or "",))


def plugins() -> dict[str, object]:
    return {
        "two": TwoAnswers(),
        "taught": TaughtPlugin(),
        "exploration": ExplorationPlugin(),
        "explicit_feedback": ExplicitFeedbackPlugin(),
    }


async def live(application: Application, tenant: str, rounds: int) -> list[tuple[str, float, float]]:
    """Let people ask and say whether they were content; return what came first, its propensity, and the reward."""
    chance = random.Random(0)
    found = []
    for number in range(rounds):
        caller = Caller(id=f"user-{number}")
        conversation = await application.conversations.create(tenant, caller)
        turn = await application.conversations.turn(tenant, conversation, caller, "where is my card")
        first = turn.reply.parts[0]
        content = chance.random() < (0.9 if first == "better" else 0.3)
        assert turn.decision_id is not None
        await application.feedback.give(
            tenant, caller, decision_id=turn.decision_id, kind="thumbs", value=1 if content else -1
        )
        decision = await get_decision(application.database, tenant, turn.decision_id)
        shown = next(one for one in decision.candidates if one.id == decision.chosen[0])
        found.append((first, shown.propensity, float(content)))
    return found


async def test_a_better_second_answer_is_found_by_thumbs_alone_and_its_worth_by_propensities(tmp_path: Path):
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "acme.toml").write_text("[exploration]\nenabled = true\n", encoding="utf-8")
    async with opened(tmp_path, plugins(), tenants=("acme", "other"), learning={"adapt_after": 0}) as application:
        found = await live(application, "acme", 60)
        others = await live(application, "other", 5)
    assert Counter(first for first, _, _ in found[-20:])["better"] >= 17
    assert {(first, propensity) for first, propensity, _ in others} == {("worse", 1.0)}
    always_better = [content / propensity if first == "better" else 0.0 for first, propensity, content in found]
    assert sum(always_better) / len(found) == pytest.approx(0.9, abs=0.2)
    assert all(0 < propensity <= 1 for _, propensity, _ in found), json.dumps(found)


async def test_where_an_effect_ran_the_order_is_not_left_to_chance(tmp_path: Path):
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "acme.toml").write_text("[exploration]\nenabled = true\nprior_strength = 0.1\n", encoding="utf-8")
    caller = Caller(id="ana")
    async with opened(tmp_path, plugins(), learning={"adapt_after": 0}) as application:
        conversation = await application.conversations.create("acme", caller)
        said = [
            (await application.conversations.turn("acme", conversation, caller, f"pay {number}")).reply.parts[0]
            for number in range(15)
        ]
    assert set(said) == {"worse"}
