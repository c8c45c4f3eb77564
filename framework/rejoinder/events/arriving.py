"""An event as it is sent: checked field by field, its text cleaned, its date understood."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from rejoinder.errors import InvalidInputError
from rejoinder.events.dates import parse_date
from rejoinder.events.near_duplicates import sketch_of
from rejoinder.events.settings import TenantEventSettings
from rejoinder.handoff.hours import time_zone_of
from rejoinder.items.behaviour import KINDS, check_behaviour
from rejoinder.payloads import Event
from rejoinder.store.events import NewEvent
from rejoinder.wire import check

__all__ = ["LEAST_COMPARED", "EventIn", "understood"]

_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_MOST_UNREADABLE: Final = 0.01
"""Share of replacement characters from which on a text was read in a wrong encoding."""

LEAST_COMPARED: Final = 5
"""Words from which on a text is compared with others: shorter ones are alike without saying the same."""


class EventIn(BaseModel):
    """A document or another thing that happened, as it is sent."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "reuters-77",
                    "source": "reuters",
                    "at": "2026-03-02T14:05:00",
                    "text": "$AAPL wins a contract for tablets in schools",
                    "url": "https://news.example/77",
                }
            ]
        },
    )

    id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")] | None = Field(
        default=None,
        description="The sender's id; without one it is made of the content, so that sending it again changes nothing.",
    )
    source: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] = Field(
        default="api", description="Where it comes from; the tenant's settings may name the time zone of its dates."
    )
    kind: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        default="document", description="What happened: a document arrived, or `click`, `purchase` ..."
    )
    at: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        default=None,
        description="When it was published or happened: ISO 8601 or, as in feeds, RFC 2822; without a time zone, in that of the source; "
        "unset: when it arrives.",
    )
    text: str | None = None
    format: Literal["text", "html"] = Field(
        default="text", description="Of `html` the visible text is kept; what is hidden, runs or navigates is not."
    )
    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")] | None = None
    user_id: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] | None = None
    session_id: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] | None = Field(
        default=None, description="The visit in which it happened, for people of whom no user is known."
    )
    item_id: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] | None = Field(
        default=None,
        description="What it was done with, for `view`, `click`, `add`, `buy`, `rate` (with `data.value`), `like`, `dislike`, "
        "`dismiss`, `share`, `comment`.",
    )
    data: dict[str, JsonValue] = Field(default_factory=dict)


def understood(sent: EventIn, rules: TenantEventSettings, *, now: datetime, most_chars: int) -> tuple[NewEvent, str]:
    """Return an event to be kept, and what the sender should know of how it was understood ("": nothing).

    Args:
        now: the moment of its arrival.
        most_chars: characters that its text may have.
    Raises:
        InvalidInputError: it is not to be kept; the text says why.
    """
    text = None if sent.text is None else _readable(sent.text, sent.format, most_chars)
    if text is None and sent.kind == "document":
        raise InvalidInputError("text: a document needs one")
    check_behaviour(sent.kind, sent.user_id, sent.session_id, sent.item_id, sent.data, rules)
    moment, note = _moment(sent.at, rules, sent.source, now)
    # Whoever names a click by an id means this very one: two alike are two. Documents that say the same are one.
    left_out = {name for name, out in (("id", sent.kind not in KINDS), ("session_id", sent.session_id is None)) if out}
    content = sent.model_dump(mode="json", exclude=left_out)
    sha256 = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    made = Event(
        id=sent.id or f"event_{sha256[:40]}",
        kind=sent.kind,
        at=moment,
        user_id=sent.user_id,
        session_id=sent.session_id,
        item_id=sent.item_id,
        text=text,
        data=sent.data,
    )
    event = check(Event, made)
    sketch = None
    if text is not None and sent.kind == "document" and rules.near_duplicates > 0:
        words = text.split(maxsplit=LEAST_COMPARED)
        sketch = sketch_of(text, rules.near_duplicates) if len(words) >= LEAST_COMPARED else None
    return NewEvent(event=event, sha256=sha256, source=sent.source, url=sent.url, sketch=sketch), note


def _readable(text: str, form: str, most_chars: int) -> str:
    if len(text) > most_chars:
        raise InvalidInputError(f"text: it has {len(text)} characters, and at most {most_chars} are taken")
    if _BINARY.search(text):
        raise InvalidInputError("text: it holds control characters, as binary data does: send the text itself")
    if text.count("\ufffd") > _MOST_UNREADABLE * len(text):
        raise InvalidInputError("text: it was read in a wrong encoding (it holds replacement characters): send UTF-8")
    if form == "html":
        from rejoinder.documents.formats import read_content

        text = "\n".join(block.text for block in read_content(text.encode(), "html").blocks)
    text = text.strip()
    if not text:
        raise InvalidInputError("text: it is empty")
    return text


def _moment(said: str | None, rules: TenantEventSettings, source: str, now: datetime) -> tuple[datetime, str]:
    if said is None:
        return now, "it has no date: the moment of its arrival was taken"
    moment = parse_date(said.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=time_zone_of(rules.zone_of(source)))
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError("at: the moment is out of range") from None
    if moment > now + timedelta(minutes=rules.future_minutes):
        raise InvalidInputError(f"at: {moment.isoformat()} lies in the future (it is {now.isoformat()} here)")
    if moment < rules.earliest:
        raise InvalidInputError(
            f"at: {moment.isoformat()} lies before {rules.earliest.isoformat()}, the earliest taken"
        )
    return moment, ""
