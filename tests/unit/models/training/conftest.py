"""A tiny random BERT on disk, and a task that can be learned in seconds: whether a text says that something rose or fell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("peft", reason="needs the extra rejoinder[models]")

from rejoinder.models.training.base import Base, open_base
from rejoinder.payloads import Example

from tests.support.tiny_encoder import WORDS, write_tiny_bert


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another cost more than they do for so small a model."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_bert(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Base:
    return open_base(tiny_folder)


@pytest.fixture(scope="session")
def rises() -> list[Example]:
    """48 texts with the label "up" or "down", for every other one."""
    draw = random.Random(0)
    found = []
    for number in range(48):
        label, verb = (("up", "rose"), ("down", "fell"))[number % 2]
        words = [*draw.choices([word for word in WORDS if word not in ("rose", "fell")], k=5), verb]
        draw.shuffle(words)
        found.append(Example(id=str(number), task="t", text=" ".join(words), label=label))
    return found
