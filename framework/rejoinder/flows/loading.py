"""Load flows: from YAML files, from Python, from a tenant's settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rejoinder.errors import FlowError, did_you_mean
from rejoinder.flows.language import STEP_WORDS, Case, Condition, Flow, Start, SubFlow
from rejoinder.flows.places import Document, Places, read_yaml
from rejoinder.slots import Slot

__all__ = ["FlowBook", "choose_flows", "load_flows", "read_definitions", "read_flows"]


@dataclass(frozen=True, slots=True)
class FlowBook:
    """Flows by name, and where each was written."""

    flows: Mapping[str, Flow] = field(default_factory=dict)
    places: Mapping[str, Places] = field(default_factory=dict)

    def __or__(self, other: FlowBook) -> FlowBook:
        """Return both together; of two flows of one name the other's counts."""
        return FlowBook({**self.flows, **other.flows}, {**self.places, **other.places})

    def place(self, flow: str, *path: str | int) -> str:
        """Return where a part of a flow stands."""
        return self.places.get(flow, Places(f"flow {flow}")).of(*path)


def load_flows(sources: Iterable[Path | str | Flow]) -> FlowBook:
    """Load flows from files, folders (their `*.yml` and `*.yaml`) and Python.

    Only their form is checked; whether they can run is `check_flows`'s affair.

    Raises:
        FlowError: a source cannot be read, is not YAML, does not fit the language, or two flows have one name; it names all
            that is wrong.
    """
    book = FlowBook()
    problems: list[str] = []
    for source in sources:
        if isinstance(source, Flow):
            found = FlowBook({source.flow: source}, {source.flow: Places(f"flow {source.flow}")})
            problems += _join(book, found)
            book = book | found
            continue
        for file in _files(Path(source)):
            try:
                found = read_flows(_text_of(file), str(file))
            except FlowError as error:
                problems += error.problems
                continue
            problems += _join(book, found)
            book = book | found
    if problems:
        raise FlowError(problems)
    return book


def read_flows(text: str, source: str) -> FlowBook:
    """Read the flows of one YAML text, a document each. Raises as `load_flows`."""
    flows: dict[str, Flow] = {}
    places: dict[str, Places] = {}
    problems: list[str] = []
    documents = list(read_yaml(text, source))
    if not documents:
        raise FlowError([f"{source}: there is no flow in it"])
    for document in documents:
        try:
            flow = Flow.model_validate(document.value)
        except ValidationError as error:
            problems += told(error, document)
            continue
        if flow.flow in flows:
            problems.append(f"{document.places.of('flow')}: there are two flows {flow.flow!r} in this file; rename one")
        flows[flow.flow], places[flow.flow] = flow, document.places
    if problems:
        raise FlowError(problems)
    return FlowBook(flows, places)


def read_definitions(definitions: Mapping[str, Any]) -> FlowBook:
    """Return the flows of a tenant's setting `flows.definitions`.

    Raises:
        FlowError: they do not fit the language.
    """
    flows: dict[str, Flow] = {}
    places: dict[str, Places] = {}
    problems: list[str] = []
    for name, value in definitions.items():
        written = {"flow": name, **value} if isinstance(value, dict) else value
        places[name] = Places(f"flows.definitions.{name}")
        try:
            flows[name] = Flow.model_validate(written)
        except ValidationError as error:
            problems += told(error, Document(written, places[name]))
    if problems:
        raise FlowError(problems)
    return FlowBook(flows, places)


def choose_flows(shipped: FlowBook, use: Iterable[str], own: FlowBook) -> tuple[FlowBook, list[str]]:
    """Return the flows that a tenant has, and what is wrong with the names in its setting `flows.use`.

    Args:
        shipped: the flows of the installed domains.
        use: names of those that the tenant has; what they call is taken with them.
        own: its own, which win over others of the same name.
    """
    problems: list[str] = []
    chosen: dict[str, Flow] = {}
    waiting = list(use)
    while waiting:
        name = waiting.pop()
        flow = shipped.flows.get(name)
        if flow is None:
            problems.append(f"flows.use: there is no flow {name!r}.{did_you_mean(name, shipped.flows)}")
        elif name not in chosen:
            chosen[name] = flow
            waiting += [step.flow for step in flow.steps if isinstance(step, SubFlow)]
    return FlowBook(chosen, shipped.places) | own, problems


def told(error: ValidationError, document: Document) -> list[str]:
    """Return what pydantic found wrong, each with its place and what may have been meant."""
    return list(dict.fromkeys(_lines(error, document)))


def _lines(error: ValidationError, document: Document) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False):
        path = tuple(part for part in _written(one["loc"], document.value))
        place = document.places.of(*path)
        name = ".".join(str(part) for part in path)
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            key = str(one["loc"][-1])
            text = f"unknown key {key!r}.{did_you_mean(key, _keys_at(path, document.value))}"
        elif one["type"] == "missing":
            text = f"{str(one['loc'][-1])!r} is missing"
        yield f"{place}: {name}: {text}" if name else f"{place}: {text}"


def _written(location: tuple[Any, ...], value: Any) -> Iterator[str | int]:
    """Yield the parts of pydantic's location that stand in the document: names of alternatives are left out."""
    for part in location:
        is_key = isinstance(value, Mapping) and part in value
        is_index = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_key or is_index:
            value = value[part]
            yield part


def _keys_at(path: tuple[str | int, ...], value: Any) -> list[str]:
    """Return the keys that may stand where a path's last key stands."""
    inner: Any = value
    for part in path[:-1]:
        inner = inner[part]
    word = next((word for word in STEP_WORDS if isinstance(inner, Mapping) and word in inner), None)
    if path[:1] == ("steps",) and len(path) == 3 and word is not None:
        return _names(STEP_WORDS[word])
    kind = {"slots": Slot, "start": Start, "steps": Case}.get(str(path[0])) if len(path) > 1 else Flow
    if "when" in path[:-1] or "check" in path[:-1]:
        kind = Condition
    return _names(kind) if kind is not None else []


def _names(kind: Any) -> list[str]:
    return [info.alias or name for name, info in kind.model_fields.items()]


def _join(book: FlowBook, found: FlowBook) -> Iterator[str]:
    for name in found.flows:
        if name in book.flows:
            yield f"{found.place(name, 'flow')}: there is a flow {name!r} already, in {book.place(name, 'flow')}; rename one"


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".yml", ".yaml"))
    return [path]


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FlowError([f"{file}: cannot be read: {error}"]) from error
