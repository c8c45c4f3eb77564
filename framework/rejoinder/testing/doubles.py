"""Deterministic stand-ins for what is slow, random or far away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.models.learner import reads_of
from rejoinder.payloads import (
    Action,
    Answer,
    ConversationState,
    Example,
    Message,
    Query,
    Reading,
    Reply,
    Understanding,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.errors import EncoderBusyError
    from rejoinder.learning.experience import Outcomes
    from rejoinder.learning.memory import Match
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.learner import Learner, Prediction

_WORD = re.compile(r"\w+")


class HashEncoder:
    """A sentence encoder that needs no model: each word, and each three letters of it, is hashed to a place and a sign.

    Texts that share words get near vectors, and the same text gets the same vector in every process. It is to be used where
    a `rejoinder.models.encoding.encoder.Encoder` is.

    Args:
        dim: length of a vector, >= 1.

    Source: Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning (arXiv:0902.2206).
    """

    def __init__(self, dim: int = 64) -> None:
        self.dim = dim
        self.name = f"hash-{dim}"
        self.hash = hashlib.sha256(self.name.encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n_texts, dim) float32; rows L2-normalised, zeros for a text without a word."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for feature, weight in _features(text):
                digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
                row[(digest >> 1) % self.dim] += weight if digest & 1 else -weight
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, norms, out=vectors, where=norms > 0.0)
        return vectors


def _features(text: str) -> list[tuple[str, float]]:
    features = []
    for word in _WORD.findall(text.lower()):
        features.append((word, 1.0))
        padded = f"<{word}>"
        features.extend((padded[start : start + 3], 0.3) for start in range(len(padded) - 2))
    return features


class EchoPlugin:
    """A plugin for a whole turn that answers a message with itself; it stands last, so that any other wins.

    Example:
        >>> import asyncio
        >>> from rejoinder.testing import HostUnderTest
        >>> host = HostUnderTest.of(EchoPlugin())
        >>> host.run(host.retrieve_answers(Query(text="hello"), host.request()))[0].text
        'hello'
        >>> host.finish()
    """

    @hookimpl(trylast=True)
    async def understand_intent(self, message: Message) -> Understanding | None:
        """Read every message that says something as the intent "echo"."""
        if not message.text.strip():
            return None
        return Understanding(readings=(Reading(intent="echo", confidence=0.5, source="echo"),), in_scope=0.5)

    @hookimpl(trylast=True)
    async def decide_action(self, message: Message, state: ConversationState) -> Action:
        """Answer."""
        return Action(kind="answer", state=state, query=Query(text=message.text), reason="echo")

    @hookimpl(trylast=True)
    async def retrieve_answers(self, query: Query) -> tuple[Answer, ...]:
        """Offer the text itself."""
        return (Answer(id="echo", score=0.5, source="echo", text=query.text, intent="echo"),) if query.text else ()

    @hookimpl(trylast=True)
    async def compose_reply(self, action: Action, answers: tuple[Answer, ...]) -> Reply | None:
        """Say the best answer, or what the action says."""
        text = next((answer.text for answer in answers if answer.text), action.text)
        return Reply(parts=(text,)) if text else None


class FixedClock:
    """A clock that stands still until it is told to go on; to be used as a `rejoinder.context.Clock`.

    Example:
        >>> clock = FixedClock()
        >>> clock.advance(90)
        >>> clock().isoformat()
        '2026-01-01T12:01:30+00:00'
    """

    def __init__(self, now: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Go on by some seconds."""
        self.now += timedelta(seconds=seconds)


class HashModels:
    """A tenant's models without a model: vectors of a `HashEncoder`, and the predictions that a test lays down.

    Args:
        predictions: what `predict` says, by task and text; None for all others.
    """

    def __init__(
        self, encoder: HashEncoder | None = None, predictions: Mapping[tuple[str, str], Prediction] | None = None
    ) -> None:
        self.encoder = encoder or HashEncoder()
        self.predictions = dict(predictions or {})
        self.versions: Mapping[str, str] = {}
        self.busy: EncoderBusyError | None = None

    def prefetch(self, text: str) -> None:
        """Do nothing: encoding costs nothing here."""

    async def encode(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text: (dim,) float32."""
        vector: NDArray[np.float32] = self.encoder.encode([text])[0]
        return vector

    async def predict(self, task: str, text: str, other: str | None = None) -> Prediction | None:
        """Return what the test laid down for the task and the (first) text."""
        return self.predictions.get((task, text))

    async def predict_many(self, task: str, texts: Sequence[str]) -> list[Prediction] | None:
        """Return what the test laid down for the task and each text; None where it laid down nothing for one of them."""
        found = [self.predictions.get((task, text)) for text in texts]
        return [one for one in found if one is not None] if None not in found else None

    def learner(self, task: str) -> Learner | None:
        """Return None: there is no model."""
        return None

    async def recall(self, task: str, text: str) -> Match | None:
        """Return None: nothing was corrected."""
        return None

    async def outcomes(self, text: str, candidates: Collection[str]) -> Mapping[str, Outcomes]:
        """Return nothing: nobody said anything."""
        return {}

    async def read(self, learner: Learner, examples: Sequence[Example], *, adapter: Adapter | None = None) -> Any:
        """Return what a learner reads: vectors, or pairs of them.

        Raises:
            ModelError: it reads states of tokens, or there is an adapter: a `HashEncoder` has neither.
        """
        kind = reads_of(learner)
        if kind == "tokens" or adapter is not None:
            raise ModelError("a HashEncoder gives vectors of texts only: use a real encoder, or write the inputs down")
        texts = [example.text for example in examples]
        if kind == "vectors":
            return self.encoder.encode(texts)
        both = self.encoder.encode([*texts, *(example.other or "" for example in examples)])
        return both.reshape(2, len(texts), -1).swapaxes(0, 1)

    async def base_encoder(self) -> HashEncoder:
        """Return the encoder."""
        return self.encoder
