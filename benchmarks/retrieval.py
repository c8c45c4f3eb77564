"""Which passage answers: by words, by meaning, fused, and reranked by what was learned; recall at 5 and mean reciprocal rank.

    REJOINDER_DATA=<folder of data sets> python benchmarks/retrieval.py [--sets squad,policyqa] [--limit N] [--cache FOLDER] [--json OUT]
    REJOINDER_DATA=<folder of data sets> python benchmarks/retrieval.py --fit-prior framework/rejoinder/documents/prior

Everything goes through the code that serves: the same cutting, encoder, index, features and ranker.

- squad: squad11_dev's 10,570 questions to its 2,067 paragraphs; an article's title stands above its paragraphs.
- policyqa: each of 20 privacy policies is a collection of its own, as a company's help desk has one. Its questions are the same few hundred
  for all policies; right is each paragraph that people answered the question from.
- bitext: 4,514 past replies, each below the question that it answered. Right is a reply to a question of the same intent. In two halves by
  the wording of the questions (letters only: order numbers make no difference): each half's questions search the other's replies.

A document counts as found where its first passage is. "prior" was fitted on the other sets only, never on this one. "learned" goes on from
there with 1,500 of this set's own questions, and is scored on other articles, policies or wordings, in five folds.

Strangers are questions of another set, to which a collection has no answer: `answered` is the share of a set's own questions that reach the
threshold of the dialogue plugin, `strangers_answered` that of strangers that were not learned from; `..._by_prior` the same by the prior.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rejoinder.documents.content import Block, Content
from rejoinder.documents.encoding import above, encoded_text, token_count, vector_from, vector_to
from rejoinder.documents.features import QuestionWords, products, scalar_features
from rejoinder.documents.index import IndexedPassage, PassageIndex, best_rows
from rejoinder.documents.passages import cut
from rejoinder.documents.ranker import Choice, PassageRanker, save_prior, unknown
from rejoinder.documents.words import terms_of
from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder.models.heads.logistic import Logistic

Floats = NDArray[np.float32]
Titled = tuple[str, tuple[Block, ...]]
Encode = Callable[[str, Sequence[str]], Floats]

DEPTH = 100
CANDIDATES = 40
FOLDS = 5
PRIOR_QUESTIONS = 2000
LEARNED_QUESTIONS = 1500
STRANGERS = 1000
THRESHOLD = 0.35 / 0.9
"""`dialogue.min_score` over `documents.max_score`."""

SOURCES = {"squad": ("bitext",), "policyqa": ("squad", "bitext"), "bitext": ("squad",)}
"""Of which other sets each set's prior is made."""


@dataclass
class Question:
    """A question, the documents that answer it, and the group that is never split between learning and scoring."""

    text: str
    right: frozenset[int]
    group: str


@dataclass
class Collection:
    """Documents as (title, blocks), and the questions to them."""

    documents: list[Titled]
    questions: list[Question]


@dataclass
class Asked:
    """A question's candidates: their documents, and what the ranker sees."""

    group: str
    right: frozenset[int]
    documents: NDArray[np.int64]
    choice: Choice


@dataclass
class Searched:
    """What came of one set: reciprocal ranks by method, and candidates for the ranker; `strangers` have no answer."""

    found: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    asked: list[Asked] = field(default_factory=list)
    strangers: list[Choice] = field(default_factory=list)


def data(*parts: str) -> Path:
    """Return a file of the data sets."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds squad11_dev/, policyqa/ and bitext_support/")
        sys.exit(0)
    return Path(folder).joinpath(*parts)


def articles(path: Path) -> Any:
    """Return the articles of a SQuAD file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)["data"]


def squad() -> list[Collection]:
    """All paragraphs as one collection."""
    made = Collection([], [])
    for article in articles(data("squad11_dev", "dev-v1.1.json.gz")):
        title = article["title"].replace("_", " ")
        for paragraph in article["paragraphs"]:
            right = frozenset({len(made.documents)})
            made.documents.append((title, (Block(kind="text", text=paragraph["context"]),)))
            made.questions += [Question(asked["question"], right, title) for asked in paragraph["qas"]]
    return [made]


