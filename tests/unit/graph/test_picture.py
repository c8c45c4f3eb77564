"""Pictures of a neighbourhood: read as a browser or an image viewer would."""

from __future__ import annotations

import struct
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.layout import arrange, one_line
from rejoinder.graph.picture import draw
from rejoinder.graph.values import Entity, Neighbourhood, Relation

EVIL = "</title><script>alert('x')</script>\"'><img src=x onerror=alert(1)>&amp;"


def entity(name: str, kind: str = "movie", **more: object) -> Entity:
    return Entity(id=f"{kind}:{name}", kind=kind, name=name, **more)  # type: ignore[arg-type]


def around(count: int, *, truncated: bool = False) -> Neighbourhood:
    """A star, with a second ring at its first point."""
    centre = entity("Mel Gibson", "person")
    films = [entity(f"A film with the number {number}") for number in range(count)]
    tags = [entity(f"tag {number}", "tag") for number in range(count // 4)]
    relations = [Relation(subject=one.id, name="starring", object=centre.id) for one in films]
    relations += [Relation(subject=films[0].id, name="has_tags", object=one.id) for one in tags]
    return Neighbourhood(entities=(centre, *films, *tags), relations=tuple(relations), truncated=truncated)


class Page(HTMLParser):
    """Elements, their attributes, and texts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


@pytest.mark.parametrize("count", [0, 1, 8, 40])
def test_no_box_covers_another_and_all_are_inside(count: int) -> None:
    found = around(count)

    layout = arrange(found, "person:Mel Gibson")

    assert len(layout.boxes) == len(found.entities)
    for one, other in combinations(layout.boxes, 2):
        assert one.place.shared(other.place) == 0
    for box in layout.boxes:
        assert box.place.width / 2 <= box.place.x <= layout.width - box.place.width / 2
        assert box.place.height / 2 <= box.place.y <= layout.height - box.place.height / 2


def test_the_same_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "a.html", "b.html"):
        draw(around(12), tmp_path / name, centre="person:Mel Gibson")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_png_has_the_size_of_its_layout(tmp_path: Path) -> None:
    found = around(5)
    draw(found, tmp_path / "new" / "a.png", centre="person:Mel Gibson")

    data = (tmp_path / "new" / "a.png").read_bytes()

    layout = arrange(found, "person:Mel Gibson")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width == pytest.approx(layout.width / 72 * 150, abs=2)
    assert height == pytest.approx(layout.height / 72 * 150, abs=2)
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["a.png"]


def test_html_has_names_kinds_relations_and_what_is_left_out(tmp_path: Path) -> None:
    long = entity("x" * 500, description="of a shark", properties={"year": 1975}, aliases=("Der weiße Hai",))
    found = around(2, truncated=True)
    found = Neighbourhood(
        entities=(*found.entities, long),
        relations=(*found.relations, Relation(subject=long.id, name="starring", object="person:Mel Gibson")),
        truncated=True,
    )
    draw(found, tmp_path / "a.html", centre="person:Mel Gibson")

    page = Page(tmp_path / "a.html")

    for text in ("Mel Gibson", "person", "starring", "; there are more", "of a shark", "year: 1975", "Der weiße Hai"):
        assert text in page.text
    assert f"{'x' * 29}…" in page.text
    assert not {"script", "link", "iframe", "img", "object", "foreignobject"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name.startswith(("on", "href", "src", "xlink"))]


def test_nothing_in_a_graph_becomes_markup(tmp_path: Path) -> None:
    centre = entity(EVIL, description=EVIL, aliases=(EVIL,), properties={"note": EVIL})
    other = Entity(id=EVIL, kind="person", name=f"\x00\x1b[31m\u202e{EVIL}")
    relations = (Relation(subject=centre.id, name="knows", object=other.id),)
    draw(Neighbourhood(entities=(centre, other), relations=relations), tmp_path / "a.html", centre=centre.id)

    page = Page(tmp_path / "a.html")

    assert set(page.elements) <= {
        *("html", "head", "meta", "title", "style", "body", "svg", "defs", "marker"),
        *("path", "rect", "text", "g"),
    }
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "alert('x')" in page.text
    assert "\x00" not in page.text


@pytest.mark.parametrize("name", ["$\\frac{1", "黑客帝国", "a\nb\tc", "שלום", "\x07", " "])
def test_any_name_can_be_drawn(name: str, tmp_path: Path) -> None:
    found = Neighbourhood(entities=(entity(name),), relations=())
    for file in ("a.png", "a.html"):
        draw(found, tmp_path / file, centre=f"movie:{name}")
        assert (tmp_path / file).stat().st_size > 500


def test_relations_both_ways_several_of_a_pair_and_to_itself(tmp_path: Path) -> None:
    a, b = entity("a"), entity("b")
    relations = [(a, "likes", b), (a, "knows", b), (b, "hates", a), (a, "is", a)]
    found = Neighbourhood(
        entities=(a, b),
        relations=tuple(Relation(subject=one.id, name=name, object=other.id) for one, name, other in relations),
    )

    layout = arrange(found, a.id)
    draw(found, tmp_path / "a.png", centre=a.id)

    assert {line.label: line.back for line in layout.lines} == {"likes, knows / hates": True, "is": False}


def test_names_are_one_line_and_cut() -> None:
    assert one_line("a\n\t b", 10) == "a b"
    assert one_line("abcdefghij", 10) == "abcdefghij"
    assert one_line("abcdefghijk", 10) == "abcdefghi…"
    assert one_line("a\u202eb\x00c", 10) == "a b c"


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    found = around(1)
    with pytest.raises(InvalidInputError, match=r"a\.gif: a picture's name ends with \.png or \.html"):
        draw(found, tmp_path / "a.gif", centre="person:Mel Gibson")
    with pytest.raises(InvalidInputError, match="no entity 'nobody'"):
        draw(found, tmp_path / "a.png", centre="nobody")
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match=r"file/a\.html cannot be written"):
        draw(found, tmp_path / "file" / "a.html", centre="person:Mel Gibson")
