"""What customers ask in vain: clusters of their questions, proposed as new intents or answers for a person to decide.

Looked at are the questions of the last weeks that found no answer, or one that somebody disliked, or that of an intent which the model is
not sure of: where an intent is missing, most questions about it are taken for others, with little confidence. A person accepts a cluster as
an intent (its questions become examples, by feedback like any other; its answer an entry of the tenant's own) or as an answer to such
questions, live at once; or rejects it. What was decided on is not proposed again, nor what lies near it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError
from rejoinder.learning.clusters_grouping import Group, groups_of
from rejoinder.learning.clusters_naming import GroupName, label_of, names_of, phrases_of
from rejoinder.learning.review import TASK, checked_label, learnable_questions, refuse_customers
from rejoinder.payloads import Caller, payload
from rejoinder.store.clusters import (
    ClusterState,
    FoundCluster,
    StoredCluster,
    close_cluster,
    get_cluster,
    list_clusters,
    replace_open_clusters,
)

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.models.learner import FloatArray, Prediction
    from rejoinder.store.questions import AskedQuestion

__all__ = [
    "Accepted",
    "ClusterProposal",
    "accept_cluster",
    "find_clusters",
    "found_groups",
    "middles_of",
    "proposals",
    "reject_cluster",
]

WINDOW: Final = timedelta(days=28)
"""How far back questions are looked at."""

CONFIDENT: Final = 0.9
"""An answer counts as one that the intent model is sure of when the probability of its best label is this or more."""

SAME: Final = 0.8
"""From this cosine of their middles on, a cluster is about the same as one that was decided on."""

_MOST_ASKED: Final = 5000
_MOST_GROUPED: Final = 3000
"""Different questions that are grouped, the newest: time and memory grow with the square of their number."""

_SHOWN: Final = 5


@payload
class ClusterProposal:
    """Questions about one thing that the bot cannot answer well.

    Attributes:
        title, keywords: made of the words that tell these questions from others.
        label: what the intent would be called if nobody says otherwise; of one that was accepted, what it is called.
        size: how many different questions it has.
        examples: the most typical ones, redacted.
    """

    id: str
    title: str
    label: str
    keywords: tuple[str, ...]
    size: int
    examples: tuple[str, ...]
    state: ClusterState
    found_at: datetime


@payload
class Accepted:
    """What accepting a cluster came to.

    Attributes:
        label: the intent; None: it was accepted as an answer alone.
        examples: how many examples its questions became.
        answer_setting: the tenant's setting that holds the answer; "" where there is none.
    """

    id: str
    label: str | None
    examples: int
    answer_setting: str = ""


async def find_clusters(application: Application, tenant: str) -> tuple[ClusterProposal, ...]:
    """Look for clusters anew, and return what is proposed now.

    One that was proposed before and is found again keeps its id.

    Raises:
        NotFoundError: there is no such tenant, or it is disabled.
    """
    database, now = application.database, application.clock()
    recent = await learnable_questions(application, tenant, since=now - WINDOW, limit=_MOST_ASKED)
    open_ones = await _without_an_answer(application, tenant, recent)
    decided = partial(_decided_on, application, tenant)
    found = [
        FoundCluster(
            title=group.title,
            keywords=group.keywords,
            decision_ids=tuple(open_ones[row].decision_id for row in group.rows),
            encoder_hash=group.encoder_hash,
            centroid=group.centroid,
        )
        for group in await found_groups(application, tenant, [one.text for one in open_ones], decided)
    ]
    await replace_open_clusters(database, tenant, found, at=now)
    return await proposals(application, tenant)


async def proposals(
    application: Application, tenant: str, *, state: ClusterState | None = "open"
) -> tuple[ClusterProposal, ...]:
    """Return a tenant's clusters in a state (None: all), the largest first, without looking for new ones."""
    return tuple(_proposal(one) for one in await list_clusters(application.database, tenant, state=state))


