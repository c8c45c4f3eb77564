"""Titles found in messages as people type them."""

from __future__ import annotations

import pytest
from rejoinder_recommendation.conversation.title_linking import Title, TitleLinker

TITLES = {
    "matrix": "The Matrix (1999)",
    "saw": "Saw (2004)",
    "saw2": "Saw II (2005)",
    "it90": "It (1990)",
    "it17": "It (2017)",
    "wire": "Man on Wire (2008)",
    "list": "Schindler's List (1993)",
    "fast": "The Fast & the Furious (2001)",
    "good": "Good Time (2017)",
    "titanic": "Titanic (1997)",
    "strange": "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1964)",
}


@pytest.fixture(scope="module")
def linker() -> TitleLinker:
    return TitleLinker(Title(id_, title) for id_, title in TITLES.items())


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("I loved The Matrix (1999) and Saw  (2004)!", ["matrix", "saw"]),
        ("have you seen the matrix", ["matrix"]),
        ("Have you seen The Matrx?", ["matrix"]),
        ("Maybe It (1990) or It (2017)", ["it90", "it17"]),
        ("something like man on wire", ["wire"]),
        ("schindlers list was great", ["list"]),
        ("fast and the furious", ["fast"]),
        ("I never liked Titanik", ["titanic"]),
        ("Dr Strangelove or How I Lerned to Stop Worying and Love the Bomb", ["strange"]),
        ("I saw it last night and had a good time", []),
        ("that's a good time to see it", []),
        ("SAW (2004)", ["saw"]),
        ("", []),
        ("?!", []),
    ],
)
def test_titles_are_linked(linker: TitleLinker, text: str, items: list[str]) -> None:
    found = linker.link(text)
    assert [link.item for link in found] == items
    assert all(0 <= link.score <= 1 for link in found)


def test_a_link_names_its_place_and_others_of_the_name(linker: TitleLinker) -> None:
    (link,) = linker.link('Is "It" any good?')
    assert (link.item, link.others) == ("it17", ("it90",))
    text = "Oh, Man on Wrie (2008)?"
    (wire,) = linker.link(text)
    assert text[wire.start : wire.end] == "Man on Wrie (2008"


def test_of_one_name_the_one_spoken_of_more_often_is_meant() -> None:
    linker = TitleLinker(
        [Title("old", "Ghostbusters (1984)", mentions=9), Title("new", "Ghostbusters (2016)", mentions=2)]
    )
    assert [link.item for link in linker.link("I love ghostbusters")] == ["old"]
    assert [link.item for link in linker.link("Ghostbusters (2017)")] == ["new"]


def test_titles_that_change_are_linked_as_if_all_were_read_anew(linker: TitleLinker) -> None:
    many = [Title(f"t{number}", f"Garden Chair {number}") for number in range(60)]
    first = TitleLinker([*many, *(Title(id_, title) for id_, title in TITLES.items())])
    changed = first.with_changes(["saw"], [Title("wire", "Man on Rope (2008)"), Title("boat", "The Long Boat")])
    for text, items in (
        ("man on wire", []),
        ("something like Man on Ropee", ["wire"]),
        ("I loved Saw (2004)", []),
        ("The Long Baot was good", ["boat"]),
        ("Garden Chair 7", ["t7"]),
        ("Have you seen The Matrx?", ["matrix"]),
    ):
        assert [link.item for link in changed.link(text)] == items, text
    assert [link.item for link in first.link("man on wire, then Saw (2004)")] == ["wire", "saw"]
