"""`rejoinder evaluate recommend --dialogues`: what people recommended, found again from what was said before."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rejoinder.errors import InvalidInputError
from rejoinder.items.arriving import item_text
from rejoinder.items.catalogue import Catalogue, CatalogueItem
from rejoinder.learning.evaluation_report import EvaluationReport, versions
from rejoinder.models.encoding.service import TextEncoder

from rejoinder_recommendation.conversation.dialogues import Dialogue, as_typed, read_dialogues
from rejoinder_recommendation.conversation.evidence import FEATURES, GROUPS, OF_TALK, Asked
from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.conversation.ranker import Case, ConversationRanker, fit_rankers
from rejoinder_recommendation.conversation.spoken_items import read_spoken_items
from rejoinder_recommendation.conversation.tastes import TasteReader, Tastes
from rejoinder_recommendation.histories import Floats, Ints

__all__ = [
    "CUTS",
    "MODELS",
    "DialogueReport",
    "ModelRecall",
    "cases_of",
    "encode_all",
    "evaluate_dialogues",
    "index_of",
    "titles_shown",
    "with_unknown",
]

CUTS: Final = (1, 10, 50)
OURS: Final = "ours"
MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: GROUPS[name] for name in ("popularity", "text", "co_mention", "graph")},
    "served": tuple(name for name in FEATURES if name not in OF_TALK),
    OURS: FEATURES,
}
"""The features that each model of the table may use; all are learned in the same way from the same lists. `served` is what a tenant's
conversations use, where no dialogues of others are at hand."""

_FOLDS: Final = 5
_SHARE: Final = 0.25
_CHARACTERS: Final = 600
_ENCODED: Final = 64


@dataclass(frozen=True, slots=True)
class ModelRecall:
    """One row of the table: shares of the recommendations that stand among the first 1, 10 and 50."""

    model: str
    recall_at_1: float
    recall_at_10: float
    recall_at_50: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueReport(EvaluationReport):
    """What was measured.

    Attributes:
        link_precision: share of the linked titles that the data name in that message.
        link_precision_in_dialogue: the same, where a title that the data name in another message of the dialogue counts as right.
        link_recall: share of the titles in the data that are linked.
        folds: dialogues were scored in so many parts, each by what was learned from the others; 1: from a file of its own.
    """

    recall_at_1: float
    recall_at_10: float
    recall_at_50: float
    models: tuple[ModelRecall, ...]
    link_precision: float
    link_precision_in_dialogue: float
    link_recall: float
    weights: Mapping[str, float]
    dialogues: int
    recommendations: int
    items: int
    folds: int
    typed_share: float
    seed: int
    encoder: str
    encoding_seconds: float
    seconds: float
    sha256: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Dialogues as they are read: their recommendations, the items each names, and how well titles were linked."""

    cases: list[Case]
    named: list[Ints]
    hits: int
    links: int
    links_in_dialogue: int
    titles: int


def evaluate_dialogues(
    dialogues: Path,
    items: Path,
    *,
    encoder: TextEncoder,
    train: Path | None = None,
    seed: int = 0,
    typed_share: float = _SHARE,
) -> DialogueReport:
    """Rank what people recommended among all items that had not been spoken of, from what was said before.

    Titles stand in the place of `@id`s, a share of them with a slip or without their year, and are linked again from the text. Every item
    that the one who recommends names first counts as a recommendation. Ties are broken against us; an item that is taken for spoken of
    by mistake stands last.

    Args:
        items: as `read_spoken_items` reads it; items that only dialogues name are ranked too, by their title alone.
        train: dialogues to learn from; None: those to be scored, in five parts, each scored by what the other four taught.
        typed_share: in [0, 1], of the titles that are written with a slip or without their year.

    Raises:
        InvalidInputError: a file that cannot be read, or too few dialogues to learn from.
    """
    if not 0 <= typed_share <= 1:
        raise InvalidInputError(f"the share of titles with a slip is {typed_share:g}; it must lie between 0 and 1")
    tested, titles = read_dialogues(dialogues)
    learned: list[Dialogue] = []
    if train is not None:
        learned, more = read_dialogues(train)
        titles = {**more, **titles}
    random = np.random.default_rng(seed)
    begun = time.perf_counter()
    index = index_of(with_unknown(read_spoken_items(items), titles), encoder)
    everything = [*tested, *learned]
    shown = titles_shown(index.catalogue.items, titles)
    typed = [as_typed(one, shown, share=typed_share, random=random) for one in everything]
    read = _read(typed, index, encoder)
    encoding_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    found: dict[str, list[int]] = {name: [] for name in MODELS}
    weights: Mapping[str, float] = {}
    parts = random.permutation(len(tested)) % _FOLDS if train is None else np.zeros(len(tested), dtype=np.int64)
    for part in range(int(parts.max()) + 1):
        held = {int(number) for number in np.flatnonzero(parts == part)}
        if train is not None:
            known = [case for case in read.cases if case.dialogue >= len(tested)]
            named = [items if number >= len(tested) else items[:0] for number, items in enumerate(read.named)]
        else:
            known = [case for case in read.cases if case.dialogue not in held]
            named = [items[:0] if number in held else items for number, items in enumerate(read.named)]
        rankers = fit_rankers(index, known, named, MODELS, seed=seed)
        weights = rankers[OURS].weights
        for case in read.cases:
            if case.dialogue in held:
                features = rankers[OURS].evidence.features(case.asked)
                for name, ranker in rankers.items():
                    found[name].append(_place(ranker, features, case))
    models = tuple(ModelRecall(name, *_recalls(places)) for name, places in found.items())
    ours = models[-1]
    return DialogueReport(
        recall_at_1=ours.recall_at_1,
        recall_at_10=ours.recall_at_10,
        recall_at_50=ours.recall_at_50,
        models=models,
        link_precision=read.hits / max(1, read.links),
        link_precision_in_dialogue=read.links_in_dialogue / max(1, read.links),
        link_recall=read.hits / max(1, read.titles),
        weights=weights,
        dialogues=len(tested),
        recommendations=len(found[OURS]),
        items=len(index),
        folds=int(parts.max()) + 1,
        typed_share=typed_share,
        seed=seed,
        encoder=encoder.name,
        encoding_seconds=encoding_seconds,
        seconds=time.perf_counter() - begun,
        sha256=hashlib.sha256(dialogues.read_bytes() + items.read_bytes()).hexdigest(),
        versions=versions(),
    )


