"""Events out of files: every row with its place, whatever the rows around it are."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.events.files import read_event_rows
from rejoinder.monitoring.replay_files import read_dated

CSV = (
    b"\xef\xbb\xbfat,text,price\n"
    b'2026-01-01,"one, two\nthree",7\n'
    b"2026-01-02,caf\xe9,1\n"
    b"2026-01-03,too,many,fields\n"
    b"\n"
    b"2026-01-04," + b"x" * 200 + b",2\n"
    b"2026-01-05,last,\n"
)


def test_a_table_yields_each_row_and_goes_on_behind_any() -> None:
    rows = list(read_event_rows(io.BytesIO(CSV), "a.csv", most_bytes=100))
    assert rows[0].value == {"at": "2026-01-01", "text": "one, two\nthree", "data": {"price": "7"}}
    assert rows[-1].value == {"at": "2026-01-05", "text": "last"}
    reasons = [str(one.value) for one in rows[1:-1]]
    assert [any(word in reason for word in ("UTF-8", "4 fields", "larger than 100")) for reason in reasons] == [
        True
    ] * 3
    for place, row in enumerate(rows):
        rest = list(read_event_rows(io.BytesIO(CSV), "a.csv", start=row.end, most_bytes=100))
        assert [str(one.value) for one in rest] == [str(one.value) for one in rows[place + 1 :]]


def test_quotes_mean_nothing_where_tabs_part_the_fields() -> None:
    found = read_event_rows(
        io.BytesIO(b'created_at\ttext\n2026-01-01\t"not closed\n2026-01-02\tnext\n'),
        "a.tsv",
        most_bytes=100,
        columns={"created_at": "at"},
    )
    assert [one.value["text"] for one in found] == ['"not closed', "next"]


def test_lines_and_texts() -> None:
    lines = b'{"text": "a"}\n\n' + b"y" * 300 + b'\n{"text": "b"}'
    found = list(read_event_rows(io.BytesIO(lines), "a.jsonl", most_bytes=100))
    assert [one.value if isinstance(one.value, bytes) else "bad" for one in found] == [
        b'{"text": "a"}',
        "bad",
        b'{"text": "b"}',
    ]
    assert [one.end for one in found] == [14, 316, len(lines)]
    (text,) = read_event_rows(io.BytesIO(b"Acme wins\n"), "a.txt", most_bytes=100)
    assert text.value == {"text": "Acme wins\n"}
    assert list(read_event_rows(io.BytesIO(b" \n"), "a.txt", most_bytes=100)) == []
    (binary,) = read_event_rows(io.BytesIO(b"PK\xff\xfe"), "a.txt", most_bytes=100)
    assert "UTF-8" in str(binary.value)
    with pytest.raises(InvalidInputError, match="files that end with"):
        list(read_event_rows(io.BytesIO(b""), "a.pdf", most_bytes=100))
    with pytest.raises(InvalidInputError, match="no header"):
        list(read_event_rows(io.BytesIO(b""), "a.csv", most_bytes=100))


def test_a_replay_has_documents_in_the_order_of_their_dates(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("created_at\ttext\nWed Jan 01 03:59:03 +0000 2014\tlater\nnever\tbad\n")
    (tmp_path / "a.csv").write_text("at,text\n2014-01-01T04:00:00,first\n2014-02-01,out\n")
    (tmp_path / "c.jsonl").write_text('{"text": "undated"}\n{"at": "2014-01-02", "text": "last"}\n[1]\n')
    found, bad = read_dated(
        [tmp_path], columns={"created_at": "at"}, time_zone="Asia/Tokyo", end=datetime(2014, 1, 31, tzinfo=UTC)
    )
    assert [one.row["text"] for one in found] == ["first", "later", "last"]
    assert found[0].row == {"source": "replay", "at": "2014-01-01T04:00:00+09:00", "text": "first"}
    assert [any(part in one for part in ("b.tsv, row 3", "c.jsonl, row 1", "c.jsonl, row 3")) for one in bad] == [
        True
    ] * 3
    with pytest.raises(InvalidInputError, match="a replay reads"):
        read_dated([tmp_path / "x.txt"])
