"""`rejoinder evaluate`: train and test through the code that serves, and report."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rejoinder.cli.output import JsonOption, show_record, show_table
from rejoinder.cli.runtime import load_encoder
from rejoinder.models.training.settings import Precision

if TYPE_CHECKING:
    from rejoinder.learning.evaluate_texts import TextReport
    from rejoinder.models.training.progress import Progress

__all__ = ["app"]


class _Kinds(TyperGroup):
    """The kinds here, and those that installed domains bring."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            self._add_brought()
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        self._add_brought()
        super().format_commands(ctx, formatter)

    def _add_brought(self) -> None:
        from rejoinder.cli import plugin_commands

        for name, command in plugin_commands("evaluate").items():
            self.commands.setdefault(name, command)


app = typer.Typer(cls=_Kinds, help="Figures on a data set, the same for everyone.", no_args_is_help=True)

_HIDDEN = ("confusion", "labels")
_STEPS_PER_LINE = 50
_BY_FILE = ("hits_at_1", "unanswered", "precision")

_TrainCsv = Annotated[Path, typer.Option("--train", help="CSV with header `text,label` to learn from; .gz is fine.")]
_TestCsv = Annotated[Path, typer.Option("--test", help="CSV with header `text,label`; nothing is chosen by it.")]
_PicturedReport = Annotated[
    Path | None, typer.Option("--report", help="Write the report as JSON here, and the confusion PNG beside it.")
]
_OosLabel = Annotated[
    str | None, typer.Option("--oos-label", metavar="NAME", help="The label that marks out-of-scope rows.")
]
_Shots = Annotated[
    int | None, typer.Option("--shots", metavar="K", min=1, help="Learn from K rows of each label, drawn by the seed.")
]
_Seed = Annotated[int, typer.Option("--seed", min=0, help="Fixes the draw, training and fit.")]
_Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="auto|head|lora|adalora|prefix_tuning|full",
        help="What is trained: a head on the frozen encoder, or an adapter first; auto: an adapter where labels have few rows.",
    ),
]


@app.callback()
def _group() -> None:
    """Figures on a data set, the same for everyone."""


@app.command()
def intent(
    train: _TrainCsv,
    test: _TestCsv,
    report: _PicturedReport = None,
    oos_label: _OosLabel = None,
    shots: _Shots = None,
    method: _Method = "auto",
    seed: _Seed = 0,
    json: JsonOption = False,
) -> None:
    """Intent classification, with out-of-scope rows where there are any."""
    from rejoinder.learning.evaluate_intent import evaluate_intent

    found = evaluate_intent(
        train,
        test,
        oos_label=oos_label,
        shots=shots,
        seed=seed,
        encoder=load_encoder(),
        method=method,
        progress=_tell,
    )
    _show_texts(found, report, json=json)


@app.command()
def sentiment(
    train: Annotated[
        Path,
        typer.Option("--train", help="CSV with header `text,label` to learn from, and `entity` if labels are for one."),
    ],
    test: Annotated[Path, typer.Option("--test", help="CSV with the same columns; nothing is chosen by it.")],
    before: Annotated[
        list[Path] | None,
        typer.Option("--before", help="Another CSV to train on first, without texts of --test; may be given again."),
    ] = None,
    report: _PicturedReport = None,
    oos_label: _OosLabel = None,
    shots: _Shots = None,
    method: _Method = "full",
    seed: _Seed = 0,
    json: JsonOption = False,
) -> None:
    """Sentiment of texts, or of entities in texts."""
    from rejoinder.learning.evaluate_sentiment import evaluate_sentiment

    found = evaluate_sentiment(
        train,
        test,
        oos_label=oos_label,
        shots=shots,
        seed=seed,
        encoder=load_encoder(),
        method=method,
        progress=_tell,
        before=before or (),
    )
    _show_texts(found, report, json=json)


