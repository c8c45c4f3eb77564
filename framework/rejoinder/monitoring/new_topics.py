"""New topics: what a tenant's documents are about that none of its topics fits, proposed for a person to decide.

Documents of the last weeks in which no topic was read are grouped by what they say, and the groups named, as unanswered questions are
(`rejoinder.learning.clusters_grouping`, `clusters_naming`). A person accepts a group as a topic of the tenant's settings, which its
documents are the examples of; or rejects it. What was decided on is not proposed again, nor what lies near it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from rejoinder.errors import ConflictError, InvalidInputError, RejoinderError
from rejoinder.learning.clusters import found_groups, middles_of
from rejoinder.learning.clusters_naming import label_of
from rejoinder.learning.review import checked_label, refuse_customers
from rejoinder.payloads import Caller, payload
from rejoinder.store.topic_proposals import (
    FoundTopic,
    ProposalState,
    StoredProposal,
    close_proposal,
    documents_without,
    get_proposal,
    list_proposals,
    reopen_proposal,
    replace_open_proposals,
)

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.models.learner import FloatArray
    from rejoinder.store.tables import TopicProposal

__all__ = [
    "TOPIC",
    "AcceptedTopic",
    "NewTopic",
    "accept_topic",
    "find_topics",
    "plain_text",
    "proposed_topics",
    "reject_topic",
]

TOPIC: Final = "topic"
"""Type of the observations that name a document's topics."""

WINDOW: Final = timedelta(days=28)
"""How far back documents are looked at, by their arrival."""

_MOST_GROUPED: Final = 3000
"""Documents that are grouped, the newest: time and memory grow with the square of their number."""

_MOST_CHARS: Final = 1000
"""Of a longer document the beginning says what it is about."""

_EXAMPLES: Final = 20
"""Documents that become examples of a topic in the settings, those nearest to its middle."""

_EXAMPLE_CHARS: Final = 200
_SHOWN: Final = 5
_Entry = Mapping[str, list[str]]
"""A topic as settings hold it: `words` and `examples`."""

_ADDRESS: Final = re.compile(r"https?://\S+")


@payload
class NewTopic:
    """Documents about one thing that no topic fits.

    Attributes:
        title, keywords: made of the words that tell these documents from others.
        name: what the topic would be called if nobody says otherwise; of one that was accepted, what it is called.
        size: how many documents it has.
        examples: the most typical ones.
    """

    id: str
    title: str
    name: str
    keywords: tuple[str, ...]
    size: int
    examples: tuple[str, ...]
    state: ProposalState
    found_at: datetime


@payload
class AcceptedTopic:
    """What accepting a topic came to.

    Attributes:
        setting: the tenant's setting that holds it.
        words, examples: what it holds.
    """

    id: str
    name: str
    setting: str
    words: tuple[str, ...]
    examples: tuple[str, ...]


async def find_topics(application: Application, tenant: str) -> tuple[NewTopic, ...]:
    """Look for topics anew, and return what is proposed now.

    One that was proposed before and is found again keeps its id.

    Raises:
        InvalidInputError: no plugin of the tenant keeps topics.
        NotFoundError: there is no such tenant, or it is disabled.
    """
    await _place_of_topics(application, tenant)
    database, now = application.database, application.clock()
    documents = await documents_without(database, tenant, TOPIC, since=now - WINDOW, limit=_MOST_GROUPED)
    first: dict[str, str] = {}
    for one in documents:
        first.setdefault(plain_text(one.text), one.event_id)
    first.pop("", None)
    texts, ids = list(first), list(first.values())
    found = [
        FoundTopic(
            title=group.title,
            keywords=group.keywords,
            event_ids=tuple(ids[row] for row in group.rows),
            encoder_hash=group.encoder_hash,
            centroid=group.centroid,
        )
        for group in await found_groups(application, tenant, texts, partial(_decided_on, application, tenant))
    ]
    await replace_open_proposals(database, tenant, found, at=now)
    return await proposed_topics(application, tenant)


async def proposed_topics(
    application: Application, tenant: str, *, state: ProposalState | None = "open"
) -> tuple[NewTopic, ...]:
    """Return a tenant's proposals in a state (None: all), the largest first, without looking for new ones."""
    return tuple(_proposal(one) for one in await list_proposals(application.database, tenant, state=state))


