"""A picture of a neighbourhood: entities coloured by kind, and their relations, as PNG or as HTML that needs nothing else."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from rejoinder.errors import GraphError, InvalidInputError
from rejoinder.graph.layout import LINE_SIZE, NAME_SIZE, TITLE_SIZE, Box, Layout, Line, arrange, one_line
from rejoinder.graph.values import Entity, Neighbourhood

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SUFFIXES", "draw"]

SUFFIXES: Final = (".png", ".html")

_COLOURS: Final = (
    ("#d6e6f5", "#2f659b"),
    ("#fde5c8", "#b0650f"),
    ("#d5edd1", "#37803a"),
    ("#f8d3d7", "#ae3645"),
    ("#e5d9f2", "#6a459b"),
    ("#c9edee", "#197a81"),
    ("#f8d8ea", "#a53f80"),
    ("#edf0b8", "#74751a"),
    ("#eaddd0", "#75522f"),
    ("#e0e0e0", "#555555"),
)
"""Fill and border of the boxes of a kind, the most frequent kind first."""
_INK: Final = "#1f2328"
_GREY: Final = "#6b7280"
_LINE: Final = "#9aa1ab"
_FONTS: Final = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
)
"""For PNG, those that are installed: each is asked for what the ones before it lack."""
_DPI: Final = 150.0
_MOST_PIXELS: Final = 10_000.0
_MOST_TOLD: Final = 30
"""Lines about an entity where the mouse points."""
_LONGEST_TOLD: Final = 300


def draw(neighbourhood: Neighbourhood, path: Path, *, centre: str) -> None:
    """Draw a neighbourhood into a file, whose folder is made if need be; what is there is replaced.

    Args:
        path: ends with `.png` or `.html`. HTML has all names in full, with what else is known, where the mouse points.
        centre: id of the entity in the middle.
    Raises:
        InvalidInputError: the name has another ending, the centre is not in the neighbourhood, or the file cannot be written.
        GraphError: matplotlib is missing.
    """
    if path.suffix.casefold() not in SUFFIXES:
        raise InvalidInputError(f"{path}: a picture's name ends with {' or '.join(SUFFIXES)}")
    if all(one.id != centre for one in neighbourhood.entities):
        raise InvalidInputError(f"there is no entity {centre!r} in this neighbourhood, so nothing to draw around it")
    layout = arrange(neighbourhood, centre)
    colours = {kind: _COLOURS[number % len(_COLOURS)] for number, kind in enumerate(layout.kinds)}
    data = _html(layout, centre, colours) if path.suffix.casefold() == ".html" else _png(layout, centre, colours)
    _write(path, data)


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{uuid4().hex}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _png(layout: Layout, centre: str, colours: Mapping[str, tuple[str, str]]) -> bytes:
    try:
        import matplotlib
        from matplotlib import font_manager
        from matplotlib.figure import Figure
    except ImportError as error:
        raise GraphError("a picture needs more packages: pip install 'rejoinder[graph]'") from error
    import warnings

    installed = set(font_manager.get_font_names())
    figure = Figure(figsize=(layout.width / 72, layout.height / 72), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    data = io.BytesIO()
    with (
        matplotlib.rc_context({"font.family": [name for name in _FONTS if name in installed] or ["sans-serif"]}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        _paint(axes, layout, centre, colours)
        dpi = min(_DPI, _MOST_PIXELS * 72 / max(layout.width, layout.height))
        figure.savefig(data, format="png", dpi=dpi)
    return data.getvalue()


def _paint(axes: Axes, layout: Layout, centre: str, colours: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

    def text(x: float, y: float, words: str, **style: Any) -> None:
        axes.text(x, y, words, parse_math=False, **{"color": _INK, "va": "center", **style})

    first = layout.keys[0]
    text(first.x, first.y - NAME_SIZE - TITLE_SIZE - 4.0, layout.title, size=TITLE_SIZE, weight="bold")
    text(first.x, first.y - NAME_SIZE - 1.0, layout.subtitle, size=NAME_SIZE, color=_GREY)
    for key in layout.keys:
        fill, border = colours[key.kind]
        axes.add_patch(Rectangle((key.x, key.y), 11, 11, facecolor=fill, edgecolor=border, linewidth=0.8))
        text(key.x + 16, key.y + 5.5, key.kind, size=NAME_SIZE)
    for line in layout.lines:
        for begin, end in zip(line.points, line.points[1:-1], strict=False):
            axes.plot(*zip(begin, end, strict=True), color=_LINE, linewidth=0.9, zorder=1)
        ends = "<|-|>" if line.back else "-|>"
        arrow = FancyArrowPatch(
            line.points[-2],
            line.points[-1],
            arrowstyle=ends,
            mutation_scale=8,
            shrinkA=0,
            shrinkB=0,
            color=_LINE,
            linewidth=0.9,
            zorder=1,
        )
        axes.add_patch(arrow)
    for line in layout.lines:
        text(
            line.place.x,
            line.place.y,
            line.label,
            size=LINE_SIZE,
            color=_GREY,
            ha="center",
            zorder=2,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    for box in layout.boxes:
        fill, border = colours[box.entity.kind]
        place = box.place
        axes.add_patch(
            FancyBboxPatch(
                (place.x - place.width / 2, place.y - place.height / 2),
                place.width,
                place.height,
                boxstyle="round,pad=0,rounding_size=5",
                facecolor=fill,
                edgecolor=border,
                linewidth=_border(box, centre),
                zorder=3,
            )
        )
        weight = "bold" if box.entity.id == centre else "normal"
        text(place.x, place.y, box.label, size=NAME_SIZE, ha="center", weight=weight, zorder=4)


def _html(layout: Layout, centre: str, colours: Mapping[str, tuple[str, str]]) -> bytes:
    first = layout.keys[0]
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_safe(layout.title)}</title>",
        "<style>body{margin:0;background:#fff}svg{display:block;max-width:100%;height:auto;margin:auto;"
        "font-family:'DejaVu Sans',system-ui,sans-serif}text{dominant-baseline:central}.c{text-anchor:middle}</style>",
        f'</head>\n<body>\n<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{layout.width:.0f}pt" '
        f'viewBox="0 0 {layout.width:.1f} {layout.height:.1f}">',
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 1L10 5L0 9z" fill="{_LINE}"/></marker></defs>',
        _text(first.x, first.y - NAME_SIZE - TITLE_SIZE - 4.0, layout.title, TITLE_SIZE, more=' font-weight="bold"'),
        _text(first.x, first.y - NAME_SIZE - 1.0, layout.subtitle, NAME_SIZE, _GREY),
    ]
    for key in layout.keys:
        fill, border = colours[key.kind]
        parts.append(f'<rect x="{key.x:.1f}" y="{key.y:.1f}" width="11" height="11" fill="{fill}" stroke="{border}"/>')
        parts.append(_text(key.x + 16, key.y + 5.5, key.kind, NAME_SIZE))
    parts += [_svg_line(line) for line in layout.lines]
    parts += [_svg_words(line) for line in layout.lines]
    parts += [_svg_box(box, centre, *colours[box.entity.kind]) for box in layout.boxes]
    parts.append("</svg>\n</body>\n</html>\n")
    return "\n".join(parts).encode()


def _svg_line(line: Line) -> str:
    points = "L".join(f"{x:.1f} {y:.1f}" for x, y in line.points)
    back = ' marker-start="url(#arrow)"' if line.back else ""
    return f'<path d="M{points}" fill="none" stroke="{_LINE}" marker-end="url(#arrow)"{back}/>'


def _svg_words(line: Line) -> str:
    place = line.place
    return (
        f"<g><title>{_safe(', '.join(line.names))}</title>"
        f'<rect x="{place.x - place.width / 2:.1f}" y="{place.y - place.height / 2:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" fill="#fff"/>'
        f"{_text(place.x, place.y, line.label, LINE_SIZE, _GREY, more=_CENTRED)}</g>"
    )


def _svg_box(box: Box, centre: str, fill: str, border: str) -> str:
    place = box.place
    bold = ' font-weight="bold"' if box.entity.id == centre else ""
    return (
        f"<g><title>{_safe(_told(box.entity))}</title>"
        f'<rect x="{place.x - place.width / 2:.1f}" y="{place.y - place.height / 2:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="5" fill="{fill}" stroke="{border}" stroke-width="{_border(box, centre)}"/>'
        f"{_text(place.x, place.y, box.label, NAME_SIZE, more=_CENTRED + bold)}</g>"
    )


_CENTRED: Final = ' class="c"'


def _text(x: float, y: float, words: str, size: float, colour: str = _INK, *, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{more}>{_safe(words)}</text>'


def _border(box: Box, centre: str) -> float:
    return 2.2 if box.entity.id == centre else 0.9


def _told(entity: Entity) -> str:
    """What is known of an entity, in lines."""
    lines = [f"{entity.kind}: {entity.name}", f"id: {entity.id}"]
    if entity.aliases:
        lines.append(f"also: {', '.join(entity.aliases)}")
    if entity.description:
        lines.append(entity.description)
    lines += [f"{name}: {value}" for name, value in entity.properties.items()]
    return "\n".join(one_line(line, _LONGEST_TOLD) for line in lines[:_MOST_TOLD])


def _safe(text: str) -> str:
    """Text as it may stand in an element or in an attribute."""
    return html.escape(
        "".join(one if one >= " " or one == "\n" else " " for one in text).replace("\x7f", " "), quote=True
    )