def index_of(items: Sequence[CatalogueItem], encoder: TextEncoder) -> ItemIndex:
    """Return items ready to be ranked, encoded as a tenant's items are."""
    texts = [item_text(item.title, item.text, item.data)[:_CHARACTERS] for item in items]
    return ItemIndex(Catalogue(items, encode_all(texts, encoder).astype(np.float32)))


def cases_of(dialogues: Sequence[Dialogue], index: ItemIndex, encoder: TextEncoder) -> tuple[list[Case], list[Ints]]:
    """Return the recommendations in dialogues whose texts hold titles, and the items that each dialogue names, to learn from."""
    read = _read(dialogues, index, encoder)
    return read.cases, read.named


def encode_all(texts: Sequence[str], encoder: TextEncoder) -> Floats:
    """Return (texts, dim), rows of length 1; an empty text gives 0."""
    vectors = np.zeros((len(texts), encoder.dim))
    some = sorted((number for number, text in enumerate(texts) if text.strip()), key=lambda number: len(texts[number]))
    for start in range(0, len(some), _ENCODED):
        chosen = some[start : start + _ENCODED]
        vectors[chosen] = encoder.encode([texts[number] for number in chosen])
    return vectors


def _read(dialogues: Sequence[Dialogue], index: ItemIndex, encoder: TextEncoder) -> _Read:
    place = index.catalogue.place
    pending: list[tuple[int, Tastes, int]] = []
    named: list[Ints] = []
    hits = links = in_dialogue = titles = 0
    for number, dialogue in enumerate(dialogues):
        all_items = {item for line in dialogue.lines for item in line.items}
        named.append(np.array(sorted(place[item] for item in all_items), dtype=np.int64))
        spoken: set[str] = set()
        reader = TasteReader(index.linker, characters=_CHARACTERS)
        for line in dialogue.lines:
            if line.recommends:
                pending += [(number, reader.tastes, place[item]) for item in line.items if item not in spoken]
            found = reader.hear(line.text)
            right, got = set(line.items), {link.item for link in found}
            hits, links, titles = hits + len(right & got), links + len(got), titles + len(right)
            in_dialogue += len(got & all_items)
            spoken |= right
    vectors = encode_all([tastes.words for _, tastes, _ in pending], encoder)
    cases = [
        _case(number, tastes, vector, item, index)
        for (number, tastes, item), vector in zip(pending, vectors, strict=True)
    ]
    return _Read(cases, named, hits, links, in_dialogue, titles)


def _case(dialogue: int, tastes: Tastes, vector: Floats, item: int, index: ItemIndex) -> Case:
    liked, disliked = index.places(tastes.liked), index.places(tastes.disliked)
    is_open = np.ones(len(index), dtype=bool)
    is_open[liked] = is_open[disliked] = False
    return Case(dialogue, Asked(liked, disliked, vector, tastes.words), is_open, item)


def _place(ranker: ConversationRanker, features: Floats, case: Case) -> int:
    """Return the place of what was recommended, from 1; behind all where it was taken for spoken of."""
    if not case.open[case.item]:
        return len(case.open)
    scores = ranker.of(features)
    return int((scores[case.open] >= scores[case.item]).sum())


def _recalls(places: Iterable[int]) -> tuple[float, ...]:
    found = np.array(list(places))
    return tuple(float((found <= cut).mean()) if len(found) else 0.0 for cut in CUTS)


def titles_shown(items: Sequence[CatalogueItem], titles: Mapping[str, str]) -> dict[str, str]:
    """Return what stands in the place of each id: the title that the dialogues give, or the item's own."""
    return {item.id: item.title for item in items} | {id_: title for id_, title in titles.items() if title}


def with_unknown(items: Sequence[CatalogueItem], titles: Mapping[str, str]) -> list[CatalogueItem]:
    """Return the items and those that only dialogues name, by their titles."""
    known = {item.id for item in items}
    more = [
        CatalogueItem(id_, title or id_, "", {}, available=True) for id_, title in titles.items() if id_ not in known
    ]
    return [*items, *more]
