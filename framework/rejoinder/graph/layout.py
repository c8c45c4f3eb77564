"""Where the parts of a picture of a neighbourhood go: entities as boxes, none over another, and a place for the words at each line.

Lengths are points (1/72 inch), x to the right and y downwards. The same neighbourhood always gives the same layout.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.graph.values import Entity, Neighbourhood

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LINE_SIZE", "NAME_SIZE", "TITLE_SIZE", "Box", "Key", "Layout", "Line", "Rectangle", "arrange", "one_line"]

NAME_SIZE: Final = 9.0
LINE_SIZE: Final = 7.5
TITLE_SIZE: Final = 13.0

_LONGEST_NAME: Final = 30
_LONGEST_TITLE: Final = 60
_LONGEST_LINE: Final = 60
_HEIGHT: Final = 20.0
_PAD: Final = 8.0
_GAP: Final = (18.0, 24.0)
"""Least room between two boxes, across and down."""
_MARGIN: Final = 24.0
_RING: Final = 140.0
"""Least radius of the first ring, and how far apart the others are."""
_STRETCH: Final = 1.25
"""How much wider than high a ring is."""
_CROWDED: Final = 12
"""Boxes from which on every other one is drawn in."""
_INNER: Final = 0.62
"""Share of the radius at which those are."""
_DRAWN: Final = 0.75
"""Share of the radius that is needed then."""
_LEAF: Final = 2.0
"""Says how much less of an angle boxes of outer rings need."""
_ANGLES: Final = 721
_KEY_SIDE: Final = 11.0
_KEY_GAP: Final = 16.0
_KEY_ROW: Final = 18.0
_LOOP: Final = 12.0
_ROUNDS: Final = 300
_PAIRS: Final = 60_000_000
"""Pairs of boxes that are looked at, over all rounds."""
_PLACES: Final = (0.6, 0.52, 0.68, 0.44, 0.76, 0.36, 0.84)
"""Shares of a line, from its end nearer to the centre, where its words may stand, best first."""

_Point = tuple[float, float]
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place by its centre and size."""

    x: float
    y: float
    width: float
    height: float

    def shared(self, other: Rectangle) -> float:
        """Return the area that both cover."""
        across = (self.width + other.width) / 2 - abs(self.x - other.x)
        down = (self.height + other.height) / 2 - abs(self.y - other.y)
        return across * down if across > 0 and down > 0 else 0.0

    def border(self, x: float, y: float) -> _Point:
        """Return where a line from the centre to a point outside leaves the rectangle."""
        across, down = x - self.x, y - self.y
        share = min(
            self.width / 2 / abs(across) if across else math.inf,
            self.height / 2 / abs(down) if down else math.inf,
            1.0,
        )
        return self.x + across * share, self.y + down * share


@dataclass(frozen=True, slots=True)
class Box:
    """An entity, and its name as it is written there."""

    entity: Entity
    label: str
    place: Rectangle


