"""All general plugins together: the contract of every hook, settings with help, and a place in one host."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from rejoinder.fields import keys_of
from rejoinder.hooks import hookimpl
from rejoinder.testing import check_plugin
from rejoinder_plugins import (
    corrections,
    dialogue,
    documents,
    explicit_feedback,
    exploration,
    flows,
    graph_answers,
    hand_off_rules,
    hand_off_webhook,
    implicit_feedback,
    intent,
    languages,
    redaction,
    slots,
    small_talk,
)

PLUGINS: dict[str, Any] = {
    "corrections": corrections.plugin,
    "dialogue": dialogue.plugin,
    "documents": documents.plugin,
    "explicit_feedback": explicit_feedback.plugin,
    "flows": flows.plugin,
    "graph_answers": graph_answers.plugin,
    "exploration": exploration.plugin,
    "hand_off_rules": hand_off_rules.plugin,
    "hand_off_webhook": hand_off_webhook.plugin,
    "implicit_feedback": implicit_feedback.plugin,
    "intent": intent.plugin,
    "languages": languages.plugin,
    "redaction": redaction.plugin,
    "slots": slots.plugin,
    "small_talk": small_talk.plugin,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLUGINS)
def test_contract(name: str) -> None:
    check_plugin(PLUGINS[name], name=name)


@pytest.mark.parametrize("name", PLUGINS)
def test_settings_have_defaults_and_help_and_refuse_unknown_keys(name: str) -> None:
    model: type[BaseModel] = PLUGINS[name].settings
    made = model()
    assert model.model_config.get("extra") == "forbid"
    for path, info in keys_of(model):
        assert info.description, ".".join(path)
        assert info.description.endswith("."), ".".join(path)
    with pytest.raises(ValueError, match="no_such_setting"):
        model.model_validate({"no_such_setting": 1})
    assert model.model_validate(made.model_dump()) == made
    assert not any(isinstance(value, SecretStr) for value in made.model_dump().values())


def test_they_fit_into_one_host_and_the_dialogue_stands_last(bench: Any) -> None:
    class Other:
        @hookimpl()
        def compose_reply(self) -> None:
            return None

    one = bench(**PLUGINS, zebra=Other())
    assert [found.plugin for found in one.host.plugins.in_order("compose_reply")] == ["zebra", "dialogue"]
    assert [found.plugin for found in one.host.plugins.in_order("rank_answers")] == [
        "documents",
        "dialogue",
        "exploration",
    ]
