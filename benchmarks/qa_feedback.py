"""What 500 thumbs are worth to question answering: EM and F1 on policies and reviews that nobody gave a thumb on, round by round.

    REJOINDER_DATA=<folder of data sets> python benchmarks/qa_feedback.py [--sets policyqa,subjqa] [--seeds 3] [--general 1000]
        [--start 100] [--thumbs 500] [--rounds 5] [--feedback thumbs|answers] [--folder KEPT] [--json OUT]

It makes SQuAD files and runs what `rejoinder evaluate qa --train start.json --stream stream.json --test test.json` runs; `--folder` keeps
the files, for that command.

A model is trained on `--general` questions of squad11_dev, without which so small a reader does not learn to look from a question to a
passage, and on `--start` questions of the set; simulated users ask `--thumbs` others.

- policyqa (its dev set): 15 website policies to learn from and 5 to test, drawn by the seed.
- subjqa (electronics, as SQuAD 2.0): about half of the questions have no answer in their review. Train split to learn from, test split to
  test; a question has no answer where more than half of the annotators found none.

With `--feedback answers` the users give the right answers instead: what thumbs could teach at most.

Wanted: at least 3 points of F1, mean of the seeds.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gzip
import io
import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from rejoinder.learning.evaluate_qa_thumbs import ThumbsRound, evaluate_qa_thumbs
from rejoinder.models.encoding.encoder import Encoder

WANTED_GAIN = 0.03
TEST_POLICIES = 5
NO_ANSWER = "ANSWERNOTFOUND"
SUBJQA_DOMAIN = "electronics"

Paragraph = dict[str, Any]


def policyqa(folder: Path, seed: int) -> tuple[list[Paragraph], list[Paragraph]]:
    """Return one paragraph for each question, to learn from and to test: no policy is in both."""
    content = json.loads(gzip.decompress((folder / "policyqa" / "dev.json.gz").read_bytes()))
    policies = sorted(content["data"], key=lambda policy: str(policy["title"]))
    tested = set(np.random.default_rng(seed).permutation(len(policies))[:TEST_POLICIES].tolist())
    parts: tuple[list[Paragraph], list[Paragraph]] = ([], [])
    for place, policy in enumerate(policies):
        for paragraph in policy["paragraphs"]:
            parts[place in tested].extend({**paragraph, "qas": [asked]} for asked in paragraph["qas"])
    return parts


def subjqa(folder: Path, seed: int) -> tuple[list[Paragraph], list[Paragraph]]:
    """Return the train and the test split of a domain in SQuAD 2.0's form, without the reviews that both have."""
    train, test = (_reviews(folder / "subjqa" / SUBJQA_DOMAIN / f"{part}.csv.gz") for part in ("train", "test"))
    tested = {one["context"] for one in test}
    return [one for one in train if one["context"] not in tested], test


def _reviews(path: Path) -> list[Paragraph]:
    rows: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="")):
        rows[row["question"], row["review"].removesuffix(NO_ANSWER).rstrip()].append(row)
    return [_review(*asked, own) for asked, own in rows.items()]


def _review(question: str, review: str, rows: list[dict[str, str]]) -> Paragraph:
    said = [row for row in rows if row["human_ans_spans"] != NO_ANSWER and row["human_ans_spans"] in review]
    answers = [
        {"text": row["human_ans_spans"], "answer_start": int(ast.literal_eval(row["human_ans_indices"])[0])}
        for row in said
    ]
    none = 2 * len(answers) < len(rows)
    asked = {
        "id": rows[0]["q_review_id"],
        "question": question,
        "answers": [] if none else answers,
        "is_impossible": none,
    }
    return {"context": review, "qas": [asked]}


SETS = {"policyqa": policyqa, "subjqa": subjqa}


def general(folder: Path, seed: int, count: int) -> list[Paragraph]:
    """Return questions of squad11_dev, drawn by the seed."""
    (file,) = (folder / "squad11_dev").glob("*.json*")
    content = file.read_bytes()
    data = json.loads(gzip.decompress(content) if file.suffix == ".gz" else content)["data"]
    every = [{**one, "qas": [asked]} for article in data for one in article["paragraphs"] for asked in one["qas"]]
    return [every[place] for place in np.random.default_rng(seed).permutation(len(every))[:count].tolist()]


def files_of(name: str, folder: Path, seed: int, counts: tuple[int, int], into: Path) -> tuple[Path, Path, Path]:
    """Write what a model starts from (so many general questions, and so many of the set), what is asked later, and the test."""
    learn, test = SETS[name](folder, seed)
    others, start = counts
    order = np.random.default_rng(seed).permutation(len(learn)).tolist()
    parts = {
        "start": [learn[place] for place in order[:start]],
        "stream": [learn[place] for place in order[start:]],
        "test": test,
    }
    if name == "policyqa":  # one question stands with one passage in several policies, as in terms that firms share
        scored = {(one["context"], one["qas"][0]["question"]) for one in test}
        for part in ("start", "stream"):
            parts[part] = [one for one in parts[part] if (one["context"], one["qas"][0]["question"]) not in scored]
    parts["start"] += general(folder, seed, others)
    made = []
    for part, paragraphs in parts.items():
        made.append(into / f"{name}_{seed}_{part}.json")
        made[-1].write_text(json.dumps({"version": "2.0", "data": [{"title": part, "paragraphs": paragraphs}]}))
    return made[0], made[1], made[2]


def _tell(one: ThumbsRound) -> None:
    print(
        f"  {one.thumbs:4} thumbs, {one.up:.0%} up, F1 of the answers {one.answered_f1:.3f}: test EM {one.exact_match:.3f}, "
        f"F1 {one.f1:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="policyqa,subjqa")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--general", type=int, default=1000)
    parser.add_argument("--start", type=int, default=100)
    parser.add_argument("--thumbs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--feedback", choices=("thumbs", "answers"), default="thumbs")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="keep the files here")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds policyqa/, subjqa/ and squad11_dev/")
        sys.exit(0)
    encoder = Encoder(threads=options.threads)
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        into = options.folder or Path(scratch)
        into.mkdir(parents=True, exist_ok=True)
        for name in options.sets.split(","):
            runs = []
            for seed in range(options.seeds):
                files = files_of(name, Path(folder), seed, (options.general, options.start), into)
                print(f"{name}, seed {seed}", flush=True)
                found = evaluate_qa_thumbs(
                    *files,
                    thumbs=options.thumbs,
                    rounds=options.rounds,
                    seed=seed,
                    encoder=encoder,
                    feedback=options.feedback,
                    told=_tell,
                )
                print(
                    f"  from EM {found.start['exact_match']:.3f}, F1 {found.start['f1']:.3f} to EM {found.exact_match:.3f}, F1 "
                    f"{found.f1:.3f} in {found.seconds:.0f} s",
                    flush=True,
                )
                runs.append(found.to_json())
            gain = float(np.mean([run["f1_gain"] for run in runs]))
            curve = np.mean([[run["start"]["f1"], *(one["f1"] for one in run["rounds"])] for run in runs], axis=0)
            told = " ".join(f"{value:.3f}" for value in curve)
            print(f"{name}: F1 by round {told}; gain {gain:+.3f} (wanted: {WANTED_GAIN:+.3f})", flush=True)
            report[name] = {"gain": gain, "curve": curve.tolist(), "runs": runs}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