@dataclass(frozen=True, slots=True)
class Line:
    """All relations between two entities.

    Attributes:
        points: of the line, from subject to object; two, or four of a relation that leads back to its subject.
        back: whether there are relations the other way too.
        names: of the relations.
    """

    points: tuple[_Point, ...]
    back: bool
    label: str
    place: Rectangle
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A kind in the legend: the left upper corner of its colour's square."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture's parts; `title` stands at the left upper corner, `subtitle` below it."""

    width: float
    height: float
    title: str
    subtitle: str
    kinds: tuple[str, ...]
    keys: tuple[Key, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def arrange(neighbourhood: Neighbourhood, centre: str) -> Layout:
    """Return the layout of a neighbourhood around one of its entities."""
    entities = {one.id: one for one in neighbourhood.entities}
    kinds = tuple(
        kind
        for kind, _ in sorted(Counter(one.kind for one in entities.values()).items(), key=lambda one: (-one[1], one[0]))
    )
    labels = {id_: one_line(one.name, _LONGEST_NAME) for id_, one in entities.items()}
    sizes = np.array([(_text_width(labels[id_], NAME_SIZE) + 2 * _PAD, _HEIGHT) for id_ in entities])
    at = _positions(neighbourhood, centre, sizes)
    counted = f"{len(entities)} entities, {len(neighbourhood.relations)} relations"
    title = one_line(entities[centre].name, _LONGEST_TITLE)
    subtitle = counted + ("; there are more" if neighbourhood.truncated else "")
    low = (at - sizes / 2).min(axis=0)
    high = (at + sizes / 2).max(axis=0)
    width = max(
        float(high[0] - low[0]),
        _text_width(title, TITLE_SIZE) * 1.1,
        _text_width(subtitle, NAME_SIZE),
        200.0,
    )
    keys, header = _legend(kinds, width)
    at = at - low + (_MARGIN + (width - (high[0] - low[0])) / 2, header)
    boxes = {
        id_: Box(entities[id_], labels[id_], Rectangle(float(x), float(y), float(size[0]), float(size[1])))
        for id_, (x, y), size in zip(entities, at, sizes, strict=True)
    }
    return Layout(
        width=width + 2 * _MARGIN,
        height=float(high[1] - low[1]) + header + _MARGIN,
        title=title,
        subtitle=subtitle,
        kinds=kinds,
        keys=keys,
        boxes=tuple(boxes.values()),
        lines=_lines(neighbourhood, boxes, boxes[centre].place),
    )


def one_line(text: str, longest: int) -> str:
    """Return a text in one line, without characters that control how it is written, cut when it is too long."""
    text = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text[: 4 * longest])
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _text_width(text: str, size: float) -> float:
    """About how wide a text is."""
    wide = sum(
        0.0 if unicodedata.combining(one) else 1.0 if unicodedata.east_asian_width(one) in "WF" else 0.6 for one in text
    )
    return wide * size


def _positions(neighbourhood: Neighbourhood, centre: str, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centres of the boxes, in the order of the entities: on rings around the centre, each outside of the one that leads to it.

    A ring has more room for wide boxes at its sides than above and below, so these are further apart there; and where a ring is
    crowded every other box is drawn in, with room for a line between two of them.
    """
    ids = [one.id for one in neighbourhood.entities]
    order, children = _tree(neighbourhood, ids, centre)
    depth = {centre: 0}
    for id_ in order:
        depth.update(dict.fromkeys(children[id_], depth[id_] + 1))
    weight: dict[str, float] = {}
    for id_ in reversed(order):
        weight[id_] = sum(weight[one] for one in children[id_]) or _LEAF / (_LEAF + depth[id_] - 1)
    angles = np.linspace(0.0, 2 * math.pi, _ANGLES)
    width, height = sizes.mean(axis=0) + _GAP
    density = 1.0 / (np.abs(np.sin(angles)) * width / _STRETCH + np.abs(np.cos(angles)) * height)
    share = np.concatenate(([0.0], np.cumsum((density[1:] + density[:-1]) / 2)))
    crowded = weight[centre] > _CROWDED
    room = weight[centre] / (share[-1] * 2 * math.pi / (_ANGLES - 1))
    first = max(_RING, room * (_DRAWN if crowded else 1.0))
    begins = {centre: 0.0}
    found = {centre: (0.0, 0.0)}
    inner = False
    for id_ in order:
        begin = begins[id_]
        for other in children[id_]:
            begins[other] = begin
            middle = (begin + weight[other] / 2) / weight[centre]
            begin += weight[other]
            angle = float(np.interp(middle * share[-1], share, angles)) + math.pi
            inner = crowded and not children[other] and not inner
            radius = first + (depth[other] - 1) * _RING
            radius -= (1 - _INNER) * (first if depth[other] == 1 else _RING) if inner else 0.0
            found[other] = (radius * math.cos(angle) * _STRETCH, radius * math.sin(angle))
    return _apart(np.array([found[id_] for id_ in ids], dtype=np.float64), sizes)


