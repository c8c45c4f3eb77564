"""A verdict for people: what was compared, what came of it and why, as Markdown, JSON and a picture."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rejoinder.models.artefact import write_durably

_MARKS: Final[Mapping[bool | None, str]] = {True: "passed", False: "failed", None: "not looked at"}
_WORDS: Final[Mapping[str, str]] = {"promote": "let through", "reject": "not let through", "wait": "must wait"}
_COLOURS: Final[Mapping[bool | None, str]] = {True: "#2a7f62", False: "#b3403a", None: "#8a8f98"}


def markdown(name: str, verdict: Mapping[str, Any], *, lineage: Mapping[str, Any] | None = None) -> str:
    """Return the report card of a version as Markdown.

    Args:
        name: of the version, such as "intent-7".
        verdict: the fields of a `Verdict`, as they are stored.
        lineage: what the version was made of, by name.
    """
    lines = [
        f"# {name}: {_WORDS[verdict['decision']]}",
        "",
        f"{verdict['reason'][:1].upper()}{verdict['reason'][1:]}.",
        "",
        f"On {verdict['rows']:,} held-back rows, attempt {verdict['attempt']} on them: live {verdict['live']:.4f}, "
        f"candidate {verdict['candidate']:.4f}.",
        "",
        "| check | result | value | limit | in words |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {check['name']} | {_MARKS[check['passed']]} | {_figure(check['value'])} | {_figure(check['limit'])} | {check['text']} |"
        for check in verdict["checks"]
    ]
    if verdict.get("lists"):
        lines += _estimates(verdict["lists"])
    rules = ", ".join(f"{rule} {value:g}" for rule, value in verdict["rules"].items())
    lines += ["", f"Rules: {rules}."]
    if lineage:
        lines += ["", *(f"- {key}: {value}" for key, value in lineage.items())]
    return "\n".join(lines) + "\n"


def write_report_card(
    folder: Path, name: str, verdict: Mapping[str, Any], *, lineage: Mapping[str, Any] | None = None
) -> tuple[Path, ...]:
    """Write `<name>.json`, `<name>.md` and `<name>.png` into a folder, made if need be; return their paths.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    as_json, as_text, as_picture = (folder / f"{name}.{ending}" for ending in ("json", "md", "png"))
    card = {"version": name, **verdict, "lineage": dict(lineage or {})}
    write_durably(as_json, (json.dumps(card, ensure_ascii=False, indent=2, default=str) + "\n").encode())
    write_durably(as_text, markdown(name, verdict, lineage=lineage).encode())
    _draw(as_picture, name, verdict)
    return as_json, as_text, as_picture


def _estimates(lists: Mapping[str, Any]) -> list[str]:
    found = [*lists["estimates"], {**lists["difference"], "name": "difference (doubly robust)"}]
    return [
        "",
        f"Off-policy, on {lists['lists']:,} lists that the live version showed to {lists['people']:,} held-back people, by the "
        f"propensity of each item at its position: {lists['effective']:,.0f} effective lists; {lists['coverage']:.0%} of the "
        f"candidate's items could have been shown. The live version earned {lists['live']:.4f} welcome items a list.",
        "",
        "| estimate of the candidate | value | 95 % interval |",
        "|---|---|---|",
        *(f"| {one['name']} | {one['value']:.4f} | {one['low']:.4f} to {one['high']:.4f} |" for one in found),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _draw(path: Path, name: str, verdict: Mapping[str, Any]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    checks = verdict["checks"]
    figure = Figure(figsize=(8, 0.85 * len(checks)), layout="constrained")
    FigureCanvasAgg(figure)
    bars, words = figure.subplots(1, 2, width_ratios=(1, 2.2))
    means = [verdict["live"], verdict["candidate"]]
    rows = max(verdict["rows"], 1)
    spread = [1.96 * math.sqrt(max(mean * (1 - mean), 0.0) / rows) for mean in means]
    bars.bar(
        ["live", "candidate"],
        means,
        yerr=spread,
        capsize=4,
        color=["#8a8f98", _COLOURS[verdict["decision"] == "promote"]],
    )
    lowest = min(mean - error for mean, error in zip(means, spread, strict=True))
    bars.set_ylim(max(0.0, lowest - 0.05), 1.0)
    bars.set_ylabel(f"mean score, {verdict['rows']:,} held-back rows")
    words.axis("off")
    words.set_title(f"{name}: {_WORDS[verdict['decision']]}", loc="left", fontweight="bold")
    for row, check in enumerate(checks):
        top = 0.9 - 0.96 / len(checks) * row
        words.text(
            0.0, top, f"{check['name']}: {_MARKS[check['passed']]}", color=_COLOURS[check["passed"]], fontweight="bold"
        )
        words.text(0.0, top - 0.02, _wrapped(check["text"]), fontsize=8, va="top")
    figure.savefig(path, dpi=150)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 78))