async def accept_cluster(
    application: Application,
    tenant: str,
    caller: Caller,
    cluster_id: str,
    *,
    label: str | None = None,
    answer: str | None = None,
) -> Accepted:
    """Learn a cluster's questions; they are answered so when this returns. The same again changes nothing.

    Args:
        label: the intent that the questions have, a new one or one that there is; None, without an answer: the one proposed.
        answer: what to answer. With a label, it becomes the intent's entry in the tenant's settings; without, it is remembered as the
            answer to these questions and what is like them.

    Raises:
        AccessError: the caller is a customer.
        InvalidInputError: label or answer cannot be used; or both are given, and no plugin of the tenant keeps answers by intent.
        NotFoundError: the tenant has no such cluster.
        ConflictError: something else was decided before.
        SettingsError: the answer cannot be stored.
    """
    refuse_customers(caller)
    stored = await get_cluster(application.database, tenant, cluster_id)
    if answer is not None and not answer.strip():
        raise InvalidInputError("answer: it must be a text that is not empty")
    if label is not None or answer is None:
        label = checked_label(_proposal(stored).label if label is None else label)
    if stored.row.state != "open" and (stored.row.state, stored.row.label) != ("accepted", label):
        raise ConflictError(f"the cluster {cluster_id!r} was {stored.row.state} already by {stored.row.decided_by}")
    setting = ""
    if label is not None and answer is not None:
        setting = await _store_answer(
            application, tenant, label, answer.strip(), decided=stored.row.state == "accepted"
        )
    examples = 0
    for decision_id, _ in stored.questions:
        try:
            result = await application.feedback.give(
                tenant,
                caller,
                decision_id=decision_id,
                kind="corrected_answer" if label is None else "corrected_intent",
                value=answer if label is None else label,
                about="answer" if label is None else "intent",
                idempotency_key=f"cluster:{cluster_id}:{decision_id}",
            )
        except NotFoundError:  # erased meanwhile
            continue
        examples += result.examples
    now = application.clock()
    await close_cluster(application.database, tenant, cluster_id, "accepted", by=caller.id, at=now, label=label)
    return Accepted(id=cluster_id, label=label, examples=examples, answer_setting=setting)


