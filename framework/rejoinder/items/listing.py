"""Make a list of items for somebody, through the same two hooks as a turn, and keep it as a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.items.tenant_items import LIST_TASK, person_of
from rejoinder.payloads import Answer, Caller, Candidate, Decision, Query
from rejoinder.store.decisions import add_decision
from rejoinder.store.ids import new_id

if TYPE_CHECKING:
    from datetime import datetime

    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.host import Host

__all__ = ["ItemsListed", "list_decision", "listed_answers", "make_list", "note_of"]

_GENERAL: Final = frozenset({"popular", "new", "pinned", "rules"})


@dataclass(frozen=True, slots=True)
class ItemsListed:
    """A list that was put before somebody.

    Attributes:
        answers: best first, each with an item.
        note: why it is empty, or not made for this person; else empty.
    """

    decision_id: str
    answers: tuple[Answer, ...]
    note: str


async def make_list(
    application: Application,
    tenant: str,
    caller: Caller,
    *,
    user_id: str | None,
    session_id: str | None,
    text: str | None = None,
    filters: Mapping[str, Any] | None = None,
    limit: int = 10,
    explain: bool = False,
) -> ItemsListed:
    """List items by the tenant's plugins; what a person typed is redacted before it is kept.

    Args:
        explain: whether reasons are wanted that cost time to find, such as paths in the graph.

    Raises:
        NotFoundError: there is no such tenant.
        RedactionError: the text could not be made safe to store.
    """
    person = person_of(user_id, session_id)
    request = await application.models.request_for(tenant, caller, session_id=session_id, person=person)
    if explain:
        application.item_mirror.start(tenant, request.graph)
    host = application.host
    safe = await host.redact_text(text, "store", request) if text else text
    query = Query(
        kind=LIST_TASK,
        text=safe,
        user_id=user_id,
        session_id=session_id,
        filters=dict(filters or {}),
        limit=limit,
        explain=explain,
    )
    answers = await listed_answers(host, query, request)
    versions = dict(request.models.versions)
    decision = list_decision(
        query,
        answers,
        at=application.clock(),
        about=safe or "",
        model_versions=versions,
        filters={name: await _safe(value, host, request) for name, value in query.filters.items()},
    )
    await add_decision(application.database, tenant, decision)
    return ItemsListed(decision.id, answers, await note_of(request, query, answers))


def list_decision(
    query: Query,
    answers: tuple[Answer, ...],
    *,
    at: datetime,
    about: str,
    model_versions: Mapping[str, str],
    filters: Mapping[str, Any] | None = None,
) -> Decision:
    """Return a list as it is kept: what stood where for whom, each with the probability that it did.

    Args:
        about: what was asked for in words, redacted; "": nothing was.
        filters: the query's, redacted; None: they are not kept, and no other ranker can be judged by this list.
    """
    return Decision(
        id=new_id("dec"),
        kind="list",
        task=LIST_TASK,
        at=at,
        input=about,
        user_id=person_of(query.user_id, query.session_id),
        candidates=tuple(
            Candidate(id=one.item or one.id, score=one.score, propensity=one.propensity) for one in answers
        ),
        chosen=tuple(one.item or one.id for one in answers),
        model_versions=model_versions,
        filters=filters,
    )


async def _safe(value: Any, host: Host, request: Request) -> Any:
    """Return the value of a filter as it may be stored."""
    if isinstance(value, str):
        return await host.redact_text(value, "store", request)
    if isinstance(value, Mapping):
        return {name: await _safe(one, host, request) for name, one in value.items()}
    return [await _safe(one, host, request) for one in value] if isinstance(value, list | tuple) else value


async def listed_answers(host: Host, query: Query, request: Request) -> tuple[Answer, ...]:
    """Return the items that plugins list for a query, best first."""
    found = await host.rank_answers(query, await host.retrieve_answers(query, request), request)
    return tuple(answer for answer in found if answer.item is not None)[: query.limit]


async def note_of(request: Request, query: Query, answers: tuple[Answer, ...]) -> str:
    """Return why a list is empty, or not made for this person, and what was passed over of what was asked; else ""."""
    notes = [await _unknown(request, query), await _why(request, answers)]
    return "; ".join(note for note in notes if note)


async def _unknown(request: Request, query: Query) -> str:
    like = query.filters.get("like") or ()
    if request.items is None or not like:
        return ""
    place = (await request.items.catalogue()).place
    named = (like,) if isinstance(like, str) else like
    unknown = (
        [one for one in named if isinstance(one, str) and one not in place] if isinstance(named, list | tuple) else []
    )
    return f"passed over, since there is no such item: {', '.join(unknown[:5])[:300]}" if unknown else ""


async def _why(request: Request, answers: tuple[Answer, ...]) -> str:
    if answers:
        kinds = {one.card.data.get("reason_kind") for one in answers if one.card is not None}
        return "nothing is known of this person that says more than what is popular" if kinds <= _GENERAL else ""
    failed = [call for call in request.trace.failures if call.hook == "retrieve_answers"]
    if failed:
        return f"the list could not be made: {failed[0].plugin}: {failed[0].detail or failed[0].outcome}"
    size = 0 if request.items is None else len(await request.items.catalogue())
    if not size:
        return "the catalogue is empty: send items to /v1/items"
    return f"none of the {size} items is left: filters, rules, stock and what the person is done with exclude them all"
