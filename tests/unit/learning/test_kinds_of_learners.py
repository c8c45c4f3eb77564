"""Where vectors are all there is, learners that read something else are refused or left alone, clearly."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import ModelError
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.models.learner import need_vectors, reads_of
from rejoinder.models.tasks.sentence_pair import SentencePairScorer
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.models.tasks.token_classification import TokenClassifier
from rejoinder.payloads import AdaptationRequest, EvaluationRequest, Example, Task
from rejoinder.store.examples import add_examples
from rejoinder.testing import HashModels
from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin


def test_a_learner_says_what_it_reads() -> None:
    assert reads_of(TextClassifier()) == "vectors"
    assert reads_of(SentencePairScorer()) == "pairs"
    assert reads_of(TokenClassifier()) == "tokens"
    assert reads_of(object()) == "vectors"
    with pytest.raises(ModelError, match="reads is 'pictures', expected one of vectors, pairs, tokens"):
        reads_of(SimpleNamespace(reads="pictures"))


@pytest.mark.parametrize("learner", [TokenClassifier(), SentencePairScorer()])
def test_what_needs_vectors_says_so(learner: Any) -> None:
    need_vectors(TextClassifier(), "this")
    with pytest.raises(ModelError, match="this works with learners that read vectors"):
        need_vectors(learner, "this")
    with pytest.raises(ModelError, match="learning at once works with learners that read vectors"):
        InstantLearner(learner, CorrectionMemory(encoder_hash="h", dim=4))


async def test_a_task_that_reads_tokens_does_not_stop_a_tenant_from_loading(tmp_path: Path) -> None:
    async with opened(tmp_path, {"taught": TaughtPlugin(learner=TokenClassifier)}, tenants=("acme",)) as application:
        request = await application.models.request_for("acme", ANA)
        assert await request.models.predict("intent", "where is my card") is None

        taught = Example(id="one", task="intent", text="where is my card", label="card", polarity="correction")
        await add_examples(application.database, "acme", [taught])
        await application.models.learn("acme", [taught])
        match = await (await application.models.request_for("acme", ANA)).models.recall("intent", "where is my card")
        assert match is not None
        assert match.label == "card"


def plugin_for(learner: Any) -> LearnerAdaptationPlugin:
    plugin = LearnerAdaptationPlugin()
    plugin.start(SimpleNamespace(data_dir="", tasks={"same": Task(name="same", learner=learner)}))  # type: ignore[arg-type]
    return plugin


class Context:
    """The part of a context that the plugin uses."""

    settings = None

    def __init__(self) -> None:
        self.models = HashModels()

    def report_progress(self, share: float, *, checkpoint: str | None = None) -> None:
        """Nobody listens."""


def pairs() -> tuple[Example, ...]:
    words = ["card", "rate", "hours", "fee", "transfer", "password"]
    found = []
    for number, word in enumerate(words):
        for label, other in (("yes", word), ("no", words[number - 1])):
            text = f"tell me about the {word}"
            found.append(
                Example(id=f"{word}-{label}", task="same", text=text, other=f"what of the {other}", label=label)
            )
    return tuple(found)


async def test_a_learner_of_pairs_is_adapted_and_evaluated(tmp_path: Path) -> None:
    plugin, context = plugin_for(SentencePairScorer), Context()
    asked = AdaptationRequest(run_id="r", task="same", examples=pairs(), folder=str(tmp_path), seed=0)
    made = await plugin.adapt_model(asked, context)  # type: ignore[arg-type]
    assert made is not None
    scored = await plugin.evaluate_model(
        EvaluationRequest(task="same", folder=made.folder, examples=pairs()),
        context,  # type: ignore[arg-type]
    )

    assert scored is not None
    assert set(scored.correct) == {one.id for one in pairs()}
    assert np.mean(list(scored.correct.values())) == pytest.approx(scored.metrics["accuracy"])


async def test_a_learner_of_tokens_is_refused_by_an_encoder_without_them(tmp_path: Path) -> None:
    asked = AdaptationRequest(run_id="r", task="same", examples=pairs(), folder=str(tmp_path), seed=0)
    with pytest.raises(ModelError, match="vectors of texts only"):
        await plugin_for(TokenClassifier).adapt_model(asked, Context())  # type: ignore[arg-type]
