"""A learner that is quick and counts its fits, and the plugins that teach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from rejoinder.errors import ModelNotReadyError
from rejoinder.hooks import hookimpl
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.learner import Prediction
from rejoinder.payloads import Answer, Citation, Example, Message, Query, Reading, Task, Understanding

Floats = NDArray[np.float32]


class NearestLearner:
    """Says the label of the nearest known example. `fits` and `updates` hold the texts of every call, of all instances."""

    fits: ClassVar[list[list[str]]] = []
    updates: ClassVar[list[list[str]]] = []

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.labels: list[str] = []
        self.vectors: Floats = np.zeros((0, 0), dtype=np.float32)

    @classmethod
    def forget_calls(cls) -> None:
        """Begin to count anew."""
        cls.fits.clear()
        cls.updates.clear()

    def fit(self, examples: Sequence[Example], vectors: Floats, *, seed: int) -> Mapping[str, float]:
        self.fits.append([example.text for example in examples])
        self.texts = [example.text for example in examples]
        self.labels = [example.label or "" for example in examples]
        self.vectors = np.array(vectors, dtype=np.float32)
        return {"examples": float(len(examples)), "seed": float(seed)}

    def update(self, examples: Sequence[Example], vectors: Floats) -> None:
        self.updates.append([example.text for example in examples])
        taught = [i for i, example in enumerate(examples) if example.polarity != "negative"]
        if not taught:
            return
        self.texts += [examples[i].text for i in taught]
        self.labels += [examples[i].label or "" for i in taught]
        rows = np.asarray(vectors)[taught]
        self.vectors = rows if not len(self.vectors) else np.concatenate([self.vectors, rows])

    def predict_batch(self, texts: Sequence[str], vectors: Floats) -> list[Prediction]:
        if not self.labels:
            raise ModelNotReadyError("nothing was learned")
        found = []
        for row in np.asarray(vectors) @ self.vectors.T:
            # The last of several equally near examples counts: it was taught later.
            best = len(row) - 1 - int(np.argmax(row[::-1]))
            share = float(np.clip(row[best], 0.0, 1.0)) * 0.5
            found.append(
                Prediction(
                    label=self.labels[best],
                    confidence=share,
                    ranking=((self.labels[best], share),),
                    in_scope=1.0,
                    accepted=True,
                )
            )
        return found

    def evaluate(self, examples: Sequence[Example], vectors: Floats) -> Mapping[str, float]:
        said = self.predict_batch([example.text for example in examples], vectors)
        right = sum(one.label == example.label for one, example in zip(said, examples, strict=True))
        return {"accuracy": right / len(examples)}

    def save(self, folder: Path) -> None:
        save_artefact(
            folder,
            kind="nearest/1",
            arrays={"vectors": self.vectors},
            settings={"texts": self.texts, "labels": self.labels},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        arrays, settings = load_artefact(folder, kind="nearest/1")
        made = cls()
        made.vectors = arrays["vectors"]
        made.texts, made.labels = list(settings["texts"]), list(settings["labels"])
        return made

    def size(self) -> int:
        return int(self.vectors.nbytes)


SEEDS = {
    "where is my card": "card",
    "my card has not arrived": "card",
    "what is the exchange rate": "rate",
    "euro to dollar rate": "rate",
    "when do you open": "hours",
    "opening hours on sunday": "hours",
}


class TaughtPlugin:
    """Brings the task "intent" with its seed examples, reads intents with it, and answers with the intent's name."""

    def __init__(self, seeds: Mapping[str, str] | None = None, learner: Any = NearestLearner) -> None:
        self.seeds = dict(SEEDS if seeds is None else seeds)
        self.learner = learner
        self.enabled: list[str] = []
        self.disabled: list[str] = []

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        return [Task(name="intent", learner=self.learner)]

    @hookimpl()
    async def seed_examples(self) -> list[Example]:
        pairs = self.seeds.items()
        return [Example(id=f"seed-{i}", task="intent", text=t, label=label) for i, (t, label) in enumerate(pairs)]

    @hookimpl()
    async def tenant_enabled(self, context: Any) -> None:
        self.enabled.append(context.tenant)

    @hookimpl()
    async def tenant_disabled(self, context: Any) -> None:
        self.disabled.append(context.tenant)

    @hookimpl()
    async def understand_intent(self, message: Message, context: Any) -> Understanding | None:
        said = await context.models.predict("intent", message.text)
        if said is None:
            return None
        return Understanding(readings=(Reading(intent=said.label, confidence=said.confidence, source=said.source),))

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> list[Answer]:
        return [
            Answer(
                id=f"about-{one.intent}",
                score=one.confidence,
                source="taught",
                text=f"About your {one.intent}.",
                intent=one.intent,
                citations=(Citation(source="taught"),),
            )
            for one in query.intents[:1]
        ]