@app.command()
def qa(
    train: Annotated[Path, typer.Option("--train", help="SQuAD 1.1 or 2.0 JSON to learn from; .gz is fine.")],
    test: Annotated[Path, typer.Option("--test", help="SQuAD 1.1 or 2.0 JSON; nothing is chosen by it.")],
    report: Annotated[Path | None, typer.Option("--report", help="Write the report as JSON here.")] = None,
    method: _Method = "full",
    precision: Annotated[
        Precision, typer.Option(help="Of training. bf16 is quicker on CPUs with avx512_bf16 or amx, and on GPUs.")
    ] = "auto",
    stream: Annotated[
        Path | None,
        typer.Option(
            "--stream", help="SQuAD JSON of questions on whose answers simulated users give thumbs to learn from."
        ),
    ] = None,
    thumbs: Annotated[int, typer.Option("--thumbs", min=1, help="How many thumbs, with --stream.")] = 500,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="In how many rounds, with --stream.")] = 5,
    seed: _Seed = 0,
    json: JsonOption = False,
) -> None:
    """Question answering from passages, with questions that have no answer where there are any; with `--stream`, before and after
    learning from thumbs."""
    if stream is not None:
        from rejoinder.learning.evaluate_qa_thumbs import evaluate_qa_thumbs, write_thumbs_png

        learned = evaluate_qa_thumbs(
            train,
            stream,
            test,
            thumbs=thumbs,
            rounds=rounds,
            seed=seed,
            encoder=load_encoder(),
            method=method,
            precision=precision,
            progress=_tell,
        )
        if report is not None:
            learned.write(report)
            write_thumbs_png(learned, report.with_suffix(".png"))
        show_record(learned.to_json(), json=json)
        return
    from rejoinder.learning.evaluate_qa import evaluate_qa

    found = evaluate_qa(
        train, test, seed=seed, encoder=load_encoder(), method=method, precision=precision, progress=_tell
    )
    if report is not None:
        found.write(report)
    show_record(found.to_json(), json=json)


class _Spread(TyperCommand):
    """Takes `--train A B` for `--train A --train B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_spread(args, ("--train", "--test"))))


def _spread(args: Sequence[str], options: Container[str]) -> Iterator[str]:
    """Give arguments with an option of several values said again before each further value."""
    option, given = "", False
    for arg in args:
        if arg.startswith("-"):
            option, given = arg, False
        elif given and option in options:
            yield option
        else:
            given = True
        yield arg


@app.command("graph-qa", cls=_Spread)
def graph_qa(
    graph: Annotated[Path, typer.Option("--graph", help="The graph: lines `subject|relation|object`; .gz is fine.")],
    train: Annotated[
        list[Path],
        typer.Option(
            "--train",
            help="Questions to learn from, a topic in square brackets: `... [topic] ...<TAB>answer|answer`; may be given often.",
        ),
    ],
    test: Annotated[
        list[Path],
        typer.Option("--test", help="The same; nothing is chosen by it. May be given often; the report goes by file."),
    ],
    report: Annotated[Path | None, typer.Option("--report", help="Write the report as JSON here.")] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="BOLT-URL",
            help="A running Neo4j, instead of an embedded server in a temporary folder; a tenant is made and dropped.",
        ),
    ] = None,
    linked: Annotated[
        bool,
        typer.Option(
            "--linked", help="Take the brackets out of the test questions: entity linking must find the topics."
        ),
    ] = False,
    seed: _Seed = 0,
    json: JsonOption = False,
) -> None:
    """Question answering from a graph, in one to three hops."""
    from rejoinder.learning.evaluate_graph_qa import evaluate_graph_qa

    found = evaluate_graph_qa(
        graph,
        train,
        test,
        seed=seed,
        encoder=load_encoder(),
        url=url,
        marked=not linked,
        tell=lambda text: typer.echo(text, err=True),
    )
    if report is not None:
        found.write(report)
    data = found.to_json()
    if not json:
        rows = [{"file": name, **{part: data[part][name] for part in _BY_FILE}} for name in found.hits_at_1]
        show_table(rows, ["file", *_BY_FILE], json=False)
    show_record(data if json else {key: value for key, value in data.items() if key not in _BY_FILE}, json=json)


def _show_texts(found: TextReport, report: Path | None, *, json: bool) -> None:
    from rejoinder.learning.evaluate_texts import write_confusion_png

    if report is not None:
        found.write(report)
        write_confusion_png(found, report.with_suffix(".png"))
    data = found.to_json()
    show_record(data if json else {key: value for key, value in data.items() if key not in _HIDDEN}, json=json)


def _tell(progress: Progress) -> None:
    """Say on the error stream how far training is, every so many steps."""
    if progress.step % _STEPS_PER_LINE == 0 or progress.step == progress.total:
        typer.echo(f"training: step {progress.step} of {progress.total}, loss {progress.loss:.3f}", err=True)
