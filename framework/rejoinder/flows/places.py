"""YAML with the line of every value, so that what is wrong with a flow is told where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import FlowError

if TYPE_CHECKING:
    import yaml

__all__ = ["Document", "Places", "read_yaml"]

Path = tuple[str | int, ...]

_INTEGER: Final = re.compile(r"[-+]?\d{1,18}")
_DECIMAL: Final = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
_WORDS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_MOST_NODES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Places:
    """Where the values of one document stand: a source, and lines by path."""

    source: str
    lines: Mapping[Path, int] = field(default_factory=dict)

    def of(self, *path: str | int) -> str:
        """Return `source:line` of a value, or of the nearest one around it; the source alone where no line is known."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return f"{self.source}:{self.lines[path[:end]]}"
        return self.source


@dataclass(frozen=True, slots=True)
class Document:
    """A value, and where its parts stand."""

    value: Any
    places: Places


def read_yaml(text: str, source: str) -> Iterator[Document]:
    """Yield the documents of a YAML text.

    Words are read as YAML 1.2 reads them: `yes`, `no` and `on` are words, not truths. Anchors are refused, since a small text
    can unfold into a large one by them.

    Raises:
        FlowError: it is not YAML, a key stands twice, or an anchor is used.
    """
    import yaml

    try:
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise FlowError([f"{source}: write the value out: anchors (`&name`, `*name`) are not used here"])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark is not None else source
        raise FlowError([f"{place}: this is not YAML: {error.problem or error.context}"]) from error
    except yaml.YAMLError as error:
        raise FlowError([f"{source}: this is not YAML: {error}"]) from error
    for node in nodes:
        lines: dict[Path, int] = {}
        yield Document(_value(node, (), lines, source), Places(source, lines))


def _value(node: yaml.Node, path: Path, lines: dict[Path, int], source: str) -> Any:
    """Return the value of a node, and note the lines of it and all in it."""
    import yaml

    lines[path] = node.start_mark.line + 1
    if len(lines) > _MOST_NODES:
        raise FlowError([f"{source}: more than {_MOST_NODES} values; split the file"])
    if isinstance(node, yaml.MappingNode):
        made: dict[str, Any] = {}
        for key_node, inner in node.value:
            key = str(key_node.value)
            if key in made:
                raise FlowError([f"{source}:{key_node.start_mark.line + 1}: {key!r} stands here twice; remove one"])
            made[key] = _value(inner, (*path, key), lines, source)
            lines[*path, key] = key_node.start_mark.line + 1
        return made
    if isinstance(node, yaml.SequenceNode):
        return [_value(inner, (*path, place), lines, source) for place, inner in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if getattr(node, "style", None) is not None:  # quoted, or a block of text
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
