"""A picture of a flow: its steps from top to bottom, and lines for every way from one to another, as PNG, SVG or HTML."""

from __future__ import annotations

import html
import io
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.flows.language import (
    END,
    Ask,
    AskAgain,
    Branch,
    Call,
    Check,
    Condition,
    Confirm,
    End,
    Flow,
    HandOff,
    OfSlot,
    Say,
    SubFlow,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SUFFIXES", "draw_flow", "in_words"]

SUFFIXES: Final = (".png", ".svg", ".html")

_COLOURS: Final = {
    "say": ("#eef1f5", "#6b7280"),
    "ask": ("#d6e6f5", "#2f659b"),
    "again": ("#d6e6f5", "#2f659b"),
    "confirm": ("#d6e6f5", "#2f659b"),
    "check": ("#fde5c8", "#b0650f"),
    "branch": ("#fde5c8", "#b0650f"),
    "call": ("#d5edd1", "#37803a"),
    "flow": ("#e5d9f2", "#6a459b"),
    "hand_off": ("#f8d3d7", "#ae3645"),
    "end": ("#e0e0e0", "#555555"),
}
"""Fill and border of a step's box by its word."""

# All lengths are inches.
_WIDTH: Final = 4.2
_LINE: Final = 0.17
_PAD: Final = 0.12
_GAP: Final = 0.34
_MARGIN: Final = 0.3
_TITLE: Final = 0.5
_LANE: Final = 0.16
_LABEL: Final = 2.5
"""Room beside the boxes for what stands at the lines."""
_LETTERS: Final = 58
_LABEL_LETTERS: Final = 40
_DPI: Final = 150


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    word: str
    lines: tuple[str, ...]
    top: float

    @property
    def height(self) -> float:
        return 2 * _PAD + _LINE * (len(self.lines) + 1)

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class _Way:
    source: int
    target: int
    label: str


def draw_flow(flow: Flow, file: Path) -> None:
    """Write a picture of a flow; the file's ending says of which kind.

    Raises:
        InvalidInputError: the ending is another, or the file cannot be written.
    """
    if file.suffix not in SUFFIXES:
        raise InvalidInputError(f"{file}: a picture ends in {', '.join(SUFFIXES)}")
    kind = "png" if file.suffix == ".png" else "svg"
    picture = _drawn(flow, kind)
    if file.suffix == ".html":
        picture = _page(flow, picture.decode()).encode()
    try:
        file.write_bytes(picture)
    except OSError as error:
        raise InvalidInputError(f"{file}: cannot be written: {error}") from error


def in_words(condition: Condition) -> str:
    """Return a condition as a person reads it.

    Example:
        >>> in_words(Condition.model_validate({"not": {"slot": "total", "over": {"slot": "limit"}}}))
        'not (total over limit)'
    """
    if condition.not_ is not None:
        return f"not ({in_words(condition.not_)})"
    for parts, word in ((condition.all_, " and "), (condition.any_, " or ")):
        if parts is not None:
            return word.join(in_words(part) for part in parts)
    ((word, operand),) = condition.comparisons.items()
    if word == "filled":
        return f"{condition.slot} is {'known' if operand else 'not known'}"
    if isinstance(operand, OfSlot):
        operand = operand.slot
    value = ", ".join(map(str, operand)) if isinstance(operand, tuple) else str(operand)
    if isinstance(operand, bool):
        value = "yes" if operand else "no"
    return f"{condition.slot} {word.replace('_', ' ')} {value}"


def _drawn(flow: Flow, kind: str) -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    boxes, places = _boxes(flow)
    ways = list(_ways(flow, places))
    jumps = [way for way in ways if way.target != way.source + 1]
    lanes = _lanes(jumps)
    right = _MARGIN + _WIDTH + _LABEL + _LANE * (max((lanes[way] for way in jumps), default=0) + 2)
    height = boxes[-1].bottom + _MARGIN
    figure = Figure(figsize=(right + _MARGIN, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, right + _MARGIN)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(_MARGIN, _MARGIN + 0.1, f"{flow.flow}: {flow.title}", fontsize=12, weight="bold", va="center")
    for box in boxes:
        _draw_box(axes, box)
    _draw_ways(axes, boxes, ways, lanes)
    out = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rejoinder"}):
        figure.savefig(out, format=kind, metadata={"Date": None} if kind == "svg" else {})
    return out.getvalue()


def _boxes(flow: Flow) -> tuple[list[_Box], dict[str, int]]:
    boxes: list[_Box] = []
    top = _MARGIN + _TITLE
    for step in flow.steps:
        lines = tuple(textwrap.wrap(_told(step), _LETTERS, max_lines=4, placeholder=" …"))
        boxes.append(_Box(step.id, step.word, lines, top))
        top = boxes[-1].bottom + _GAP
    places = {box.name: place for place, box in enumerate(boxes)}
    if any(END in flow.ways_on(step) for step in flow.steps if not isinstance(step, End | HandOff)):
        places[END] = len(boxes)
        boxes.append(_Box(END, "end", (), top))
    return boxes, places


def _told(step: Any) -> str:
    match step:
        case Say():
            return step.say
        case Ask():
            return f"{step.ask}: {step.text}"
        case AskAgain():
            return f"{step.again}: {step.text or ''}"
        case Check():
            return in_words(step.check)
        case Branch():
            return "which way?"
        case Call():
            saved = f"  → {', '.join(step.save)}" if step.save else ""
            return step.call + saved
        case Confirm():
            return step.confirm
        case SubFlow():
            return step.flow
        case HandOff():
            return step.hand_off
        case _:
            return step.end or ""


def _ways(flow: Flow, places: dict[str, int]) -> Iterator[_Way]:
    for place, step in enumerate(flow.steps):
        for target, label in _targets(flow, step):
            if target in places:
                yield _Way(place, places[target], label)


def _targets(flow: Flow, step: Any) -> Iterator[tuple[str, str]]:
    match step:
        case End() | HandOff():
            return
        case Branch():
            for case in step.branch:
                yield case.go, in_words(case.when)
            if step.otherwise is not None:
                yield step.otherwise, "otherwise"
        case Check():
            yield flow.after(step), "holds"
            yield step.otherwise, "otherwise"
        case Confirm():
            yield flow.after(step), "yes"
            yield step.no, "no"
        case Call():
            yield flow.after(step), ""
            for status, target in step.failed.items():
                yield target, f"failed: {status}"
        case AskAgain():
            yield from ((target, "again") for target in flow.ways_on(step))
        case _:
            yield flow.after(step), ""


def _lanes(jumps: list[_Way]) -> dict[_Way, int]:
    """Give each line beside the boxes a lane in which no other runs at the same height, short lines nearest to the boxes."""
    taken: list[list[tuple[int, int]]] = []
    lanes: dict[_Way, int] = {}
    for way in sorted(jumps, key=lambda way: (abs(way.target - way.source), way.source)):
        start, end = sorted((way.source, way.target))
        lane = next(
            (at for at, used in enumerate(taken) if all(end < one or other < start for one, other in used)), None
        )
        if lane is None:
            lane = len(taken)
            taken.append([])
        taken[lane].append((start, end))
        lanes[way] = lane
    return lanes


def _draw_box(axes: Axes, box: _Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, border = _COLOURS[box.word]
    style = "round,pad=0,rounding_size=0.07"
    axes.add_patch(
        FancyBboxPatch((_MARGIN, box.top), _WIDTH, box.height, boxstyle=style, facecolor=fill, edgecolor=border, lw=1)
    )
    head = box.name if box.name == END else f"{box.word.replace('_', ' ')}  ·  {box.name}"
    axes.text(_MARGIN + _PAD, box.top + _PAD, head, fontsize=7.5, weight="bold", color=border, va="top")
    for number, line in enumerate(box.lines, start=1):
        axes.text(_MARGIN + _PAD, box.top + _PAD + _LINE * number, line, fontsize=8, color="#1f2328", va="top")


def _draw_ways(axes: Axes, boxes: list[_Box], ways: list[_Way], lanes: dict[_Way, int]) -> None:
    edge = _MARGIN + _WIDTH
    arrow = {"arrowstyle": "-|>", "color": "#4b5563", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    ends: dict[int, list[_Way]] = {}
    for way in ways:
        if way in lanes:
            ends.setdefault(way.source, []).append(way)
    comes = {target: [way for way in ways if way in lanes and way.target == target] for target in range(len(boxes))}
    for way in ways:
        source, target = boxes[way.source], boxes[way.target]
        if way not in lanes:
            middle = _MARGIN + _WIDTH / 2
            axes.annotate("", (middle, target.top), (middle, source.bottom), arrowprops=arrow)
            axes.text(
                middle + 0.08, source.bottom + _GAP / 2, _short(way.label), fontsize=7, color="#374151", va="center"
            )
            continue
        leaving = ends[way.source]
        y = source.top + source.height * (leaving.index(way) + 1) / (len(leaving) + 1 + len(comes[way.source]))
        arriving = comes[way.target]
        out = len(ends.get(way.target, ()))
        y_end = target.top + target.height * (out + arriving.index(way) + 1) / (len(arriving) + 1 + out)
        x = edge + _LABEL + _LANE * lanes[way]
        axes.plot([edge, x, x], [y, y, y_end], color="#9aa1ab", lw=0.9, solid_joinstyle="round")
        axes.annotate("", (edge, y_end), (x, y_end), arrowprops={**arrow, "color": "#9aa1ab"})
        axes.text(edge + 0.08, y - 0.02, _short(way.label), fontsize=7, color="#374151", va="bottom")


def _short(label: str) -> str:
    return textwrap.shorten(label, _LABEL_LETTERS, placeholder=" …")


def _page(flow: Flow, svg: str) -> str:
    title = html.escape(f"{flow.flow}: {flow.title}")
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        "<style>body{margin:0;background:#fff}svg{max-width:100%;height:auto;display:block;margin:auto}</style></head>"
        f"<body>{svg[svg.index('<svg') :]}</body></html>"
    )