def policyqa() -> list[Collection]:
    """A collection for each policy; a question that people asked several paragraphs of it counts once."""
    made = []
    for article in articles(data("policyqa", "dev.json.gz")):
        right: dict[str, set[int]] = defaultdict(set)
        documents: list[Titled] = []
        for number, paragraph in enumerate(article["paragraphs"]):
            documents.append((article["title"], (Block(kind="text", text=paragraph["context"]),)))
            for asked in paragraph["qas"]:
                right[asked["question"]].add(number)
        questions = [Question(text, frozenset(found), article["title"]) for text, found in right.items()]
        made.append(Collection(documents, questions))
    return made


def bitext() -> list[Collection]:
    """Two halves by the wording of questions, each to be searched by the questions of the other."""
    with gzip.open(data("bitext_support", "responses_long_4514.csv.gz"), "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def wording(row: dict[str, str]) -> str:
        return re.sub(r"[\W\d_]+", " ", row["instruction"].casefold()).strip()

    half = [int(hashlib.sha256(wording(row).encode()).hexdigest(), 16) % 2 for row in rows]
    made = []
    for own in (0, 1):
        kept = [row for row, part in zip(rows, half, strict=True) if part == own]
        documents: list[Titled] = [
            ("", (Block(kind="question", text=row["instruction"]), Block(kind="reply", text=row["response"])))
            for row in kept
        ]
        by_intent: dict[str, set[int]] = defaultdict(set)
        for number, row in enumerate(kept):
            by_intent[row["intent"]].add(number)
        questions = [
            Question(row["instruction"], frozenset(by_intent[row["intent"]]), f"half {1 - own}, {wording(row)}")
            for row, part in zip(rows, half, strict=True)
            if part != own
        ]
        made.append(Collection(documents, questions))
    return made


SETS: dict[str, Callable[[], list[Collection]]] = {"squad": squad, "policyqa": policyqa, "bitext": bitext}


def cached_encode(encoder: Encoder, folder: Path | None) -> Encode:
    """Return how to encode: vectors of the same texts are taken from the folder, if there is one."""

    def encode(name: str, texts: Sequence[str]) -> Floats:
        key = hashlib.sha256("\0".join([encoder.hash, *texts]).encode()).hexdigest()[:16]
        path = None if folder is None else folder / f"{name}-{key}.npy"
        if path is not None and path.exists():
            kept: Floats = np.load(path)
            return kept
        vectors = encoder.encode(texts)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors)
        return vectors

    return encode


def passages_of(collection: Collection, count: Any) -> tuple[list[IndexedPassage], list[str], NDArray[np.int64]]:
    """Return the passages (without vectors), what the encoder reads of each, and the document of each."""
    passages, texts, documents = [], [], []
    for number, (title, blocks) in enumerate(collection.documents):
        made = cut(Content(title=title, blocks=blocks), tokens=count)
        for place, one in enumerate(made.passages):
            text = made.text[one.start : one.end]
            passages.append(
                IndexedPassage(
                    document_id=str(number),
                    revision=1,
                    number=place,
                    title=title,
                    url=None,
                    headings=above(title, one.headings),
                    text=text,
                    start=one.start,
                    kind=one.kind,
                    vector=None,
                )
            )
            texts.append(encoded_text(title, one.headings, text))
            documents.append(number)
    return passages, texts, np.array(documents, dtype=np.int64)


