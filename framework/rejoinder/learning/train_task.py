"""Train a model of one task from examples: an adapter where the method trains one, and the task's learner on top of it.

What comes out is a folder as the registry keeps versions: `adapter/` (if any) and `head/`, and `training.json`, which says how it was made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder import __version__
from rejoinder.errors import InvalidInputError, SettingsError, did_you_mean
from rejoinder.learning.evaluate_texts import HEAD
from rejoinder.learning.evaluate_texts import training_settings as settings_for_texts
from rejoinder.learning.label_names import with_label_names
from rejoinder.models.learner import fit_apart

if TYPE_CHECKING:
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.learner import Learner
    from rejoinder.models.training.loop import Trained
    from rejoinder.models.training.objectives.objective import Objective
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.scalars import Scalars
    from rejoinder.models.training.settings import TrainingSettings
    from rejoinder.payloads import Example

ADAPTER_FOLDER: Final = "adapter"
HEAD_FOLDER: Final = "head"
REPORT: Final = "training.json"
_WORK: Final = "work"


@dataclass(frozen=True, slots=True)
class TaskKind:
    """One kind of task.

    Attributes:
        objective: what an adapter is trained for, given the examples.
        learner: a new learner, given what was trained, or None.
        settings: how to train when nobody says otherwise, given how many examples there are.
        method_settings: a method's settings when nobody says otherwise, given its name; None: the method's defaults.
        round_settings: how to train a round that goes on from an earlier training with such settings.
        calibrated_apart: whether the learner takes the trained head as it is, and must see examples that training did not.
    """

    objective: Callable[[Sequence[Example]], Objective]
    learner: Callable[[Trained | None], Learner]
    settings: Callable[[int], TrainingSettings]
    method_settings: Callable[[str], Any] = lambda method: None
    round_settings: Callable[[TrainingSettings], TrainingSettings] = lambda first: first
    calibrated_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskModel:
    """A trained model.

    Attributes:
        kind: a name in `KINDS`.
        adapter: what changes the encoder for it; None: nothing.
        learner: reads what the (adapted) encoder gives.
        metrics: `learner_*`: what its fit measured; `adapter_*`: what training measured; `dev_*`: what it makes of `dev`.
        seconds: wall time.
    """

    kind: str
    adapter: Adapter | None
    learner: Learner
    metrics: Mapping[str, float]
    seconds: float


def train_task(
    kind: str,
    examples: Sequence[Example],
    *,
    encoder: Encoder,
    method: str = "full",
    method_settings: Any = None,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    dev: Sequence[Example] | None = None,
    work_dir: Path | None = None,
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    scalars: Scalars | None = None,
) -> TaskModel:
    """Train an adapter and fit the task's learner on what the adapted encoder gives.

    Args:
        kind: a name in `KINDS`.
        examples: what to learn.
        encoder: the base.
        method: "head": no adapter, the learner reads the frozen base; else a name in `rejoinder.models.adapters.method.METHODS`.
        dev: examples by which training stops early, and on which the model is scored; None: none, or `settings.dev_share` of `examples`.
        method_settings, settings, seed, work_dir, resume, report, cancelled, scalars: see `rejoinder.models.training.loop.train`;
            None as `settings` or `method_settings`: the kind's own.

    Raises:
        SettingsError: no such kind or method, or wrong settings.
        InvalidInputError: nothing to learn from, or a wrong example.
        TrainingError: see `rejoinder.models.training.loop.train`.
    """
    started = time.perf_counter()
    if kind not in KINDS:
        raise SettingsError(f"no kind of task {kind!r}: choose one of {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}")
    task = KINDS[kind]
    examples = with_label_names(task.learner(None), examples)
    trained = None
    if method != HEAD:
        from rejoinder.models.training.base import open_base
        from rejoinder.models.training.loop import train
        from rejoinder.models.training.settings import TrainingSettings

        how = settings or task.settings(len(examples))
        if dev is not None and how.patience is None:  # a set of its own is there to stop by
            how = replace(how, patience=TrainingSettings().patience)
        trained = train(
            examples,
            task.objective(examples),
            base=open_base(encoder.folder),
            method=method,
            method_settings=method_settings or task.method_settings(method),
            settings=how,
            seed=seed,
            dev=dev,
            work_dir=work_dir,
            resume=resume,
            report=report,
            cancelled=cancelled,
            scalars=scalars,
        )
    adapter = None if trained is None else trained.adapter
    learner = task.learner(trained)
    own: Sequence[Example] = examples
    if task.calibrated_apart and trained is not None:
        # Where nothing could be held out, it calibrates itself on what was trained on, and is too sure.
        own = dev or [examples[place] for place in trained.held_out] or examples
    apart = () if trained is None or own is not examples else trained.held_out
    inputs = read_examples_with(encoder, kind, own, adapter)
    fitted = fit_apart(learner, own, inputs, seed=seed, apart=apart)
    metrics = {f"learner_{name}": value for name, value in fitted.items()}
    if trained is not None:
        metrics |= {f"adapter_{name}": value for name, value in trained.metrics.items()}
    if dev:
        scored = learner.evaluate(dev, read_examples_with(encoder, kind, dev, adapter))
        metrics |= {f"dev_{name}": value for name, value in scored.items()}
    return TaskModel(
        kind=kind, adapter=adapter, learner=learner, metrics=metrics, seconds=time.perf_counter() - started
    )


def read_examples_with(encoder: Encoder, kind: str, examples: Sequence[Example], adapter: Adapter | None) -> Any:
    """Return what the learner of a kind of task reads of examples; see `rejoinder.models.learner.Reads`."""

    def adapters(count: int) -> list[Adapter | None] | None:
        return None if adapter is None else [adapter] * count

    texts = [one.text for one in examples]
    others = [one.other or "" for one in examples]
    if kind == "qa":
        from rejoinder.models.tasks.windows import DEFAULT_OVERLAP, encode_windows

        pairs = list(zip(texts, others, strict=True))
        overlap = min(DEFAULT_OVERLAP, encoder.max_tokens // 3)
        return encode_windows(encoder, pairs, overlap=overlap, adapters=adapters(len(pairs)))
    if kind == "tags":
        return encoder.encode_tokens(texts, adapters=adapters(len(texts)))
    if kind == "pairs":
        both = encoder.encode([*texts, *others], adapters=adapters(2 * len(texts)))
        return np.stack([both[: len(texts)], both[len(texts) :]], axis=1)
    return encoder.encode(texts, adapters=adapters(len(texts)))


def save_task_model(folder: Path, model: TaskModel, *, made_of: Mapping[str, Any]) -> None:
    """Write a model; each part beside and renamed, and `training.json`, which tells that it is whole, last.

    Args:
        folder: made if need be.
        model: what `train_task` made.
        made_of: what JSON can say of where it comes from: files, seed, settings.
    """
    from rejoinder.models.adapters.adapter import save_adapter

    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).unlink(missing_ok=True)
    if model.adapter is not None:
        save_adapter(folder / ADAPTER_FOLDER, model.adapter)
    model.learner.save(folder / HEAD_FOLDER)
    said = {
        "kind": model.kind,
        "adapter": model.adapter.id if model.adapter is not None else None,
        "metrics": dict(model.metrics),
        "seconds": model.seconds,
        "code_version": __version__,
        **made_of,
    }
    beside = folder / f".{REPORT}"
    beside.write_text(json.dumps(said, ensure_ascii=False, indent=1), encoding="utf-8")
    beside.replace(folder / REPORT)


def load_task_model(folder: Path) -> TaskModel:
    """Read what `save_task_model` wrote.

    Raises:
        InvalidInputError: there is no whole model in the folder.
        ModelIntegrityError: a file is damaged; the message names it.
    """
    from rejoinder.models.adapters.adapter import load_adapter

    try:
        said = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        kind = KINDS[said["kind"]]
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInputError(
            f"{folder} holds no trained model ({type(error).__name__}: {error}): training did not end, or it is another folder"
        ) from error
    return TaskModel(
        kind=said["kind"],
        adapter=load_adapter(folder / ADAPTER_FOLDER) if said["adapter"] else None,
        learner=type(kind.learner(None)).load(folder / HEAD_FOLDER),
        metrics=said["metrics"],
        seconds=said["seconds"],
    )


def work_folder(folder: Path) -> Path:
    """Return where the checkpoints of a model that goes into `folder` are."""
    return folder / _WORK


def settings_as_json(settings: Any) -> dict[str, Any]:
    """Return settings (a dataclass) as JSON says them; {} for None."""
    return {} if settings is None else json.loads(json.dumps(asdict(settings)))


def _classification(examples: Sequence[Example]) -> Objective:
    from rejoinder.models.training.objectives.classification import Classification

    return Classification.of(examples)


def _multi_label(examples: Sequence[Example]) -> Objective:
    from rejoinder.models.training.objectives.multi_label import MultiLabel

    return MultiLabel.of(examples)


def _pairs(examples: Sequence[Example]) -> Objective:
    from rejoinder.models.training.objectives.pair import Pair

    return Pair.of(examples)


def _span(examples: Sequence[Example]) -> Objective:
    from rejoinder.models.training.objectives.span import Span

    return Span()


def _tags(examples: Sequence[Example]) -> Objective:
    from rejoinder.models.training.objectives.tags import Tags

    return Tags.of(examples)


def _text_classifier(trained: Trained | None) -> Learner:
    from rejoinder.models.tasks.text_classification import TextClassifier

    return TextClassifier()


def _multi_label_classifier(trained: Trained | None) -> Learner:
    from rejoinder.models.tasks.multi_label import MultiLabelClassifier

    return MultiLabelClassifier()


def _pair_scorer(trained: Trained | None) -> Learner:
    from rejoinder.models.tasks.sentence_pair import SentencePairScorer

    return SentencePairScorer()


def _question_answering(trained: Trained | None) -> Learner:
    from rejoinder.models.tasks.question_answering import QuestionAnswering

    return QuestionAnswering(head=None if trained is None else trained.head)


def _token_classifier(trained: Trained | None) -> Learner:
    from rejoinder.models.tasks.token_classification import TokenClassifier

    return TokenClassifier()


def _for_labels(examples: int) -> TrainingSettings:
    return settings_for_texts()


def _for_texts(examples: int) -> TrainingSettings:
    return replace(settings_for_texts(), dev_share=0.0)


def _for_questions(examples: int) -> TrainingSettings:
    from rejoinder.learning.evaluate_qa import training_settings

    return training_settings(examples)


def _for_answers(method: str) -> Any:
    from rejoinder.learning.evaluate_qa import method_settings

    return method_settings(method)


def _for_rounds_of_answers(first: TrainingSettings) -> TrainingSettings:
    from rejoinder.learning.evaluate_qa import round_settings

    return round_settings(first)


def _for_tokens(examples: int) -> TrainingSettings:
    from rejoinder.models.training.settings import TrainingSettings

    return TrainingSettings(epochs=4, batch_size=16, head_learning_rate=1e-3, dev_share=0.0)


KINDS: Final[Mapping[str, TaskKind]] = {
    "classification": TaskKind(_classification, _text_classifier, _for_labels),
    "multi-label": TaskKind(_multi_label, _multi_label_classifier, _for_texts),
    "pairs": TaskKind(_pairs, _pair_scorer, _for_texts),
    "qa": TaskKind(
        _span, _question_answering, _for_questions, _for_answers, _for_rounds_of_answers, calibrated_apart=True
    ),
    "tags": TaskKind(_tags, _token_classifier, _for_tokens),
}
"""All kinds of task that can be trained from a file, by name."""
