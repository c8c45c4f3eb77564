"""`rejoinder train`: a model of one task from a file of examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.output import JsonOption, show_record
from rejoinder.cli.runtime import load_encoder
from rejoinder.errors import ConflictError, SettingsError

if TYPE_CHECKING:
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.scalars import Scalars
    from rejoinder.models.training.settings import TrainingSettings

__all__ = ["app"]

app = typer.Typer(help="Train a model of one task from a file of examples.")


@app.command()
def train(
    train: Annotated[
        Path,
        typer.Option(
            "--train",
            help="Examples: CSV `text,label` (classification, multi-label), SQuAD JSON (qa), or JSON lines (all); .gz is fine.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", help="Folder for the model: `head/`, `adapter/`, `training.json`.")
    ],
    task_kind: Annotated[
        str, typer.Option("--task-kind", metavar="classification|multi-label|pairs|qa|tags", help="What to learn.")
    ] = "classification",
    dev: Annotated[
        Path | None, typer.Option("--dev", help="Examples by which training stops early; also scored at the end.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="head|lora|adalora|prefix_tuning|full",
            help="What is trained: a head on the frozen encoder, or an adapter of the encoder first.",
        ),
    ] = "full",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Fixes weights, order and dropout.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the output folder.")
    ] = False,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Most passes over the examples.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Examples for one step.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Peak rate of the encoder's part.")
    ] = None,
    dev_share: Annotated[
        float | None, typer.Option("--dev-share", help="Share of the examples to hold out where there is no --dev.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="A torch device; the default is a GPU if there is one.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="auto|float32|bf16", help="Of the encoder's passes.")
    ] = None,
    method_setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method, such as rank=16; may be repeated."),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Write scalars for TensorBoard here.")
    ] = None,
    wandb: Annotated[
        str | None, typer.Option("--wandb", metavar="PROJECT", help="Send scalars to Weights & Biases.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train a model of one task from a file of examples."""
    from rejoinder.learning.evaluate_texts import HEAD
    from rejoinder.learning.train_task import (
        KINDS,
        REPORT,
        save_task_model,
        settings_as_json,
        train_task,
        work_folder,
    )
    from rejoinder.learning.training_files import read_examples
    from rejoinder.models.adapters.method import find_method, make_settings

    if task_kind not in KINDS:
        raise SettingsError(f"--task-kind is {task_kind!r}, expected one of {', '.join(KINDS)}")
    if (output / REPORT).exists():
        raise ConflictError(f"{output} holds a trained model already: give another --output, or remove it first")
    own: Any = None
    if method == HEAD:
        if method_setting:
            raise SettingsError("--set is for methods that train an adapter; --method head trains none")
    else:
        own = make_settings(find_method(method).settings, _said(method_setting or []))
    examples, train_sha256 = read_examples(train, task_kind)
    dev_examples, dev_sha256 = read_examples(dev, task_kind) if dev is not None else (None, None)
    settings = _changed(
        KINDS[task_kind].settings(len(examples)),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        dev_share=dev_share,
        device=device,
        precision=precision,
    )
    encoder = load_encoder()
    made_of = {
        "method": method,
        "seed": seed,
        "encoder": encoder.name,
        "base_hash": encoder.hash,
        "settings": {} if method == HEAD else settings_as_json(settings),
        "method_settings": settings_as_json(own),
        "train": {"file": train.name, "sha256": train_sha256, "examples": len(examples)},
        "dev": None if dev is None else {"file": dev.name, "sha256": dev_sha256, "examples": len(dev_examples or ())},
    }
    scalars = _scalars(tensorboard, wandb, made_of)
    try:
        with _bar(shown=not json) as report:
            model = train_task(
                task_kind,
                examples,
                encoder=encoder,
                method=method,
                method_settings=own,
                settings=settings,
                seed=seed,
                dev=dev_examples,
                work_dir=None if method == HEAD else work_folder(output),
                resume=resume,
                report=report,
                scalars=scalars,
            )
    finally:
        if scalars is not None:
            scalars.close()
    save_task_model(output, model, made_of=made_of)
    if work_folder(output).is_dir():
        work_folder(output).rmdir()
    found: dict[str, Any] = {
        "output": str(output),
        "task_kind": task_kind,
        "method": method,
        "examples": len(examples),
        "adapter": model.adapter.id if model.adapter is not None else None,
        "adapter_bytes": model.adapter.nbytes if model.adapter is not None else 0,
        "head_bytes": model.learner.size(),
        "seconds": round(model.seconds, 3),
        **model.metrics,
    }
    show_record(found, json=json)


def _said(pairs: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE, where the value is JSON or else a text."""
    import json

    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise SettingsError(f"--set {pair!r}: expected NAME=VALUE, such as rank=16")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def _changed(settings: TrainingSettings, **said: Any) -> TrainingSettings:
    names = {one.name for one in fields(settings)}
    return replace(settings, **{name: value for name, value in said.items() if value is not None and name in names})


def _scalars(tensorboard: Path | None, wandb: str | None, settings: dict[str, Any]) -> Scalars | None:
    if tensorboard is not None and wandb is not None:
        raise SettingsError("--tensorboard and --wandb cannot be used together: choose one")
    if tensorboard is not None:
        from rejoinder.models.training.scalars import TensorBoard

        return TensorBoard(tensorboard)
    if wandb is not None:
        from rejoinder.models.training.scalars import WeightsAndBiases

        return WeightsAndBiases(wandb, settings=settings)
    return None


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A bar on the error stream, where that is a terminal; in a log a line now and then would say more."""
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("training", total=None, said="")

        def report(progress: Progress) -> None:
            metric = "" if progress.metric is None else f", best {progress.metric:.3f}"
            said = f"epoch {progress.epoch}, loss {progress.loss:.3f}{metric}"
            bar.update(task, total=progress.total, completed=progress.step, said=said)

        yield report