def search_set(name: str, encode: Encode, count: Any, limit: int | None, strangers: Sequence[str]) -> Searched:
    """Ask every question of a set."""
    done = Searched()
    for collection in SETS[name]():
        passages, texts, documents = passages_of(collection, count)
        vectors = [vector_from(vector_to(row)) for row in encode(name, texts)]  # as they are kept
        index = PassageIndex([_with_vector(*pair) for pair in zip(passages, vectors, strict=True)])
        questions = collection.questions
        if limit is not None and len(questions) > limit:
            chosen = np.random.default_rng(0).permutation(len(questions))[:limit]
            questions = [questions[place] for place in sorted(chosen.tolist())]
        different = list(dict.fromkeys(question.text for question in questions))
        by_text = dict(zip(different, encode(f"{name}-questions", different), strict=True))
        for question in questions:
            asked = _ask(index, documents, question, by_text[question.text], done)
            done.asked.append(asked)
        share = max(1, len(strangers) * len(passages) // 4000) if name == "policyqa" else len(strangers)
        some = list(strangers[:share])
        for text, vector in zip(some, encode(f"{name}-strangers", some), strict=True):
            choice = _ask(index, documents, Question(text, frozenset(), ""), vector, None).choice
            done.strangers.append(choice)
    return done


def _ask(
    index: PassageIndex, documents: NDArray[np.int64], question: Question, vector: Floats, done: Searched | None
) -> Asked:
    terms = terms_of(question.text)
    found = index.search(terms, vector, depth=DEPTH)
    if done is not None:
        rankings = {
            "lexical": best_rows(found.lexical, DEPTH, above=0.0),
            "dense": best_rows(found.dense, DEPTH, above=-1.0),
            "fused": found.rows,
        }
        for method, rows in rankings.items():
            done.found[method].append(rank_of(documents[rows], question.right))
    rows = found.rows[:CANDIDATES]
    scalars = scalar_features(QuestionWords.of(question.text, index), index, found, rows)
    right = np.isin(documents[rows], list(question.right))
    return Asked(
        question.group, question.right, documents[rows], Choice(scalars, products(vector, index.vectors[rows]), right)
    )


def _with_vector(passage: IndexedPassage, vector: Floats) -> IndexedPassage:
    object.__setattr__(passage, "vector", vector)
    return passage


def rank_of(documents: NDArray[np.int64], right: frozenset[int]) -> int:
    """Return the rank, from 1 on, of the first right document, each counted at its first passage; 0: not found."""
    different = dict.fromkeys(documents.tolist())
    return next((rank for rank, one in enumerate(different, start=1) if one in right), 0)


def reranked(ranker: PassageRanker, asked: Sequence[Asked]) -> list[int]:
    """Return the rank of the first right document of each question."""
    ranks = []
    for one in asked:
        chances = ranker.probabilities(one.choice.scalars, one.choice.products)
        ranks.append(rank_of(one.documents[np.argsort(-chances, kind="stable")], one.right))
    return ranks


def without_products(choice: Choice) -> Choice:
    """Return a choice by words, ranks and cosines only: what carries over from one collection to another."""
    return Choice(choice.scalars, choice.products[:, :0], choice.right)


def fit_prior(sets: Sequence[Searched], seed: int = 0) -> Logistic:
    """Fit a prior on as many questions of each set, and on strangers to each."""
    choices: list[Choice] = []
    rng = np.random.default_rng(seed)
    for one in sets:
        chosen = rng.permutation(len(one.asked))[:PRIOR_QUESTIONS]
        choices += [without_products(one.asked[place].choice) for place in chosen.tolist()]
        choices += [without_products(choice) for choice in one.strangers]
    ranker = PassageRanker(prior=unknown())
    ranker.learn(choices)
    return ranker.head


def learned(done: Searched, prior: Logistic) -> tuple[list[int], float, float]:
    """Learn in folds by group; return ranks in the order of `done.asked`, and the shares answered of own questions and strangers."""
    groups = sorted({one.group for one in done.asked})
    part = dict(zip(groups, np.random.default_rng(0).permutation(len(groups)) % FOLDS, strict=True))
    ranks = [0] * len(done.asked)
    own: list[float] = []
    strange: list[float] = []
    for fold in range(FOLDS):
        held = [place for place, one in enumerate(done.asked) if part[one.group] == fold]
        known = [one.choice for one in done.asked if part[one.group] != fold]
        drawn = np.random.default_rng(fold).permutation(len(known))[:LEARNED_QUESTIONS]
        known = [known[place] for place in drawn.tolist()]
        ranker = PassageRanker(prior=prior)
        half = len(done.strangers) // 2
        ranker.learn([*known, *done.strangers[:half]])
        for place, rank in zip(held, reranked(ranker, [done.asked[place] for place in held]), strict=True):
            ranks[place] = rank
        own += [answered(ranker, done.asked[place].choice) for place in held]
        strange += [answered(ranker, choice) for choice in done.strangers[half:]]
    return ranks, float(np.mean(own)), float(np.mean(strange))


def answered(ranker: PassageRanker, choice: Choice) -> float:
    """Return 1 where the best answer's score reaches the threshold, as the plugin counts it, else 0."""
    return float(ranker.probabilities(choice.scalars, choice.products).sum() >= THRESHOLD)


def figures(ranks: Sequence[int]) -> dict[str, float]:
    """Return recall at 5 and the mean reciprocal rank."""
    found = np.array(ranks, dtype=np.float64)
    return {
        "recall_at_5": float(((found >= 1) & (found <= 5)).mean()),
        "mrr": float(np.where(found >= 1, 1.0 / np.maximum(found, 1.0), 0.0).mean()),
    }


def rows_of(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'set':10} {'method':28} {'recall@5':>9} {'MRR':>7}"
    for name, one in report.items():
        for method, told in one["methods"].items():
            yield f"{name:10} {method:28} {told['recall_at_5']:9.4f} {told['mrr']:7.4f}"
        yield f"{name:10} {one['questions']} questions, {one['passages_seconds']:.0f} s; " + ", ".join(
            f"{key} {one[key]:.3f}" for key in ("answered", "strangers_answered")
        )


def main() -> None:
    """Measure, or fit the prior."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), help="which sets")
    parser.add_argument("--limit", type=int, help="questions of each collection, drawn with seed 0; default: all")
    parser.add_argument("--cache", type=Path, help="folder for vectors, to spare a second run the encoding")
    parser.add_argument("--fit-prior", type=Path, metavar="FOLDER", help="fit the shipped prior on squad and bitext")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = arguments.sets.split(",")
    needed = list(dict.fromkeys([*names, *(source for name in names for source in SOURCES[name])]))
    encoder = load_encoder()
    encode = cached_encode(encoder, arguments.cache)
    count = token_count(encoder)
    others = {"squad": "bitext", "bitext": "squad", "policyqa": "squad"}
    done: dict[str, Searched] = {}
    seconds: dict[str, float] = {}
    for name in needed:
        started = time.perf_counter()
        pool = [question.text for one in SETS[others[name]]() for question in one.questions]
        strangers = [pool[place] for place in np.random.default_rng(1).permutation(len(pool))[:STRANGERS].tolist()]
        limit = arguments.limit if name in names else PRIOR_QUESTIONS
        done[name] = search_set(name, encode, count, limit, strangers)
        seconds[name] = time.perf_counter() - started
    if arguments.fit_prior:
        save_prior(arguments.fit_prior, fit_prior([done["squad"], done["bitext"]]))
        print(f"the prior is in {arguments.fit_prior}")
    report: dict[str, Any] = {}
    for name in names:
        prior = fit_prior([done[source] for source in SOURCES[name]])
        ranker = PassageRanker(prior=prior)
        own, strange = (
            float(np.mean([answered(ranker, one.choice) for one in done[name].asked])),
            float(np.mean([answered(ranker, choice) for choice in done[name].strangers])),
        )
        methods = {method: figures(ranks) for method, ranks in done[name].found.items()}
        methods["fused and reranked, prior"] = figures(reranked(ranker, done[name].asked))
        ranks, own_learned, strange_learned = learned(done[name], prior)
        methods["fused and reranked, learned"] = figures(ranks)
        report[name] = {
            "questions": len(done[name].asked),
            "passages_seconds": seconds[name],
            "methods": methods,
            "answered": own_learned,
            "strangers_answered": strange_learned,
            "answered_by_prior": own,
            "strangers_answered_by_prior": strange,
        }
    print("\n".join(rows_of(report)))
    if arguments.json:
        arguments.json.write_text(json.dumps({"encoder": encoder.hash, "sets": report}, indent=2) + "\n")


if __name__ == "__main__":
    main()
