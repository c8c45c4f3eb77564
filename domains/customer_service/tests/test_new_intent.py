"""What customers ask in vain becomes an intent with an answer of the tenant's own, without a restart."""

from __future__ import annotations

import importlib
from pathlib import Path

from rejoinder.learning.clusters import accept_cluster, find_clusters
from rejoinder.payloads import Caller

from tests.support.application import ADMIN, ANA, BEN, opened

NAMES = ("intent", "dialogue", "explicit_feedback", "corrections")
ASKED = (
    "my lost luggage claim",
    "lost luggage claim where",
    "claim for lost luggage",
    "how do I claim lost luggage",
    "lost luggage claim form",
)


async def test_an_accepted_cluster_is_answered_at_once(tmp_path: Path) -> None:
    plugins = {name: importlib.import_module(f"rejoinder_plugins.{name}").plugin for name in NAMES}
    plugins["customer_service"] = importlib.import_module("rejoinder_customer_service").plugin
    async with opened(tmp_path, plugins, learning={"adapt_after": 0}) as application:
        await application.tenants.set_setting("acme", "customer_service.examples_per_intent", 1)

        async def ask(text: str, caller: Caller = ANA) -> str:
            conversation = await application.conversations.create("acme", caller)
            turn = await application.conversations.turn("acme", conversation, caller, text)
            return " ".join(turn.reply.parts)

        for text in ASKED:
            await ask(text)
        (found,) = await find_clusters(application, "acme")
        assert found.size == len(ASKED)
        await accept_cluster(
            application, "acme", ADMIN, found.id, label="lost_luggage", answer="Please call {company}'s desk."
        )
        assert await ask("a claim for lost luggage", BEN) == "Please call our company's desk."
