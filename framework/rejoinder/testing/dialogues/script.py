"""The file of dialogues: its form, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from rejoinder.errors import FlowError, InvalidInputError, did_you_mean
from rejoinder.flows.places import Document, read_yaml
from rejoinder.payloads import ActionKind, Json, Mode

__all__ = ["ApiAnswer", "ApiRoute", "Dialogue", "PretendedApi", "Script", "Turn", "read_script"]

Line = Annotated[str, StringConstraints(min_length=1, max_length=8000)]


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Lines = Annotated[tuple[Line, ...], BeforeValidator(_as_tuple)]
Request = Annotated[str, StringConstraints(pattern=r"^(GET|POST|PUT|PATCH|DELETE) /\S*$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ApiAnswer(_Model):
    """One answer of the pretended API.

    Attributes:
        delay_s: seconds before it comes.
        lost: the connection is closed without an answer, after the work was done.
    """

    status: Annotated[int, Field(ge=100, le=599)] = 200
    body: Json = Field(default=None, alias="json")
    delay_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    lost: bool = False


class ApiRoute(_Model):
    """What the pretended API answers to one request: one answer after the other, the last one for ever.

    Attributes:
        request: method and path, as in `GET /orders/1234`; `*` stands for one part of a path.
    """

    request: Request
    answers: Annotated[tuple[ApiAnswer, ...], Field(min_length=1)]


class PretendedApi(_Model):
    """An HTTP API that is started for the run.

    Attributes:
        setting: the tenant's setting that gets its address.
    """

    setting: Line = "flows.api.url"
    routes: tuple[ApiRoute, ...] = ()


class Turn(_Model):
    """What a person says, and what is expected then; what is not named is not looked at.

    Attributes:
        bot: texts that the reply contains, capitals aside; `not`: texts that it does not.
        intent: the turn's label.
        flow, step: of the flow that runs afterwards; `flow: none` where none does.
        slots: values afterwards, by name, as they are stored.
        calls: the requests that the API did work for in this turn, in order, each once however often it was tried.
        tries: how many requests it got in this turn.
        repeated: the message is sent again with the same idempotency key; the same turn must come back.
    """

    user: Line
    bot: Lines = ()
    bot_not: Lines = Field(default=(), alias="not")
    options: tuple[str, ...] | None = None
    action: ActionKind | None = None
    intent: str | None = None
    mode: Mode | None = None
    flow: str | None = None
    step: str | None = None
    slots: Mapping[str, Json] = Field(default_factory=dict)
    calls: tuple[str, ...] | None = None
    tries: int | None = None
    repeated: bool = False


class Dialogue(_Model):
    """One conversation. Its `api` routes are asked before those of the file."""

    name: Line
    api: tuple[ApiRoute, ...] = ()
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]


class Script(_Model):
    """Dialogues with the tenant and the API that they need.

    Attributes:
        settings: of the tenant that is made for the run, by plugin.
        plugins: that it has; None: all.
        lines: where each dialogue and turn stands, as `file:line`, by their places.
    """

    settings: Mapping[str, Any] = Field(default_factory=dict)
    plugins: tuple[str, ...] | None = None
    api: PretendedApi | None = None
    dialogues: Annotated[tuple[Dialogue, ...], Field(min_length=1)]
    lines: Mapping[tuple[int, ...], str] = Field(default_factory=dict, exclude=True)


def read_script(file: Path) -> Script:
    """Read a file of dialogues.

    Raises:
        InvalidInputError: it cannot be read or is not of this form; it names all that is wrong, with the lines.
    """
    try:
        documents = list(read_yaml(file.read_text(encoding="utf-8"), str(file)))
    except FlowError as error:
        raise InvalidInputError(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file}: cannot be read: {error}") from error
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise InvalidInputError(f"{file}: expected one document with `dialogues`")
    document = documents[0]
    try:
        script = Script.model_validate(document.value)
    except ValidationError as error:
        problems = "\n".join(_told(one, document) for one in error.errors(include_url=False, include_input=False))
        raise InvalidInputError(problems) from error
    lines: dict[tuple[int, ...], str] = {}
    for place, dialogue in enumerate(script.dialogues):
        lines[place,] = document.places.of("dialogues", place)
        for number in range(len(dialogue.turns)):
            lines[place, number] = document.places.of("dialogues", place, "turns", number)
    return script.model_copy(update={"lines": lines})


def _told(error: Any, document: Document) -> str:
    location = error["loc"]
    place = document.places.of(*location)
    text = error["msg"]
    if error["type"] == "extra_forbidden":
        kinds: dict[int, type[BaseModel]] = {1: Script, 3: Dialogue, 5: Turn}
        kind = kinds.get(len(location))
        known = [info.alias or name for name, info in kind.model_fields.items()] if kind else []
        text = f"unknown key.{did_you_mean(str(location[-1]), known)}"
    return f"{place}: {'.'.join(map(str, location))}: {text}"
