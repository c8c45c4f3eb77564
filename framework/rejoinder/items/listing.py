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
    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.host import Host

__all__ = ["ItemsListed", "listed_answers", "make_list", "note_of"]

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
    request = await application.models.request_for(tenant, caller, session_id=session_id)
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
    decision = Decision(
        id=new_id("dec"),
        kind="list",
        task=LIST_TASK,
        at=application.clock(),
        input=safe or "",
        user_id=person_of(user_id, session_id),
        candidates=tuple(
            Candidate(id=one.item or one.id, score=one.score, propensity=one.propensity) for one in answers
        ),
        chosen=tuple(one.item or one.id for one in answers),
        model_versions=dict(request.models.versions),
    )
    await add_decision(application.database, tenant, decision)
    return ItemsListed(decision.id, answers, await note_of(request, query, answers))


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
