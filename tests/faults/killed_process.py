"""One process over a store in a folder that kills itself at a given point. Run by test_learning_kill.py.

Arguments: the folder, and `erase` (killed when an erasure is committed, before models forget) or `judge` (killed when the gate has written
what it judged a candidate by, before it acts).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.learning.adaptation import run_adaptation
from rejoinder.learning.holdback import held_back
from rejoinder.payloads import Example
from rejoinder.store.examples import add_examples
from rejoinder.store.runs import create_run
from rejoinder_plugins.explicit_feedback import plugin as explicit_feedback
from rejoinder_plugins.learner_adaptation import plugin as learner_adaptation

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin

SETTINGS: dict[str, Any] = {"gate": {"canary_share": 0.0}, "workers": {"lease_s": 1.0}, "learning": {"adapt_after": 0}}


def plugins() -> dict[str, object]:
    """The plugins of every process over the folder."""
    return {
        "taught": TaughtPlugin(),
        "explicit_feedback": explicit_feedback,
        "learner_adaptation": learner_adaptation,
    }


async def die(*_: object, **__: object) -> None:
    """Be gone at once."""
    os.kill(os.getpid(), signal.SIGKILL)


async def erase(application: Application) -> None:
    """Teach something, have a version trained on it, and be killed while its user is erased."""
    conversation = await application.conversations.create("acme", ANA)
    turn = await application.conversations.turn("acme", conversation, ANA, "the card is blue")
    await application.feedback.give(
        "acme", ANA, decision_id=str(turn.decision_id), kind="corrected_intent", value="colour"
    )
    run = await create_run(application.database, "acme", task="intent")
    version = await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-1")
    await application.models.promote("acme", str(version))
    with patch.object(application.models, "forget_examples", die):
        await application.eraser.erase("acme", "ana", by="key:admin")


async def judge(application: Application) -> None:
    """Be killed while the gate acts upon a candidate that is better."""
    examples = [
        Example(id=f"e-{n}", task="intent", text=f"please block number {n} for me", label="block", at=utc_now())
        for n in range(300)
    ]
    await add_examples(application.database, "acme", examples, held_back=lambda one: held_back(one.text, 10))
    await application.models.labels("acme", "intent")
    run = await create_run(application.database, "acme", task="intent")
    with patch("rejoinder.learning.promotion.add_model_decision", die):
        await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-1")


async def main(folder: str, what: str) -> None:
    """Do what the arguments say."""
    async with opened(Path(folder), plugins(), **SETTINGS) as application:
        await {"erase": erase, "judge": judge}[what](application)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
