"""What all schemas are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rejoinder.errors import InvalidInputError

Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
"""An id of ours: printable ASCII without spaces."""
UserId = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
TenantId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
KeyRoleName = Literal["customer", "agent", "analyst", "admin", "ingest", "operator"]


def in_utc(moment: datetime, field: str) -> datetime:
    """Return a moment in UTC.

    Raises:
        InvalidInputError: it has no time zone, or is beyond what a calendar holds.
    """
    if moment.tzinfo is None:
        raise InvalidInputError(f"{field}: the moment needs a time zone, e.g. 2030-01-01T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{field}: the moment is out of range") from None


class Incoming(BaseModel):
    """A request, checked strictly."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Outgoing(BaseModel):
    """A response."""

    model_config = ConfigDict(extra="forbid")


def example(**values: Any) -> ConfigDict:
    """Return the configuration of a schema that shows one example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class ProblemField(Outgoing):
    """One wrong field of a request."""

    field: str = Field(description="Where it is, e.g. `body.text`.")
    reason: str


class ProblemDocument(Outgoing):
    """An error (RFC 9457), the same shape for all."""

    model_config = example(
        type="urn:rejoinder:problem:not-found",
        title="Not found",
        status=404,
        detail="there is no conversation 'conv_1'",
        instance="/v1/conversations/conv_1",
    )

    type: str = Field(description="`urn:rejoinder:problem:` and the kind.")
    title: str
    status: int
    detail: str = Field(description="What was wrong this time, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    errors: list[ProblemField] | None = Field(default=None, description="The wrong fields, where there are any.")
    error_id: str | None = Field(default=None, description="Names the operator's log entry of an internal error.")
