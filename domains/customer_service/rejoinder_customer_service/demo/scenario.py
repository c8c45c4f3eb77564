"""What happens in the demo, and what is measured of it."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rejoinder_customer_service.demo.bank import Answered, Bank
from rejoinder_customer_service.demo.server import DemoError, RunningServer, running_server
from rejoinder_customer_service.warm import INDEX_READY

DATA = Path(__file__).resolve().parents[1] / "data" / "banking77"
EXAMPLES_PER_INTENT = 5
PARAPHRASE_COSINE = 0.8
ALWAYS_ANSWERS = {"clarify_margin": 0.0, "min_in_scope": 0.0, "min_score": 0.0}
"""Dialogue settings of the bank that is measured: it always gives its best answer, so that each is right or wrong."""
ASKS_BACK = {"clarify_margin": 0.15}
"""Those of the other bank: it asks back when in doubt, and says when it does not know."""
_WARM_UP_S = 120.0
_WINDOW = 50
_PROBE = 300


class Question(NamedTuple):
    """A real question, and what it is about."""

    text: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What the demo measured; shares are in [0, 1].

    Attributes:
        accuracy_before, accuracy_after: share of the test questions that got their intent's answer.
        repeat_after_correction: share of the corrected questions that got the right answer when asked again at once.
        repeat_at_end: the same, asked once more after the last correction.
        paraphrase_after_correction: of test questions wrong before whose cosine with a corrected question of the same label is at
            least 0.8 (base encoder), the share then right; None when there are none.
        unrelated_changed: of test questions right before, the share then wrong.
        other_tenant_changed: share of the other bank's answers that changed.
        curve: test accuracy by number of corrections, on the first 300 test questions.
        stream: accuracy of the answers given between, in windows of 50 questions.
    """

    accuracy_before: float
    accuracy_after: float
    gain: float
    repeat_after_correction: float
    repeat_at_end: float
    paraphrase_after_correction: float | None
    paraphrases: int
    unrelated_changed: float
    other_tenant_changed: float
    corrections: int
    asked_between: int
    test_questions: int
    curve: tuple[tuple[int, float], ...]
    stream: tuple[tuple[int, float], ...]
    seconds: float
    seed: int
    data_sha256: str
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can say, field by field."""
        return asdict(self)


def run_demo(*, corrections: int, questions: int, seed: int, tell: Callable[[str], None]) -> DemoReport:
    """Start a server, run the scenario, stop the server.

    Args:
        corrections: how many wrong answers are corrected.
        questions: how many of the 900 test questions are asked.
        seed: decides which examples the bot starts from.
        tell: shows a line of what happens.
    Raises:
        DemoError: the server or a request failed, or the questions ran out before there were enough wrong answers.
    """
    started = time.perf_counter()
    stream, test = _questions("demo_stream"), _questions("demo_test")[:questions]
    with running_server() as server:
        tell(f"A server answers on {server.url}; two banks share it.")
        return asyncio.run(_Scenario(stream, test, corrections, seed, tell, started).run(server))


class _Scenario:
    def __init__(
        self,
        stream: list[Question],
        test: list[Question],
        corrections: int,
        seed: int,
        tell: Callable[[str], None],
        started: float,
    ) -> None:
        self.stream = stream
        self.test = test
        self.wanted = corrections
        self.seed = seed
        self.tell = tell
        self.started = started
        self.corrected: list[Question] = []
        self.repeated_right = 0
        self.curve: list[tuple[int, float]] = []
        self.given: list[bool] = []

    async def run(self, server: RunningServer) -> DemoReport:
        """Ask before, correct, ask after."""
        mine = await Bank.open(server, "harbour-bank", "Harbour Bank", self._settings("Harbour Bank", ALWAYS_ANSWERS))
        other = await Bank.open(server, "river-bank", "River Bank", self._settings("River Bank", ASKS_BACK))
        try:
            await self._warm_up(server, mine, other)
            with _progress() as progress:
                return await self._measure(mine, other, progress)
        finally:
            await mine.close()
            await other.close()

    def _settings(self, company: str, dialogue: dict[str, float]) -> dict[str, dict[str, Any]]:
        return {
            "customer_service": {
                "catalogue": "banking77",
                "company": company,
                "examples_per_intent": EXAMPLES_PER_INTENT,
                "seed": self.seed,
            },
            "dialogue": dialogue,
        }

    async def _warm_up(self, server: RunningServer, *banks: Bank) -> None:
        """Wait until what the server builds beside its first answers is built: what changes then would blur the measurement."""
        deadline = time.monotonic() + _WARM_UP_S
        for question in itertools.cycle(self.test):
            for bank in banks:
                await bank.ask(question.text)
            if INDEX_READY in await asyncio.to_thread(server.log.read_text, "utf-8", "replace"):
                return
            if time.monotonic() > deadline:
                raise DemoError(f"the server did not build its index within {_WARM_UP_S:.0f} s")
            await asyncio.sleep(0.2)

    async def _measure(self, mine: Bank, other: Bank, progress: Progress) -> DemoReport:
        others = [question.text for question in self.test]
        before = await self._ask_test(mine, progress, "before")
        other_before = await _ask(other, others, progress, "the other bank, before")
        await self._correct(mine, progress)
        again = await _ask(mine, [question.text for question in self.corrected], progress, "the corrected, at the end")
        after = await self._ask_test(mine, progress, "after")
        other_after = await _ask(other, others, progress, "the other bank, after")
        right_before = self._right(before)
        right_after = self._right(after)
        paraphrases = self._paraphrases(right_before)
        was_right = [index for index, right in enumerate(right_before) if right]
        return DemoReport(
            accuracy_before=_share(right_before),
            accuracy_after=_share(right_after),
            gain=_share(right_after) - _share(right_before),
            repeat_after_correction=self.repeated_right / len(self.corrected),
            repeat_at_end=_share([a.label == b.label for a, b in zip(again, self.corrected, strict=True)]),
            paraphrase_after_correction=_share([right_after[i] for i in paraphrases]) if paraphrases else None,
            paraphrases=len(paraphrases),
            unrelated_changed=_share([not right_after[index] for index in was_right]),
            other_tenant_changed=_share([a.text != b.text for a, b in zip(other_before, other_after, strict=True)]),
            corrections=len(self.corrected),
            asked_between=len(self.given),
            test_questions=len(self.test),
            curve=(
                (0, _share(right_before[:_PROBE])),
                *self.curve,
                (len(self.corrected), _share(right_after[:_PROBE])),
            ),
            stream=tuple(
                (start + len(part), _share(part))
                for start in range(0, len(self.given), _WINDOW)
                if (part := self.given[start : start + _WINDOW])
            ),
            seconds=time.perf_counter() - self.started,
            seed=self.seed,
            data_sha256=_fingerprint(),
            versions={name: version(name) for name in ("rejoinder", "rejoinder-customer-service", "torch", "numpy")},
        )

    async def _ask_test(self, bank: Bank, progress: Progress, when: str) -> list[Answered]:
        return await _ask(
            bank, [question.text for question in self.test], progress, f"{len(self.test)} real questions {when}"
        )

    def _right(self, answers: list[Answered]) -> list[bool]:
        return [answer.label == question.label for answer, question in zip(answers, self.test, strict=True)]

    async def _correct(self, bank: Bank, progress: Progress) -> None:
        """Ask what customers ask; correct wrong answers at once, and ask again."""
        row = progress.add_task("corrections", total=self.wanted)
        for question in self.stream:
            answered = await bank.ask(question.text)
            right = answered.label == question.label
            self.given.append(right)
            if right:
                continue
            await bank.correct(answered, question.label)
            again = await bank.ask(question.text)
            self.repeated_right += again.label == question.label
            self.corrected.append(question)
            progress.advance(row)
            if len(self.corrected) == 1:
                self._tell_first(question, answered, again)
            if len(self.corrected) == self.wanted:
                return
            if len(self.corrected) % _WINDOW == 0:
                probe = self.test[:_PROBE]
                answers = await bank.ask_all([one.text for one in probe], lambda: None)
                right_now = [answer.label == one.label for answer, one in zip(answers, probe, strict=True)]
                self.curve.append((len(self.corrected), _share(right_now)))
        raise DemoError(
            f"only {len(self.corrected)} of {len(self.stream)} questions were answered wrongly, not {self.wanted}"
        )

    def _tell_first(self, question: Question, answered: Answered, again: Answered) -> None:
        self.tell(f'A customer asks: "{question.text}"')
        self.tell(f"  the bot:    {answered.text[:150]}")
        self.tell(f"  the customer corrects: this is about {question.label}")
        self.tell(f"  asked again: {again.text[:150]}")

    def _paraphrases(self, right_before: list[bool]) -> list[int]:
        """Return the test questions that were wrong and are close to a corrected question of the same label."""
        from rejoinder.models.encoding.encoder import load_encoder

        encoder = load_encoder()
        taught = encoder.encode([question.text for question in self.corrected])
        asked = encoder.encode([question.text for question in self.test])
        cosines = asked @ taught.T
        return [
            index
            for index, question in enumerate(self.test)
            if not right_before[index]
            and any(
                cosines[index, place] >= PARAPHRASE_COSINE and one.label == question.label
                for place, one in enumerate(self.corrected)
            )
        ]


async def _ask(bank: Bank, texts: list[str], progress: Progress, what: str) -> list[Answered]:
    row = progress.add_task(what, total=len(texts))
    return await bank.ask_all(texts, lambda: progress.advance(row))


def _progress() -> Progress:
    from rich.console import Console

    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _share(values: list[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def _questions(name: str) -> list[Question]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [Question(row["text"], row["label"]) for row in csv.DictReader(file)]


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in ("train", "demo_stream", "demo_test"):
        digest.update((DATA / f"{name}.csv").read_bytes())
    return digest.hexdigest()
