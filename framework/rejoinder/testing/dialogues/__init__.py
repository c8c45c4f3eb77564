"""Dialogues as tests: what people say, and what the bot should say and do, over the real application.

    from rejoinder.testing.dialogues import read_script, running_bot, run_script

    async def test_dialogues():
        script = read_script(Path("dialogues.yml"))
        async with running_bot(script) as bot:
            results = await run_script(script, bot)
        assert all(one.passed for one in results), told(results)

`rejoinder test dialogues.yml` does the same. The file is described in `docs/guide/flows.md`.
"""

from __future__ import annotations

from rejoinder.testing.dialogues.bots import Bot, bot_at, bot_inside, running_bot
from rejoinder.testing.dialogues.report import as_json, as_junit, told
from rejoinder.testing.dialogues.runner import DialogueResult, TurnResult, run_script
from rejoinder.testing.dialogues.script import Dialogue, Script, Turn, read_script

__all__ = [
    "Bot",
    "Dialogue",
    "DialogueResult",
    "Script",
    "Turn",
    "TurnResult",
    "as_json",
    "as_junit",
    "bot_at",
    "bot_inside",
    "read_script",
    "run_script",
    "running_bot",
    "told",
]
