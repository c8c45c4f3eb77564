"""The demo's table, picture and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from rejoinder_customer_service.demo.scenario import DemoReport


def show_table(report: DemoReport) -> None:
    """Print before and after."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, title=f"{report.corrections} corrections, {report.seconds:.0f} s", pad_edge=False
    )
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    table.add_row(
        f"right answers to {report.test_questions} real questions",
        f"{report.accuracy_before:.1%}",
        f"{report.accuracy_after:.1%}",
    )
    table.add_row("corrected questions, asked again", "0.0%", f"{report.repeat_after_correction:.1%}")
    table.add_row("the same, after the last correction", "", f"{report.repeat_at_end:.1%}")
    if report.paraphrase_after_correction is not None:
        table.add_row(
            f"their paraphrases in the test ({report.paraphrases})", "0.0%", f"{report.paraphrase_after_correction:.1%}"
        )
    table.add_row("right before and wrong now", "", f"{report.unrelated_changed:.1%}")
    table.add_row("answers of the other bank that changed", "", f"{report.other_tenant_changed:.1%}")
    table.caption = "The measured bank always gives its best answer; by default a bot says when it does not know."
    Console().print(table)


def write_report(report: DemoReport, folder: Path) -> list[Path]:
    """Write report.json and learning-curve.png into a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    as_json = folder / "report.json"
    as_json.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    picture = folder / "learning-curve.png"
    _draw(report, picture)
    return [as_json, picture]


def _draw(report: DemoReport, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    left.plot(*zip(*report.curve, strict=True), marker="o", color="tab:blue")
    left.set(
        xlabel="corrections",
        ylabel="share answered rightly",
        title=f"Test questions ({min(300, report.test_questions)}, never learned from)",
    )
    right.plot(*zip(*report.stream, strict=True), marker="o", color="tab:green")
    right.set(xlabel="questions asked", title="Questions in service, windows of 50")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.margins(y=0.15)
    figure.suptitle("A support bot learns from corrections (banking77, 5 examples of each intent to start)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
