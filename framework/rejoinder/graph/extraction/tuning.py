"""Fine-tuning the encoder on marked sentences: what is learned of one phrasing reaches further to others than on the frozen one.

Several encoders are trained, each without another part of the phrasings, so that how sure to be is told by phrasings that an encoder did
not see (cross-fitting; Chernozhukov et al. 2018, The Econometrics Journal 21). What they say is averaged. One pair in four is read a
second time, its sentence joined to another one, so that what is said of the two is told from what is said beside it.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError, ModelIntegrityError
from rejoinder.graph.extraction.pairs import Spoken
from rejoinder.models.adapters.adapter import base_hash, load_adapter, save_adapter
from rejoinder.models.artefact import write_durably
from rejoinder.models.heads.logistic import folds
from rejoinder.models.training.base import open_base
from rejoinder.models.training.loop import train
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.relations import Labelled
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.training.progress import Progress

__all__ = ["Member", "Tuned", "tune"]

EPOCHS: Final = 2
MEMBERS: Final = 2
_APART: Final = 4
"""One in so many phrasings is apart from the training of a member."""
_RATE: Final = 2e-4
_NO_RELATION: Final = "none"
_SEEN: Final = "phrasings.json"
_JOINED: Final = 0.25
"""Share of the pairs that are read joined to another sentence, too."""
_JOINTS: Final = (", and ", "; ", ", ", " and ")


@dataclass(frozen=True, slots=True)
class Member:
    """What one training learned.

    Attributes:
        seen: phrasings that it was trained on.
    """

    adapter: Adapter
    seen: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tuned:
    """An encoder with what several trainings learned of relations."""

    encoder: Encoder
    members: tuple[Member, ...]

    def encode(self, member: Member, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a member's vectors of texts, (n, dim) float32."""
        return self.encoder.encode(texts, adapters=[member.adapter] * len(texts))

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder, made if need be; what was there is replaced."""
        for number, member in enumerate(self.members):
            save_adapter(folder / str(number), member.adapter)
        seen = [sorted(member.seen) for member in self.members]
        write_durably(folder / _SEEN, json.dumps(seen, ensure_ascii=False).encode())

    @classmethod
    def load(cls, folder: Path, encoder: Encoder) -> Tuned:
        """Read what `save` wrote, for the same encoder.

        Raises:
            ModelError, ModelIntegrityError: as of `load_adapter`, or it was trained for another encoder.
        """
        try:
            seen = json.loads((folder / _SEEN).read_text(encoding="utf-8"))
            phrasings = [frozenset[str](every) for every in seen]
        except (OSError, ValueError, TypeError) as error:
            raise ModelIntegrityError(f"{folder / _SEEN} is missing or damaged: {error}") from error
        members = []
        for number, every in enumerate(phrasings):
            adapter = load_adapter(folder / str(number))
            adapter.check_base(base_hash(encoder.weights_sha256))
            members.append(Member(adapter, every))
        return cls(encoder, tuple(members))


def tune(
    encoder: Encoder,
    pairs: Sequence[Labelled],
    schema: GraphSchema,
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    members: int = MEMBERS,
    report: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Tuned:
    """Train all of the encoder on three quarters of the phrasings, several times; about a minute on one core for a thousand pairs.

    Args:
        schema: what the pairs are of.
        members: how many trainings, 1 to 4, each without another quarter.
        report: called after each step; steps of all trainings are counted together.
        options: more of `rejoinder.models.training.loop.train`, such as `cancelled`.
    Raises:
        InvalidInputError: there are no pairs, or `members` is out of range.
        TrainingError: see `rejoinder.models.training.loop.train`.
    """
    if not 1 <= members <= _APART:
        raise InvalidInputError(f"members is {members}, expected 1 to {_APART}")
    counted = Counter(pairs)
    phrasings = sorted({row.phrasing for row in counted})
    part_of = dict(zip(phrasings, folds(len(phrasings), _APART, seed), strict=True))
    made = []
    for number in range(members):
        kept = {row: count for row, count in counted.items() if part_of[row.phrasing] != number}
        rng = random.Random(seed + number)  # noqa: S311  # no secret
        rows = [*kept.items(), *_joined(kept, schema, rng)]
        examples = [
            Example(
                id=str(place),
                task="graph_relation",
                text=row.marked,
                label=row.label or _NO_RELATION,
                weight=math.sqrt(count),
            )
            for place, (row, count) in enumerate(rows)
        ]
        trained = train(
            examples,
            Classification.of(examples),
            base=open_base(encoder.folder),
            settings=TrainingSettings(epochs=epochs, batch_size=16, learning_rate=_RATE, dev_share=0.0, patience=None),
            seed=seed + number,
            report=report and _of_several(report, number, members),
            **options,
        )
        made.append(Member(trained.adapter, frozenset(row.phrasing for row in kept)))
    return Tuned(encoder, tuple(made))


def _of_several(report: Callable[[Progress], None], number: int, members: int) -> Callable[[Progress], None]:
    """Progress of one training as part of all."""
    return lambda one: report(replace(one, step=number * one.total + one.step, total=members * one.total))


def _joined(counted: Mapping[Labelled, int], schema: GraphSchema, rng: random.Random) -> Iterable[tuple[Labelled, int]]:
    """Some pairs once more, the sentence joined to another one of other things, or of the same subject and another object."""
    rows = list(counted)
    stand_ins = Spoken.of(schema)
    others = {stand_ins.this(kind): stand_ins.another(kind) for kind in schema.kinds}
    if not others:
        return
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(others, key=len, reverse=True)))})\b")
    for row, count in counted.items():
        if rng.random() >= _JOINED:
            continue
        subjects = {stand_ins.this(kind) for name in row.relations for kind in schema.relations[name].domain}
        same = subjects if rng.random() < 0.5 else set[str]()
        told = pattern.sub(
            lambda found, same=same: found[0] if found[0] in same else others[found[0]],  # type: ignore[misc]
            rng.choice(rows).texts[0],
        )
        first, second = row.texts[0].rstrip(" ."), told.rstrip(" .")
        if rng.random() < 0.5:
            first, second = second, first
        whole = f"{first}{rng.choice(_JOINTS)}{second} ."
        yield replace(row, texts=(whole, *row.texts[1:])), count
