"""The plugin's hooks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from rejoinder.context import Context, Models
from rejoinder.errors import ModelNotReadyError
from rejoinder.hooks import hookimpl
from rejoinder.learning.propensity import PROPENSITY, propensity_of_shown
from rejoinder.payloads import Answer, Citation, Decision, Example, Feedback, Polarity, Query, Reward, Task, Utterance

from rejoinder_plugins.graph_answers.settings import GraphAnswersSettings

if TYPE_CHECKING:
    from rejoinder.graph.answering.answers import GraphAnswer
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.tenant_graph import TenantGraph
    from rejoinder.models.learner import FloatArray, Learner, Prediction

_P = ParamSpec("_P")
_T = TypeVar("_T")

TASK: Final = "graph_path"
SOURCE: Final = "graph"

_GOOD: Final = 0.75
_BAD: Final = 0.25
_LEAST_SPOKEN_OF: Final = 0.6
"""Score of a link from which on an earlier line is taken to have spoken of an entity."""

_POINTS_BACK: Final = re.compile(
    r"\b(?:it|its|he|him|his|she|her|hers|they|them|their|theirs|this|that|these|those|there|one|ones)\b", re.IGNORECASE
)


def _path_ranker() -> Learner:
    from rejoinder.graph.answering.ranker import PathRanker  # heavy, and needed only where a model is loaded

    return PathRanker()


class GraphAnswersPlugin:
    """Answers questions by relation paths in the tenant's graph, and learns which path a question asks for."""

    rejoinder_spec = ">=1.0,<2"
    settings = GraphAnswersSettings

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        """Bring the task "graph_path"."""
        return [
            Task(
                name=TASK,
                learner=_path_ranker,
                description="Which relations of the graph lead from a question's topic to its answer.",
            )
        ]

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Give the graph's answer, if it has one of which it is sure enough."""
        text, graph = (query.text or "").strip(), context.graph
        if query.kind != "reply" or not text or graph is None:
            return []
        from rejoinder.graph.answering.ask import Limits, ask

        settings: GraphAnswersSettings = context.settings
        limits = Limits(
            threshold=settings.threshold,
            max_hops=settings.max_hops,
            most_named=settings.max_named,
            most_walks=settings.max_citations,
            languages=settings.languages,
        )
        means = _Means(graph, context.models)
        spoken_of = await _spoken_of(text, query.history, means, settings)
        try:
            found = await ask(text, means, context=spoken_of, limits=limits)
        except ModelNotReadyError:
            return []
        return [] if found is None else [_answer(found, settings)]

    @hookimpl()
    async def score_feedback(self, feedback: Feedback, decision: Decision, context: Context) -> list[Reward]:
        """Give a reward for the path of an answer from the graph, and for any answer that a person corrected."""
        settings: GraphAnswersSettings = context.settings
        weight = settings.weight_of(feedback.role)
        if decision.kind != "turn" or feedback.about not in ("whole", "answer") or context.graph is None:
            return []
        match feedback.kind:
            case "corrected_answer" if isinstance(feedback.value, str):
                right = feedback.value.strip()
                was_right = decision.answer is not None and right == decision.answer.strip()
                reason = "answer confirmed" if was_right else "answer corrected"
                return [_reward(1.0 if was_right else 0.0, weight, reason, correction=right)]
            case "thumbs" if _chosen(decision) is not None and feedback.value in (1, -1):
                said = "thumbs up" if feedback.value == 1 else "thumbs down"
                return [_reward(float(feedback.value == 1), weight * settings.judgement_weight, said)]
            case "rating" if (
                _chosen(decision) is not None and isinstance(feedback.value, int) and 1 <= feedback.value <= 5
            ):
                return [
                    _reward(
                        (feedback.value - 1) / 4, weight * settings.judgement_weight, f"rated {feedback.value} of 5"
                    )
                ]
            case _:
                return []

    @hookimpl()
    async def make_examples(
        self, reward: Reward, feedback: Feedback, decision: Decision, context: Context
    ) -> list[Example]:
        """Give the example for the path ranker: the path that was followed, or the one that leads to the right answer.

        Where chance chose the answer (exploration), its target says how likely that was.
        """
        graph = context.graph
        if reward.task != TASK or graph is None or reward.weight <= 0 or not decision.input.strip():
            return []
        if reward.correction is not None and reward.value < _GOOD:
            taught = await _corrected(str(reward.correction), decision, graph, context)
            likely = 1.0
            polarity: Polarity = "correction"
            weight = reward.weight
        else:
            if _BAD < reward.value < _GOOD:
                return []
            taught = await _followed(decision, graph)
            likely = propensity_of_shown(decision, decision.chosen[0]) if decision.chosen else 1.0
            polarity = "positive" if reward.value >= _GOOD else "negative"
            weight = reward.weight * abs(2.0 * reward.value - 1.0)
        if taught is None:
            return []
        text, path = taught
        made = hashlib.sha256(f"{context.tenant}|{feedback.id}|{TASK}".encode()).hexdigest()[:40]
        return [
            Example(
                id=f"ex_{made}",
                task=TASK,
                text=text,
                label=path,
                target={PROPENSITY: likely} if 0.0 < likely < 1.0 else None,
                polarity=polarity,
                weight=weight,
                source=f"feedback:{feedback.kind}",
                decision_id=decision.id,
                user_id=feedback.user_id,
                at=feedback.at,
            )
        ]


