"""Every format is read into the same blocks; bad files say why; what hostile pages hide is left out."""

from __future__ import annotations

import io
import zipfile

import pytest

pytest.importorskip("selectolax", reason="needs the extra rejoinder[documents]")

from rejoinder.documents.content import Block
from rejoinder.documents.formats import MOST_BYTES, UnreadableFileError, format_of, read_content


def blocks(data: bytes, kind: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read_content(data, kind).blocks]


HANDBOOK = [
    ("heading", "Refunds"),
    ("text", "We pay back all money."),
    ("item", "by card"),
    ("item", "by transfer"),
    ("row", "Plan: Gold; Days: 5"),
]


def test_markdown():
    data = (
        b"---\ntitle: 'The handbook'\n---\n# Refunds\nWe pay back **all** [money](https://shop.example).\n\n- by card\n- by transfer\n\n"
        b"| Plan | Days |\n|---|---|\n| Gold | 5 |\n\n<script>alert(1)</script>\n"
    )
    assert blocks(data, "markdown") == HANDBOOK
    assert read_content(data, "markdown").title == "The handbook"


def test_html():
    data = (
        b"<!doctype html><title>The handbook</title><body><nav>Home</nav><h1>Ref<b>unds</b></h1><p>We pay back <em>all</em>\n money."
        b"<ul><li>by card<li>by transfer</ul><table><tr><th>Plan<th>Days<tr><td>Gold<td>5</table><footer>(c)</footer>"
    )
    assert blocks(data, "html") == HANDBOOK
    assert read_content(data, "html").title == "The handbook"


def test_docx():
    from docx import Document

    document = Document()
    document.add_heading("Refunds", 1)
    document.add_paragraph("We pay back all money.")
    for way in ("by card", "by transfer"):
        document.add_paragraph(way, style="List Bullet")
    table = document.add_table(2, 2)
    for place, value in zip(((0, 0), (0, 1), (1, 0), (1, 1)), ("Plan", "Days", "Gold", "5"), strict=True):
        table.cell(*place).text = value
    file = io.BytesIO()
    document.save(file)
    assert blocks(file.getvalue(), "docx") == HANDBOOK


def pdf_of(*pages: str) -> bytes:
    """Return a PDF file with these lines of text on its pages."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(600, 800)
        font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
        named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(named)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        lines = " T* ".join(f"({line}) Tj" for line in text.splitlines())
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 16 TL 50 750 Td {lines} ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def test_pdf_with_running_titles_left_out():
    pages = [
        f"Acme handbook\n{number}. Chapter\nPaying back takes five days and con-\ncerns cards.\nPage {number}"
        for number in (1, 2, 3)
    ]
    found = blocks(pdf_of(*pages), "pdf")
    assert ("heading", "2. Chapter") in found
    assert ("text", "Paying back takes five days and concerns cards.") in found
    assert not [text for _, text in found if "Acme" in text or "Page" in text]


def test_csv_of_exchanges_and_of_anything_else():
    exchange = b'Question;Answer;id\nHow do I pay?;"By card; or cash.";1\n;;2\n'
    assert blocks(exchange, "csv") == [("question", "How do I pay?"), ("reply", "By card; or cash.")]
    assert blocks(b"plan,days\nGold,5\n", "csv") == [("row", "plan: Gold; days: 5")]


def test_old_encodings_are_read():
    assert blocks("Größe".encode("cp1252"), "plain") == [("text", "Größe")]
    assert blocks("Größe".encode("utf-16"), "plain") == [("text", "Größe")]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>EVIL</script>",
        "<style>EVIL{}</style>",
        "<p style='display : none'>EVIL</p>",
        "<p style='font-size:0'>EVIL</p>",
        "<p style='position:absolute;left:-9999px'>EVIL</p>",
        "<p hidden>EVIL</p>",
        "<p aria-hidden='true'>EVIL</p>",
        "<template>EVIL</template>",
        "<noscript>EVIL</noscript>",
        "<iframe srcdoc='EVIL'>EVIL</iframe>",
        "<svg><text>EVIL</text></svg>",
        "<textarea>EVIL</textarea>",
        "<!-- EVIL -->",
        "<img alt='EVIL' src=x onerror='EVIL'>",
        "<a href='javascript:EVIL'></a>",
    ],
)
def test_what_a_page_hides_is_not_read(hidden: str):
    assert blocks(f"<body><p>Seen.</p>{hidden}".encode(), "html") == [("text", "Seen.")]


def test_invisible_and_control_characters_are_taken_out():
    assert blocks("<p>re\u200bfund\u202e\x07s</p>".encode(), "html") == [("text", "refunds")]


def test_a_page_of_a_hundred_thousand_levels_is_refused_at_once():
    with pytest.raises(UnreadableFileError, match="levels deep"):
        read_content(b"<p>Top.</p>" + b"<div>" * 100_000 + b"deep", "html")
    unclosed = "<body>" + "<p>One.<li>Two.<tr><td>Three.<br>" * 2000
    assert read_content(unclosed.encode(), "html").blocks[0] == Block(kind="text", text="One.")


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rejoinder.documents.formats.docx._MOST_UNPACKED", 1 << 20)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b"0" * (2 << 20))
    with pytest.raises(UnreadableFileError, match="would unpack to"):
        read_content(file.getvalue(), "docx")


def docx_of_table(*rows: str) -> bytes:
    """Return a DOCX file with a table of these rows, each the XML of its cells' properties and texts."""
    from docx import Document
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = Document()
    document.add_table(1, 1)
    table = document.tables[0]._tbl
    table.remove(table.tr_lst[0])
    for row in rows:
        table.append(parse_xml(f"<w:tr {nsdecls('w')}>{row}</w:tr>"))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def docx_cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"


