"""Answers to questions about companies: every figure is counted from the store when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rejoinder.context import Context
from rejoinder.errors import GraphError
from rejoinder.payloads import Answer, Card, Citation
from rejoinder.store.trends import Document

from rejoinder_finance_sentiment.conversation import intents
from rejoinder_finance_sentiment.conversation.affected import around
from rejoinder_finance_sentiment.conversation.changes import drivers, more_of, terms
from rejoinder_finance_sentiment.conversation.chart import chart_card
from rejoinder_finance_sentiment.conversation.figures import Figures, cited, figures_of
from rejoinder_finance_sentiment.conversation.words import (
    change_in_words,
    documents_in_words,
    level_in_words,
    short,
    tally_in_words,
)
from rejoinder_finance_sentiment.reading.topics import TOPIC

if TYPE_CHECKING:
    from rejoinder.monitoring.tenant_monitoring import TenantMonitoring

    from rejoinder_finance_sentiment.conversation.memory import Request
    from rejoinder_finance_sentiment.conversation.naming import Directory
    from rejoinder_finance_sentiment.conversation.periods import Period
    from rejoinder_finance_sentiment.conversation.settings import ConversationSettings

__all__ = ["Question", "answer"]

_TERMS: Final = 6
_TOPICS: Final = 3
_MOST_LINKED: Final = 20
_FELL: Final = re.compile(
    r"\b(?:drop\w*|fall\w*|fell|declin\w*|dip\w*|slump\w*|negative|bad|worse\w*|down|plung\w*|tank\w*|sink|sank|slid\w*|upset|trouble|wrong)\b",
    re.IGNORECASE,
)
_ROSE: Final = re.compile(
    r"\b(?:ris\w*|rose|improv\w*|better|up|jump\w*|climb\w*|positive|recover\w*|gain\w*|good)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about companies that is ready to be answered.

    Attributes:
        request: with at least one company, and a period.
        as_of: documents that had arrived by then count.
    """

    request: Request
    period: Period
    as_of: datetime
    directory: Directory
    monitoring: TenantMonitoring
    context: Context

    @property
    def settings(self) -> ConversationSettings:
        """The tenant's."""
        found: ConversationSettings = self.context.settings.conversation
        return found

    async def figures(self, key: str, name: str | None = None) -> Figures:
        """Return the figures of a company."""
        return await figures_of(self.monitoring, key, name or self.directory.name(key), self.period, self.as_of)

    async def chart(self, keys: Sequence[str], title: str) -> Card:
        """Return the chart of companies, with the period before, so that a change is to be seen."""
        names = {key: self.directory.name(key) for key in keys}
        return await chart_card(self.monitoring, names, self.period.before_start, self.period.end, self.as_of, title)


async def answer(question: Question) -> Answer:
    """Return the answer.

    Raises:
        StoreUnavailableError: the store cannot be reached.
    """
    match question.request.intent:
        case intents.WHY:
            text, card, citations = await _why(question)
        case intents.COMPARE:
            text, card, citations = await _compared(question)
        case intents.AFFECTED:
            text, card, citations = await _affected(question)
        case _:
            text, card, citations = await _level(question)
    return Answer(
        id=f"finance_sentiment:{question.request.intent}:{','.join(question.request.keys)}",
        score=1.0,
        source="finance_sentiment",
        text=text,
        intent=question.request.intent,
        citations=citations,
        card=card,
    )


_Told = tuple[str, Card | None, tuple[Citation, ...]]


async def _level(question: Question) -> _Told:
    texts, documents = [], list[Document]()
    figures = [await question.figures(key) for key in question.request.keys]
    for one in figures:
        texts.append(level_in_words(one, question.period, question.monitoring.time_zone))
        telling = sorted(one.now.documents, key=lambda document: (-abs(document.score or 0.0), document.id))
        documents += telling[: question.settings.documents]
    card = await _with_figures(question, figures, f"Sentiment: {_named(figures)}")
    return "\n".join(texts), card, cited(documents)


async def _why(question: Question) -> _Told:
    key = question.request.keys[0]
    figures = await question.figures(key)
    zone = question.monitoring.time_zone
    said = [level_in_words(figures, question.period, zone)]
    if not figures.now.count:
        return said[0], await question.chart([key], f"Sentiment: {figures.name}"), ()
    if (denial := _denial(figures, question.request.text)) is not None:
        said.append(denial)
    rose = figures.change is not None and figures.change > 0
    drove = drivers(figures.now.documents, rose=rose, limit=question.settings.documents)
    side = "positive" if rose else "negative"
    if drove:
        quotes = "\n".join(f"- {one.score:+.2f} “{_clipped(one.text)}”" for one in drove)
        said.append(f"The most {side} documents of the period:\n{quotes}")
    else:
        said.append(f"No document of the period is {side}.")
    driving = drivers(figures.now.documents, rose=rose, limit=figures.now.count)
    words = terms(
        driving or figures.now.documents, figures.before.documents, without=_names(question, key), limit=_TERMS
    )
    if words:
        said.append(f"Words that they have more often than the documents before: {', '.join(words)}.")
    now = await question.monitoring.counts_in(TOPIC, figures.now.documents)
    before = await question.monitoring.counts_in(TOPIC, figures.before.documents)
    grown = more_of(now, figures.now.count, before, figures.before.count)[:_TOPICS]
    if grown:
        topics = ", ".join(
            f"{topic} ({documents_in_words(count)}, {earlier} before)" for topic, count, earlier in grown
        )
        said.append(f"Topics with a larger share than before: {topics}.")
    alerts = [
        one
        for one in await question.monitoring.alerts(key=key)
        if question.period.start <= one.at < question.period.end
    ]
    if alerts:
        said.append(f"Alerts in that time: {'; '.join(one.title for one in alerts)}.")
    card = await _with_figures(question, [figures], f"Sentiment: {figures.name}")
    return "\n".join(said), card, cited(drove)