def _tree(
    neighbourhood: Neighbourhood, ids: Sequence[str], centre: str
) -> tuple[list[str], Mapping[str, Sequence[str]]]:
    """The entities in the order in which relations lead to them, and what each is the first to lead to."""
    near: dict[str, set[str]] = defaultdict(set)
    for one in neighbourhood.relations:
        near[one.subject].add(one.object)
        near[one.object].add(one.subject)
    order, children = [centre], defaultdict(list)
    seen = {centre}
    for id_ in order:
        for other in sorted(near[id_] - seen):
            seen.add(other)
            order.append(other)
            children[id_].append(other)
    alone = [id_ for id_ in ids if id_ not in seen]
    children[centre] += alone
    return order + alone, children


def _apart(at: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Push boxes that cover one another apart, each pair in the direction in which less is needed."""
    need = (sizes[:, None] + sizes[None]) / 2 + _GAP
    above = np.tri(len(at), k=-1, dtype=bool)
    for _ in range(max(20, min(_ROUNDS, _PAIRS // len(at) ** 2))):
        apart = at[:, None] - at[None]
        over = need - np.abs(apart)
        hit = np.logical_and(over[:, :, 0] > 0, over[:, :, 1] > 0) & ~np.eye(len(at), dtype=bool)
        if not hit.any():
            break
        sign = np.where((apart > 0) | ((apart == 0) & above[:, :, None]), 1.0, -1.0)
        across = over[:, :, 0] < over[:, :, 1]
        push = np.where((hit & across)[:, :, None], over * sign * (1.0, 0.0), 0.0)
        push += np.where((hit & ~across)[:, :, None], over * sign * (0.0, 1.0), 0.0)
        at = at + push.sum(axis=1) / np.maximum(hit.sum(axis=1), 1)[:, None] / 1.6
    return at


def _legend(kinds: Sequence[str], width: float) -> tuple[tuple[Key, ...], float]:
    """The legend's entries in rows, and where the rest of the picture begins."""
    keys = []
    x, y = _MARGIN, _MARGIN + TITLE_SIZE + NAME_SIZE + 14.0
    for kind in kinds:
        wide = _KEY_SIDE + 5.0 + _text_width(kind, NAME_SIZE)
        if x > _MARGIN and x + wide > _MARGIN + width:
            x, y = _MARGIN, y + _KEY_ROW
        keys.append(Key(kind, x, y))
        x += wide + _KEY_GAP
    return tuple(keys), y + _KEY_ROW + _MARGIN


def _lines(neighbourhood: Neighbourhood, boxes: Mapping[str, Box], centre: Rectangle) -> tuple[Line, ...]:
    names: dict[_Pair, list[str]] = defaultdict(list)
    for one in neighbourhood.relations:
        names[one.subject, one.object].append(one.name)
    taken = [box.place for box in boxes.values()]
    found = []
    for (subject, object_), ahead in names.items():
        back = names.get((object_, subject), []) if subject != object_ else []
        if back and object_ < subject:
            continue
        first, last = boxes[subject].place, boxes[object_].place
        label = one_line(", ".join(ahead) + (f" / {', '.join(back)}" if back else ""), _LONGEST_LINE)
        width, height = _text_width(label, LINE_SIZE) + 4.0, LINE_SIZE + 3.0
        if subject == object_:
            top = first.y - first.height / 2
            points = tuple(
                (first.x + x, y) for x, y in ((-_LOOP, top), (-_LOOP, top - _LOOP), (_LOOP, top - _LOOP), (_LOOP, top))
            )
            places = [Rectangle(first.x, top - _LOOP, width, height)]
        else:
            points = (first.border(last.x, last.y), last.border(first.x, first.y))
            (x, y), (far_x, far_y) = sorted(points, key=lambda one: math.dist(one, (centre.x, centre.y)))
            places = [Rectangle(x + (far_x - x) * one, y + (far_y - y) * one, width, height) for one in _PLACES]
        place = min(places, key=lambda one: sum(one.shared(other) for other in taken))
        taken.append(place)
        found.append(Line(points, bool(back), label, place, (*ahead, *back)))
    return tuple(found)
