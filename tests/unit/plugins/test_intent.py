"""The plugin `intent`: predictions become readings."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from rejoinder.context import Deployment
from rejoinder.models.learner import Prediction
from rejoinder.payloads import ConversationState, Domain, Message
from rejoinder_plugins.intent import IntentPlugin, IntentSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def predicted(
    *ranking: tuple[str, float], in_scope: float = 0.9, accepted: bool = True, source: str = "head"
) -> Prediction:
    return Prediction(
        label=ranking[0][0],
        confidence=ranking[0][1],
        ranking=ranking,
        in_scope=in_scope,
        accepted=accepted,
        source=source,
    )


async def understand(bench: Any, models: Any, text: str, prediction: Any, settings: Any = None) -> Any:
    one = bench(
        models=models({text: prediction}), settings={"intent": settings} if settings else {}, intent=IntentPlugin()
    )
    domains = (
        Domain(name="bank", intents={"lost_card": "Reporting a lost card"}),
        Domain(name="shop", intents={"lost_card": "Something else"}),
    )
    await one.host.start(Deployment(domains=domains, data_dir="."))
    message = Message(id="m", text=text, raw_text="SECRET", at=NOW)
    return await one.call("understand_intent", message, ConversationState())


async def test_readings_follow_the_ranking_and_carry_titles(bench: Any, models: Any) -> None:
    got = await understand(bench, models, "help", predicted(("lost_card", 0.7), ("pin_blocked", 0.2)))
    assert [(one.intent, one.confidence, one.title) for one in got.readings] == [
        ("lost_card", 0.7, "Reporting a lost card"),
        ("pin_blocked", 0.2, "Pin blocked"),
    ]
    assert got.model_versions == {"intent": "v1"}
    assert got.in_scope == 0.9


async def test_the_tenants_own_title_wins(bench: Any, models: Any) -> None:
    settings = IntentSettings(titles={"lost_card": "Lost it?"})
    got = await understand(bench, models, "help", predicted(("lost_card", 0.7)), settings)
    assert got.readings[0].title == "Lost it?"


async def test_at_most_so_many_readings(bench: Any, models: Any) -> None:
    ranking = tuple((f"intent_{number}", 0.05) for number in range(20))
    got = await understand(bench, models, "help", predicted(*ranking), IntentSettings(max_readings=3))
    assert len(got.readings) == 3


@pytest.mark.parametrize(
    ("in_scope", "accepted", "expected"), [(0.3, True, 0.5), (0.8, True, 0.8), (0.8, False, 0.499), (0.1, False, 0.1)]
)
async def test_the_learned_threshold_is_at_one_half(
    bench: Any, models: Any, in_scope: float, accepted: bool, expected: float
) -> None:
    got = await understand(bench, models, "x", predicted(("a", 0.5), in_scope=in_scope, accepted=accepted))
    assert got.in_scope == expected


async def test_a_correction_is_named_as_the_source(bench: Any, models: Any) -> None:
    got = await understand(bench, models, "x", predicted(("a", 0.99), source="memory"))
    assert got.readings[0].source == "memory"


@pytest.mark.parametrize("text", ["", "   ", "nothing was learned"])
async def test_nothing_to_say(bench: Any, models: Any, text: str) -> None:
    got = await understand(bench, models, text, None)
    assert got.readings == ()
    assert got.in_scope is None


async def test_floats_just_outside_the_range_are_pulled_in(bench: Any, models: Any) -> None:
    got = await understand(bench, models, "x", predicted(("a", 1.0000001), ("b", -1e-9), in_scope=1.0000001))
    assert [one.confidence for one in got.readings] == [1.0, 0.0]
    assert got.in_scope == 1.0


def test_the_task_is_the_shipped_learner_and_imported_only_when_made() -> None:
    code = (
        "import sys; from rejoinder_plugins.intent import plugin; task, = plugin.register_tasks(); "
        "assert task.name == 'intent'; assert 'numpy' not in sys.modules and 'torch' not in sys.modules; "
        "from rejoinder.models.learner import Learner; assert isinstance(task.learner(), Learner)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