async def _compared(question: Question) -> _Told:
    figures = [await question.figures(key) for key in question.request.keys]
    period = question.period.in_words(question.monitoring.time_zone)
    lines = [f"{period[0].upper()}{period[1:]}:", *(f"- {short(one)}" for one in figures)]
    known = sorted(
        ((one.now.sentiment, one) for one in figures if one.now.sentiment is not None), key=lambda pair: -pair[0]
    )
    if len(known) > 1:
        (high, best), (low, worst) = known[0], known[-1]
        if high - low < 0.005:
            lines.append("Their sentiment is the same.")
        else:
            lines.append(f"{best.name} is spoken of best, by {high - low:.2f} more than {worst.name}.")
    documents = list[Document]()
    for one in figures:
        telling = sorted(one.now.documents, key=lambda document: (-abs(document.score or 0.0), document.id))
        documents += telling[:1]
    return "\n".join(lines), await _with_figures(question, figures, f"Comparison: {_named(figures)}"), cited(documents)


async def _affected(question: Question) -> _Told:
    key = question.request.keys[0]
    name = question.directory.name(key)
    graph = question.context.graph
    if graph is None:
        return f"There is no knowledge graph here, so I do not know which companies are linked with {name}.", None, ()
    kinds = question.context.settings.company_kinds
    try:
        near, ways = await graph.ask(around, graph.schema, key, name, question.request.text, kinds)
    except GraphError as error:
        question.context.logger.warning("companies linked with %s were not looked up: %s", key, error)
        return (
            f"The knowledge graph cannot be asked now, so I do not know which companies are linked with {name}.",
            None,
            (),
        )
    if near is None:
        return (
            f"The knowledge graph does not know {name}, so I do not know which companies are linked with it.",
            None,
            (),
        )
    if not near.links:
        what = ways[0].word if ways else "companies linked with it"
        there = ", ".join(one.replace("_", " ") for one in near.relations)
        known = f" Of {name} it knows: {there}." if there else ""
        return f"The knowledge graph names no {what} of {name}.{known}", None, ()
    shown = near.links[:_MOST_LINKED]
    figures = [(one, await question.figures(question.directory.key_of(one.id, one.name), one.name)) for one in shown]
    figures.sort(key=lambda pair: (pair[1].now.sentiment is None, pair[1].now.sentiment or 0.0, pair[1].name))
    lines = [f"Linked with {name} in the knowledge graph, {question.period.in_words(question.monitoring.time_zone)}:"]
    for one, of in figures:
        change = "" if not of.now.count else f", {change_in_words(of)}"
        lines.append(f"- {one.name} ({one.says}): {tally_in_words(of.now)}{change}")
    if len(near.links) > len(shown):
        lines.append(f"and {len(near.links) - len(shown)} more.")
    worse = [of.name for _, of in figures if of.change is not None and of.change < -0.05]
    if worse:
        lines.append(f"Sentiment fell for: {', '.join(worse)}.")
    elif not any(of.now.count for _, of in figures):
        lines.append("No document of that time names any of them, so nothing says that they are affected.")
    else:
        lines.append("Sentiment on none of them fell.")
    documents = [one for _, of in figures for one in drivers(of.now.documents, rose=False, limit=1)]
    spoken = [of for _, of in figures if of.now.count or of.before.count][:5]
    card = await _with_figures(question, spoken, f"Linked with {name}") if spoken else None
    return "\n".join(lines), card, cited(documents[: question.settings.documents])


async def _with_figures(question: Question, figures: Sequence[Figures], title: str) -> Card:
    card = await question.chart([one.key for one in figures], title)
    data: dict[str, Any] = {
        **card.data,
        "period": question.period.to_json(),
        "figures": [one.to_json() for one in figures],
    }
    return replace(card, data=data)


def _denial(figures: Figures, text: str) -> str | None:
    """Return that a change that is asked about was none; None where it was one, or none is asked about."""
    fell, rose = _FELL.search(text) is not None, _ROSE.search(text) is not None
    change = figures.change
    if change is None or fell == rose:
        return None
    if fell and change >= 0:
        return "So it did not fall in that time."
    if rose and change <= 0:
        return "So it did not rise in that time."
    return None


def _names(question: Question, key: str) -> tuple[str, ...]:
    company = question.directory.companies.get(key)
    return (key,) if company is None else (key, company.name, *company.aliases, *company.tickers)


def _named(figures: Sequence[Figures]) -> str:
    return ", ".join(one.name for one in figures)


def _clipped(text: str, most: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rsplit(' ', 1)[0]} …"