async def accept_topic(
    application: Application,
    tenant: str,
    caller: Caller,
    proposal_id: str,
    *,
    name: str | None = None,
    words: Sequence[str] = (),
) -> AcceptedTopic:
    """Make a proposal a topic of the tenant's settings; documents that are read from now on may have it. The same again changes nothing;
    of several at once one is first, and the others are refused.

    Args:
        name: what it is called; None: as proposed.
        words: words of which one makes a text be about it; its documents, the most typical ones, become examples for the model in any case.

    Raises:
        AccessError: the caller is a customer.
        InvalidInputError: no plugin of the tenant keeps topics, or the documents of the proposal are gone and no words are given.
        NotFoundError: the tenant has no such proposal.
        ConflictError: something else was decided before, or the tenant has a topic of this name.
        SettingsError: the topic cannot be stored.
    """
    refuse_customers(caller)
    plugin, field, topics = await _place_of_topics(application, tenant)
    stored = await get_proposal(application.database, tenant, proposal_id)
    row = stored.row
    name = checked_label(_proposal(stored).name if name is None else name)
    again = (row.state, row.topic) == ("accepted", name)
    if again and name in topics:
        return _accepted(proposal_id, (plugin, field, name), topics[name])
    if row.state != "open" and not (again and row.decided_by == caller.id):  # who was interrupted may go on
        raise _decided_already(row)
    if name in topics:
        raise ConflictError(f"the tenant has a topic {name!r} already: name another one")
    plain = [plain_text(one.text)[:_EXAMPLE_CHARS].strip() for one in stored.documents]
    examples = tuple(dict.fromkeys(text for text in plain if text))[:_EXAMPLES]
    if not examples and not words:
        raise InvalidInputError("the documents of this proposal were deleted: give words for the topic, or reject it")
    first = await close_proposal(
        application.database, tenant, proposal_id, "accepted", by=caller.id, at=application.clock(), topic=name
    )
    if not first and not again:
        raise _decided_already((await get_proposal(application.database, tenant, proposal_id)).row)
    entry = {"words": list(words), "examples": list(examples)}
    try:
        await _store_topic(application, tenant, (plugin, field), name, entry)
    except RejoinderError:
        await reopen_proposal(application.database, tenant, proposal_id, topic=name)
        raise
    return _accepted(proposal_id, (plugin, field, name), entry)


async def reject_topic(application: Application, tenant: str, caller: Caller, proposal_id: str) -> NewTopic:
    """Say that a proposal is no topic, and return it; neither it nor what is like it is proposed again.

    Raises:
        AccessError: the caller is a customer.
        NotFoundError: the tenant has no such proposal.
        ConflictError: it was accepted before.
    """
    refuse_customers(caller)
    now = application.clock()
    await close_proposal(application.database, tenant, proposal_id, "rejected", by=caller.id, at=now)
    return _proposal(await get_proposal(application.database, tenant, proposal_id))


def plain_text(text: str) -> str:
    """Return the beginning of a document without the addresses in it."""
    return " ".join(_ADDRESS.sub(" ", text[:_MOST_CHARS]).split())


async def _place_of_topics(application: Application, tenant: str) -> tuple[str, str, Mapping[str, _Entry]]:
    """Return plugin and field of the settings that hold a tenant's topics, and these."""
    profile = await application.tenants.served(tenant)
    for plugin, domain in application.host.plugins.registered("register_domain"):
        if plugin in profile.plugins and domain.topics:
            own = profile.settings[plugin].model_dump(mode="json", include={domain.topics})
            return plugin, domain.topics, own[domain.topics]
    raise InvalidInputError("no plugin of this tenant reads documents for topics that it declares")


async def _store_topic(application: Application, tenant: str, place: tuple[str, str], name: str, entry: _Entry) -> None:
    """Put a topic beside those that the tenant has: where it sets none, the plugin's own would else be gone."""
    plugin, field = place
    settings = (await application.tenants.served(tenant)).settings[plugin]
    own = {} if field in settings.model_fields_set else settings.model_dump(mode="json", include={field})[field]
    await application.tenants.add_setting(tenant, (plugin, field, name), entry, beside=own)


def _accepted(proposal_id: str, place: tuple[str, str, str], entry: _Entry) -> AcceptedTopic:
    return AcceptedTopic(
        id=proposal_id,
        name=place[-1],
        setting=".".join(place),
        words=tuple(entry["words"]),
        examples=tuple(entry["examples"]),
    )


def _decided_already(row: TopicProposal) -> ConflictError:
    return ConflictError(f"the proposed topic {row.id!r} was {row.state} already by {row.decided_by}")


async def _decided_on(application: Application, tenant: str, encoder_hash: str) -> FloatArray:
    """Return the middles of the groups that were decided on."""
    stored = await list_proposals(application.database, tenant, state=None)
    groups = (
        (one.row.encoder_hash, one.row.centroid, [plain_text(document.text) for document in one.documents])
        for one in stored
        if one.row.state != "open"
    )
    return await middles_of(application, tenant, encoder_hash, groups)


def _proposal(stored: StoredProposal) -> NewTopic:
    row = stored.row
    return NewTopic(
        id=row.id,
        title=row.title,
        name=row.topic or label_of(row.title),
        keywords=tuple(row.keywords),
        size=row.size,
        examples=tuple(plain_text(one.text) for one in stored.documents[:_SHOWN]),
        state=row.state,  # type: ignore[arg-type]  # one of ProposalState
        found_at=row.found_at,
    )
