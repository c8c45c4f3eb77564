"""Examples out of a file into the store: each row checked and redacted; what cannot be used is told with line and reason, the rest loaded.

Loading the same rows again changes nothing. Examples that were exported keep their ids, moments and where they came from, so that an export
of what was imported is the same file; in the store their source is `import`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rejoinder.context import Request
from rejoinder.errors import InvalidInputError, RedactionError
from rejoinder.host import Host
from rejoinder.learning.task_loading import IMPORTED
from rejoinder.payloads import Example, Json, Polarity
from rejoinder.store.database import Database
from rejoinder.store.erasures import erased_examples
from rejoinder.store.examples import Provenance, add_examples, get_examples
from rejoinder.store.users import consents_of

__all__ = ["BadRow", "ExampleImport", "ExampleIn", "ImportReport", "Row"]

_BATCH: Final = 500
_DEEPEST: Final = 64
_AHEAD: Final = timedelta(minutes=10)
"""How far another machine's clock may be ahead."""

_Words = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
_Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
_User = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class ExampleIn(BaseModel):
    """One labelled example."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"task": "intent", "text": "where is my card", "label": "card_arrival"}]},
    )

    task: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")] = "intent"
    text: _Words
    label: _Words | None = None
    other: _Words | None = None
    target: Json = None
    polarity: Polarity = "positive"
    weight: Annotated[float, Field(ge=0, le=1000)] = 1.0
    id: _Id | None = Field(default=None, description="As it was exported; else one is made of what the row says.")
    source: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None, description="Where it came from, as it was exported."
    )
    decision_id: _Id | None = Field(default=None, description="The decision that it is about, where that was.")
    user_id: _User | None = Field(default=None, description="Whoever gave it, by pseudonym: their erasure reaches it.")
    subject_id: _User | None = Field(default=None, description="Whose words it holds: their erasure reaches it too.")
    at: datetime | None = Field(default=None, strict=False, description="When it was given; else now.")


class Row(NamedTuple):
    """One row of a file.

    Attributes:
        line: from 1.
        value: what was read; an InvalidInputError where nothing could be.
        raw: what stands in the file, for whoever mends it.
    """

    line: int
    value: Any
    raw: Any


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not loaded, and why."""

    line: int
    reason: str
    raw: Any


@dataclass(slots=True)
class ImportReport:
    """What an import came to.

    Attributes:
        loaded: rows that are new in the store.
        repeated: rows that were there already.
        bad: rows that cannot be used.
    """

    loaded: int = 0
    repeated: int = 0
    bad: list[BadRow] = field(default_factory=list)


class ExampleImport:
    """Loads rows for one tenant.

    Args:
        request: of the tenant, for redaction.
        held_back: says of an example whether it is kept from all training.
    """

    def __init__(
        self, database: Database, host: Host, request: Request, *, held_back: Callable[[Example], bool]
    ) -> None:
        self._database = database
        self._host = host
        self._request = request
        self._held_back = held_back

    async def load(self, rows: Iterable[Row]) -> ImportReport:
        """Check, redact and store rows, a batch at a time. Models learn of them by `LiveModels.refit`, or the next run."""
        report = ImportReport()
        erased = await erased_examples(self._database, self._request.tenant)
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                await self._store(batch, erased, report)
                batch = []
        await self._store(batch, erased, report)
        return report

    async def _store(self, batch: Sequence[Row], erased: frozenset[str], report: ImportReport) -> None:
        made: dict[str, Provenance] = {}
        given: list[tuple[Row, Provenance]] = []
        for row in batch:
            try:
                given.append((row, await self._example(row.value)))
            except (InvalidInputError, ValidationError, RedactionError) as error:
                report.bad.append(BadRow(row.line, _reason(error), row.raw))
        tenant = self._request.tenant
        there = await get_examples(self._database, tenant, [one.example.id for _, one in given])
        people = sorted(
            {user for _, one in given for user in (one.example.user_id, one.subject_id) if user is not None}
        )
        said = await consents_of(self._database, tenant, people)
        for row, one in given:
            example = one.example
            known = there.get(example.id) or (made[example.id].example if example.id in made else None)
            if example.id in erased:
                report.bad.append(BadRow(row.line, "it was erased, and stays so", row.raw))
            elif said.get(example.user_id or "") is False or said.get(one.subject_id or "") is False:
                report.bad.append(BadRow(row.line, "its user does not want to be learned from", row.raw))
            elif known is None:
                made[example.id] = one
            elif _content(known) == _content(example):
                report.repeated += 1
            else:
                report.bad.append(BadRow(row.line, f"there is another example with the id {example.id!r}", row.raw))
        new = await add_examples(
            self._database,
            tenant,
            [one.example for one in made.values()],
            held_back=self._held_back,
            at=self._request.clock(),
            origins=made,
        )
        report.loaded += len(new)
        report.repeated += len(made) - len(new)

    async def _example(self, value: Any) -> Provenance:
        """Return a row as an example, redacted.

        Raises:
            ValidationError, InvalidInputError, RedactionError: it cannot be used.
        """
        if isinstance(value, InvalidInputError):
            raise value
        given = ExampleIn.model_validate(value)
        if given.label is None and given.target is None:
            raise InvalidInputError("label: an example needs a label, or a target")
        for text in (given.text, given.label or "x", given.other or "x"):
            if not text.strip() or "\x00" in text:
                raise InvalidInputError("text, label and other must hold more than white space, and no NUL character")
        now = self._request.clock()
        at = now if given.at is None else _in_utc(given.at)
        if at > now + _AHEAD:
            raise InvalidInputError(f"at: {at.isoformat()} is in the future")
        identity = orjson.dumps([given.task, given.text, given.label, given.other, given.polarity, given.target])
        redact = self._host.redact_text
        example = Example(
            id=given.id or "imp_" + hashlib.sha256(identity).hexdigest()[:32],
            task=given.task,
            text=await redact(given.text, "train", self._request),
            label=None if given.label is None else await redact(given.label, "train", self._request),
            other=None if given.other is None else await redact(given.other, "train", self._request),
            target=await self._redacted(given.target),
            polarity=given.polarity,
            weight=given.weight,
            source=IMPORTED,
            decision_id=given.decision_id,
            user_id=given.user_id,
            at=at,
        )
        return Provenance(example, IMPORTED if given.source is None else given.source, given.subject_id)

    async def _redacted(self, value: Json, depth: int = 0) -> Json:
        """Return a target without what must not be kept, in any of its texts; names of fields stay."""
        if depth > _DEEPEST:
            raise InvalidInputError(f"target: it is nested more than {_DEEPEST} deep")
        if isinstance(value, str):
            return await self._host.redact_text(value, "train", self._request)
        if isinstance(value, list):
            return [await self._redacted(one, depth + 1) for one in value]
        if isinstance(value, dict):
            return {name: await self._redacted(one, depth + 1) for name, one in value.items()}
        return value


def _content(example: Example) -> tuple[Any, ...]:
    return (example.task, example.text, example.label, example.other, example.target, example.polarity)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInputError("at: the moment needs a time zone, e.g. 2030-01-01T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError("at: the moment is out of range") from None


def _reason(error: Exception) -> str:
    if isinstance(error, RedactionError):
        return "it could not be redacted"
    if not isinstance(error, ValidationError):
        return str(error)
    known = {"extra_forbidden": "there is no such field", "missing": "this field is needed"}
    findings = error.errors()
    first = findings[0]
    where = ".".join(str(part) for part in first["loc"])[:200] or "row"
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{where}: {known.get(first['type'], first['msg'])[:300]}{more}"