async def reject_cluster(application: Application, tenant: str, caller: Caller, cluster_id: str) -> ClusterProposal:
    """Say that a cluster is nothing to answer, and return it; neither it nor what is like it is proposed again.

    Raises:
        AccessError: the caller is a customer.
        NotFoundError: the tenant has no such cluster.
        ConflictError: it was accepted before.
    """
    refuse_customers(caller)
    now = application.clock()
    await close_cluster(application.database, tenant, cluster_id, "rejected", by=caller.id, at=now)
    return _proposal(await get_cluster(application.database, tenant, cluster_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """Texts about one thing that nobody decided on.

    Attributes:
        rows: the places of its texts, the one nearest to the middle first.
        centroid: the middle, (dim) float32, little-endian.
    """

    title: str
    keywords: tuple[str, ...]
    rows: tuple[int, ...]
    encoder_hash: str
    centroid: bytes


async def found_groups(
    application: Application, tenant: str, texts: Sequence[str], decided_on: Callable[[str], Awaitable[FloatArray]]
) -> list[FoundGroup]:
    """Group texts by what they say, and name the groups; those near to one that was decided on are left out.

    Args:
        decided_on: gives the middles of groups that were decided on, (n, dim), by the encoder of this hash.
    """
    if not texts:
        return []
    encoder = await application.encoder.ready()
    vectors = await application.models.loader.encode_texts(tenant, texts)
    groups = await asyncio.to_thread(groups_of, vectors, least=application.settings.learning.cluster_size)
    decided = await decided_on(encoder.hash)
    groups = [group for group in groups if not len(decided) or float((decided @ group.centroid).max()) < SAME]
    return [
        FoundGroup(
            title=name.title,
            keywords=name.keywords,
            rows=tuple(group.rows),
            encoder_hash=encoder.hash,
            centroid=group.centroid.astype("<f4").tobytes(),
        )
        for group, name in zip(groups, await _names(application, tenant, texts, groups), strict=True)
    ]


async def _names(
    application: Application, tenant: str, texts: Sequence[str], groups: Sequence[Group]
) -> list[GroupName]:
    """Return a name for each group of texts."""
    phrases = await asyncio.to_thread(phrases_of, texts, groups)
    each = list(dict.fromkeys(phrase for own in phrases for phrase in own))
    vectors = await application.models.loader.encode_texts(tenant, each) if each else ()
    return names_of(texts, groups, phrases, dict(zip(each, vectors, strict=True)))


async def _without_an_answer(
    application: Application, tenant: str, recent: Sequence[AskedQuestion]
) -> list[AskedQuestion]:
    """Return the newest question of each text that nobody settled and that was not answered well, the newest first."""
    newest: dict[str, AskedQuestion] = {}
    for one in recent:
        newest.setdefault(" ".join(one.text.casefold().split()), one)
    asked = [one for text, one in newest.items() if text and not one.settled]
    said = await application.models.predictions(tenant, TASK, [one.text for one in asked])
    unsure = [False] * len(asked) if said is None else [_in_doubt(one) for one in said]
    found = [
        one
        for one, doubtful in zip(asked, unsure, strict=True)
        if not one.answered or one.disliked or (doubtful and one.label is not None)
    ]
    return found[:_MOST_GROUPED]


def _in_doubt(said: Prediction) -> bool:
    return not said.accepted or said.confidence < CONFIDENT


async def middles_of(
    application: Application, tenant: str, encoder_hash: str, groups: Iterable[tuple[str, bytes, Sequence[str]]]
) -> FloatArray:
    """Return the middles of groups, (n, dim) float32, L2-normalised; where another encoder made them, anew from their texts.

    Args:
        groups: of each the hash of the encoder that made its middle, that middle as float32, and its texts; one whose middle another
            encoder made and of which no text is left is left out.
    """
    middles = []
    for made_by, centroid, texts in groups:
        if made_by == encoder_hash:
            middles.append(np.frombuffer(centroid, dtype="<f4"))
        elif texts:
            vectors = await application.models.loader.encode_texts(tenant, texts)
            middle = vectors.mean(axis=0)
            middles.append(middle / max(float(np.linalg.norm(middle)), 1e-12))
    return np.stack(middles).astype(np.float32) if middles else np.zeros((0, 0), dtype=np.float32)


async def _decided_on(application: Application, tenant: str, encoder_hash: str) -> FloatArray:
    """Return the middles of the clusters that were decided on."""
    stored = await list_clusters(application.database, tenant, state=None)
    groups = (
        (one.row.encoder_hash, one.row.centroid, [text for _, text in one.questions])
        for one in stored
        if one.row.state != "open"
    )
    return await middles_of(application, tenant, encoder_hash, groups)


async def _store_answer(application: Application, tenant: str, label: str, answer: str, *, decided: bool) -> str:
    """Put an intent's answer into the tenant's settings; return which setting holds it.

    Raises:
        ConflictError: it was decided before, with another answer.
    """
    profile = await application.tenants.served(tenant)
    keeps = [
        (plugin, domain.answers)
        for plugin, domain in application.host.plugins.registered("register_domain")
        if plugin in profile.plugins and domain.answers
    ]
    if not keeps:
        raise InvalidInputError(
            "no plugin of this tenant keeps answers by intent: accept the cluster without an answer, or without a label"
        )
    plugin, field = keeps[0]
    if decided and getattr(profile.settings[plugin], field).get(label) != answer:
        raise ConflictError(
            f"the cluster was accepted already, with another answer or none: set {plugin}.{field}.{label} to change it"
        )
    await application.tenants.set_setting(tenant, (plugin, field, label), answer)
    return f"{plugin}.{field}.{label}"


def _proposal(stored: StoredCluster) -> ClusterProposal:
    row = stored.row
    return ClusterProposal(
        id=row.id,
        title=row.title,
        label=row.label or label_of(row.title),
        keywords=tuple(row.keywords),
        size=row.size,
        examples=tuple(text for _, text in stored.questions[:_SHOWN]),
        state=row.state,  # type: ignore[arg-type]  # one of ClusterState
        found_at=row.found_at,
    )
