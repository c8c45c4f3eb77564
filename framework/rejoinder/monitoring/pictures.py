"""Pictures of what a replay found: the stream with its alerts, and the trend of each thing that an alert is about, as PNG."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError, RejoinderError
from rejoinder.monitoring.replay import Replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_BLUE: Final = "#2f659b"
_GREY: Final = "#9aa1ab"
_COLOURS: Final = {"critical": "#ae3645", "warning": "#b0650f", "info": "#5a6270"}
_DPI: Final = 130
_MOST_LINES: Final = 40


def draw(found: Replay, folder: Path) -> list[Path]:
    """Draw a replay into a folder, which is made if need be; return the files: `alerts.png`, and `<type>-<key>.png` of each trend.

    Raises:
        InvalidInputError: a file cannot be written.
        RejoinderError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RejoinderError("pictures need matplotlib: pip install 'rejoinder[models]'") from error
    drawn = []
    lines = list(dict.fromkeys(one["key"] for one in found.alerts))[:_MOST_LINES]
    figure = Figure(figsize=(10, 2.0 + 0.25 * len(lines)), layout="constrained")
    _overview(figure.subplots(), found, lines)
    drawn.append(_save(figure, folder / "alerts.png"))
    for trends in found.trends:
        for trend in trends["trends"]:
            about = [
                one for one in found.alerts if (one["data"].get("type"), one["key"]) == (trends["type"], trend["key"])
            ]
            figure = Figure(figsize=(10, 4.5), layout="constrained")
            _trend(figure.subplots(), trends, trend, about)
            name = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{trends['type']}-{trend['key']}")
            drawn.append(_save(figure, folder / f"{name}.png"))
    return drawn


def _save(figure: Figure, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=_DPI)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _overview(axes: Axes, found: Replay, lines: Sequence[str]) -> None:
    for severity, colour in _COLOURS.items():
        some = [one for one in found.alerts if one["severity"] == severity and one["key"] in lines]
        places = [lines.index(one["key"]) for one in some]
        axes.scatter([_at(one["at"]) for one in some], places, c=colour, s=28, label=f"{severity} ({len(some)})")
    axes.set_yticks(range(len(lines)), [_plain(line) or "(all)" for line in lines], fontsize=8)
    axes.set_xlim(_at(found.first), _at(found.last))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.xaxis_date()
    axes.tick_params(axis="x", rotation=30)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    axes.set_title(f"Alerts: {len(found.alerts)}, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}", fontsize=11)


def _trend(
    axes: Axes, trends: Mapping[str, Any], trend: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]
) -> None:
    starts = [_at(bucket["start"]) for bucket in trend["buckets"]]
    width = {"hour": 1 / 24, "day": 1.0, "week": 7.0}[trends["bucket"]]
    counts = [bucket["count"] for bucket in trend["buckets"]]
    axes.bar(starts, counts, width=0.9 * width, align="edge", color=_GREY, label="documents")
    axes.set_ylabel(f"documents a {trends['bucket']}")
    for alert in alerts:
        axes.axvline(_at(alert["at"]), color=_COLOURS[alert["severity"]], linewidth=1.2)
    mood = axes.twinx()
    means = [math.nan if bucket["sentiment"] is None else bucket["sentiment"] for bucket in trend["buckets"]]
    mood.plot(starts, means, ".-", color=_BLUE, linewidth=1, label="mean sentiment")
    mood.set_ylim(-1.05, 1.05)
    mood.set_ylabel("mean sentiment", color=_BLUE)
    axes.xaxis_date()
    axes.tick_params(axis="x", rotation=30)
    axes.set_title(
        f"{_plain(trend['key'])} ({_plain(trends['type'])}): documents: {trend['count']}, alerts (lines): {len(alerts)}",
        fontsize=11,
    )


def _at(said: str | datetime) -> float:
    """Return a moment as a place on an axis of dates."""
    from matplotlib.dates import date2num

    moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    return float(date2num(moment))  # type: ignore[no-untyped-call]


def _plain(text: str) -> str:
    """Return a text as it is drawn: `$` would begin a formula."""
    return text.replace("$", r"\$")