def test_a_cell_of_a_docx_that_says_it_spans_a_thousand_columns_is_refused_at_once():
    wide = docx_of_table(docx_cell("wide", '<w:gridSpan w:val="1000000"/>'), docx_cell("next"))
    with pytest.raises(UnreadableFileError, match="more than 100 columns"):
        read_content(wide, "docx")


def test_merged_cells_of_a_docx_say_their_text_once_below_their_columns():
    data = docx_of_table(
        docx_cell("Plan") + docx_cell("Price", '<w:gridSpan w:val="2"/>'),
        docx_cell("Gold", '<w:vMerge w:val="restart"/>') + docx_cell("5") + docx_cell("6"),
        docx_cell("", "<w:vMerge/>") + docx_cell("7", '<w:gridSpan w:val="2"/>'),
    )
    assert blocks(data, "docx") == [("row", "Plan: Gold; Price: 5; Price: 6"), ("row", "Plan: Gold; Price: 7")]


def test_a_long_name_of_a_column_does_not_become_a_huge_text():
    long, rows = "n" * 100_000, 20_000
    assert len(blocks(f"{long},b\n1,2\n".encode(), "csv")[0][1]) < 400
    csv = f"{long},b\n" + "1,\n" * rows
    html = f"<table><tr><th>{long}</th></tr>" + "<tr><td>1</td></tr>" * rows + "</table>"
    markdown = f"| {long} |\n|---|\n" + "| 1 |\n" * rows
    for text, kind in ((csv, "csv"), (html, "html"), (markdown, "markdown")):
        with pytest.raises(UnreadableFileError, match="characters: split it"):
            read_content(text.encode(), kind)


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b" \n", "markdown", "empty"),
        (b"# Only a heading\n", "markdown", "no text"),
        (b"a\x00b", "plain", "NUL"),
        (b"%PDF-1.7 torn", "pdf", "cannot be read as pdf"),
        (b"PK\x03\x04 torn", "docx", "no DOCX"),
        (b"a,b\n", "csv", "at least one row"),
        (b"<html><body><script>x</script>", "html", "no text"),
        (b"x" * (MOST_BYTES + 1), "plain", "at most"),
    ],
)
def test_a_bad_file_says_why(data: bytes, kind: str, reason: str):
    with pytest.raises(UnreadableFileError, match=reason):
        read_content(data, kind)


def test_the_format_is_told_by_media_type_or_name():
    assert format_of("a.MD") == "markdown"
    assert format_of("x", "text/html; charset=utf-8") == "html"
    with pytest.raises(UnreadableFileError, match=r"'\.exe'.*Formats"):
        format_of("virus.exe")