class _Means:
    """What a request has to answer with, as `rejoinder.graph.answering.ask` wants it."""

    def __init__(self, graph: TenantGraph, models: Models) -> None:
        self._graph, self._models = graph, models
        self.schema: GraphSchema = graph.schema

    async def ask(self, function: Callable[Concatenate[Graph, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._graph.ask(function, *args, **kwargs)

    async def rank(self, text: str) -> Prediction | None:
        return await self._models.predict(TASK, text)

    async def encode(self, text: str) -> FloatArray:
        return await self._models.encode(text)


async def _spoken_of(
    text: str, history: tuple[Utterance, ...], means: _Means, settings: GraphAnswersSettings
) -> tuple[str, ...]:
    """Return ids of what the last lines spoke of, the latest line first; nothing where the text points to nothing."""
    if not settings.history or not _POINTS_BACK.search(text):
        return ()
    found: dict[str, None] = {}
    lines = [line.text for line in reversed(history[-settings.history :]) if line.text.strip() and line.text != text]
    for line in lines:
        for link in await means.ask(_links, line):
            found.setdefault(link)
    return tuple(found)


def _links(graph: Graph, line: str) -> tuple[str, ...]:
    from rejoinder.graph.answering.questions import MAX_CHARS

    if len(line) > MAX_CHARS:
        return ()
    return tuple(link.entity.id for link in graph.link(line, limit=3) if link.score >= _LEAST_SPOKEN_OF)


def _answer(found: GraphAnswer, settings: GraphAnswersSettings) -> Answer:
    from rejoinder.graph.answering.answers import walk_in_words
    from rejoinder.graph.answering.paths import path_text

    path = found.candidate.path
    return Answer(
        id=f"{SOURCE}:{path_text(path)}:{found.candidate.reading.topic.id}",
        text=found.text,
        score=min(1.0, max(0.0, found.confidence)) * settings.max_score,
        source=SOURCE,
        citations=tuple(
            Citation(source=", ".join(walk.sources) or SOURCE, title=walk_in_words(path, walk)) for walk in found.walks
        ),
    )


def _chosen(decision: Decision) -> tuple[str, str] | None:
    """Return the path and the topic's id of the answer that was given, if it was the graph's."""
    for chosen in decision.chosen[:1]:
        source, _, rest = chosen.partition(":")
        path, colon, topic = rest.partition(":")
        if source == SOURCE and path and colon:
            return path, topic
    return None


async def _followed(decision: Decision, graph: TenantGraph) -> tuple[str, str] | None:
    from rejoinder.graph.answering.correction import question_about

    chosen = _chosen(decision)
    if chosen is None:
        return None
    path, topic = chosen
    text = await graph.ask(question_about, decision.input, topic)
    return None if text is None else (text, path)


async def _corrected(right: str, decision: Decision, graph: TenantGraph, context: Context) -> tuple[str, str] | None:
    """Return the question and the path that leads to what is right; of several that fit, what the ranker holds likeliest."""
    from rejoinder.graph.answering.correction import explanations_of

    settings: GraphAnswersSettings = context.settings
    found = await graph.ask(explanations_of, decision.input, right, max_hops=settings.max_hops)
    if not found:
        return None
    best = [one for one in found if one.fit >= found[0].fit - 0.05]
    shares: dict[tuple[str, str], float] = {}
    for text in dict.fromkeys(one.text for one in best):
        said = await context.models.predict(TASK, text)
        shares |= {(text, path): share for path, share in (said.ranking if said else ())}
    chosen = max(best, key=lambda one: (shares.get((one.text, one.path), 0.0), one.fit, -one.path.count("/")))
    return chosen.text, chosen.path


def _reward(value: float, weight: float, reason: str, *, correction: Any = None) -> Reward:
    return Reward(
        task=TASK, value=value, weight=weight, reason=f"{reason}: path", about="answer", correction=correction
    )
