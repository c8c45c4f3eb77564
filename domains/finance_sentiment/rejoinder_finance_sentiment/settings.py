"""Settings of the domain."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rejoinder_finance_sentiment.conversation.settings import ConversationSettings
from rejoinder_finance_sentiment.surge.settings import SurgeSettings

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Relation = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class CompanySettings(BaseModel):
    """A company that texts may name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Words = Field(description="What it is called, as in `Acme Holdings Inc`; `Acme` is known then, too.")
    aliases: tuple[Words, ...] = Field(default=(), description="What else it is called.")
    tickers: tuple[Words, ...] = Field(default=(), description="Its tickers, as `ACME`.")
    owner: Key | None = Field(default=None, description="The company whose subsidiary it is.")


class TopicSettings(BaseModel):
    """A topic that texts may be about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[Words, ...] = Field(
        default=(),
        description="Words and phrases of which one makes a text be about it; `acquir*` stands for all that begin so.",
    )
    examples: tuple[Words, ...] = Field(default=(), description="Texts about it, which its model starts from.")


def _topic(words: str) -> TopicSettings:
    return TopicSettings(words=tuple(words.split(", ")))


TOPICS: Final = {
    "earnings": _topic(
        "earnings, net profit, net loss, operating profit, revenue, results, sales rose, sales fell, EBIT, EPS"
    ),
    "guidance": _topic("guidance, outlook, forecast*, profit warning, expects, estimate*"),
    "mergers": _topic("acquir*, acquisition*, merger*, merge, takeover, buyout, stake, joint venture, divest*, IPO"),
    "ratings": _topic(
        "upgrade*, downgrade*, price target, target price, outperform, underperform, overweight, underweight"
    ),
    "legal": _topic("lawsuit*, sued, court, fined, fraud*, probe, investigation*, regulator*, antitrust, settlement"),
    "contracts": _topic("contract*, order win, wins order, bags order, order worth, deal worth"),
    "staff": _topic("layoff*, lay off, job cuts, redundanc*, strike, hiring, personnel"),
    "management": _topic("CEO, CFO, chief executive, chairman, board of directors, resign*, appoint*"),
    "financing": _topic(
        "dividend*, buyback*, share repurchase, bond*, loan*, debt, bankruptcy, default*, credit rating"
    ),
    "products": _topic("launch*, unveil*, recall*, new product*, patent*, outage"),
}
"""What texts are read for while a tenant declares nothing else."""


class FinanceSentimentSettings(BaseModel):
    """Which companies and topics texts are read for, what the models start from, and the watch for surges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    companies: dict[Key, CompanySettings] = Field(
        default_factory=dict, description="Companies by key, beside those of the knowledge graph."
    )
    company_kinds: tuple[Key, ...] = Field(
        default=("company",),
        description="Kinds of entities of the graph that are companies; their properties `ticker` and `tickers` are looked at.",
    )
    owner_relations: tuple[Relation, ...] = Field(
        default=("subsidiary_of",), description="Relations of the graph that lead from a company to its owner."
    )
    topics: dict[Key, TopicSettings] = Field(
        default_factory=lambda: dict(TOPICS), description="The topics that texts are read for, by name."
    )
    max_companies: int = Field(
        default=8, ge=1, le=100, description="Of so many companies of one text at most the sentiment is read."
    )
    examples: int = Field(
        default=1500,
        ge=0,
        le=10_000,
        description="Shipped examples that the sentiment model of a tenant that sets anything here starts from; 0: it knows nothing until "
        "somebody teaches it.",
    )
    surges: SurgeSettings = Field(default_factory=SurgeSettings, description="The watch for surges.")
    conversation: ConversationSettings = Field(
        default_factory=ConversationSettings, description="Questions about companies in conversation."
    )
