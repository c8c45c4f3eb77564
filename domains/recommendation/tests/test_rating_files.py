"""Ratings and items from files, good and bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder_recommendation.rating_files import read_rating_files

RATINGS = "user,item,rating,timestamp\n"
ITEMS = "item,title,text\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    ratings, items = tmp_path / "ratings.csv", tmp_path / "items.csv"
    ratings.write_text(RATINGS + "u,b,4,20\nu,a,5,10\nv,a,3,1970-01-01T00:00:30\n")
    items.write_text(ITEMS + 'a,Alien,"Horror, in space"\nb,Bambi,\n')
    return ratings, items


def test_events_come_in_the_order_of_time_and_of_rows(files: tuple[Path, Path]) -> None:
    ratings, items = files
    ratings.write_text(RATINGS + "u,b,4,20\nu,a,5,10\nv,b,1,7\nv,a,1,7\n")

    found = read_rating_files(ratings, items)

    assert found.histories.lengths.tolist() == [2, 2]
    assert [found.items[item] for item in found.histories.items] == ["a", "b", "b", "a"]
    assert found.histories.seconds.tolist() == [10, 20, 7, 7]
    assert found.texts == ("Alien. Horror, in space", "Bambi")
    assert (found.repeats, found.unknown) == (0, ())


def test_of_repeats_the_last_counts(files: tuple[Path, Path]) -> None:
    ratings, items = files
    ratings.write_text(RATINGS + "u,a,4,20\nu,b,5,30\nu,a,2,40\nu,b,2,5\n")

    found = read_rating_files(ratings, items)

    assert [found.items[item] for item in found.histories.items] == ["b", "a"]
    assert found.histories.seconds.tolist() == [30, 40]
    assert found.repeats == 2


def test_items_that_only_ratings_name_are_kept_and_told(files: tuple[Path, Path]) -> None:
    ratings, items = files
    ratings.write_text(ratings.read_text() + "v,zzz,3,50\n")

    found = read_rating_files(ratings, items)

    assert found.unknown == ("zzz",)
    assert found.items == ("a", "b", "zzz")
    assert found.texts[2] == ""
    assert len(found.histories.items) == 4


def test_gzipped_files_and_times_in_words(files: tuple[Path, Path]) -> None:
    ratings, items = files
    plain = read_rating_files(ratings, items)
    ratings.write_bytes(gzip.compress(ratings.read_bytes()))

    found = read_rating_files(ratings, items)

    assert found.histories.seconds.tolist() == [10, 20, 30]
    assert found.sha256 == plain.sha256


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ratings.csv", "", "ratings.csv is empty; expected `user,item,rating,timestamp`"),
        ("ratings.csv", RATINGS, "ratings.csv has a header and no rows"),
        ("ratings.csv", "user,item,stars\nu,a,1\n", "line 1: no column rating, timestamp"),
        ("ratings.csv", RATINGS + "u,a,3\n", "line 2: fewer fields"),
        ("ratings.csv", RATINGS + "u,a,3,1,9\n", "line 2: more fields"),
        ("ratings.csv", RATINGS + "u,a,3,1\nu, ,3,1\n", "line 3: the row has no item"),
        ("ratings.csv", RATINGS + ",a,3,1\n", "line 2: the row has no user"),
        ("ratings.csv", RATINGS + "u,a,good,1\n", "line 2: the rating 'good' is no number"),
        ("ratings.csv", RATINGS + "u,a,nan,1\n", "line 2: the rating nan is off the scale 0 to 10"),
        ("ratings.csv", RATINGS + "u,a,999,1\n", "line 2: the rating 999 is off the scale 0 to 10; say --scale"),
        ("ratings.csv", RATINGS + "u,a,-1,1\n", "line 2: the rating -1 is off the scale"),
        ("ratings.csv", RATINGS + "u,a,3,soon\n", "line 2: the timestamp 'soon' is neither"),
        ("ratings.csv", RATINGS + "u,a,3,inf\n", "line 2: the timestamp inf is not finite"),
        ("ratings.csv", RATINGS + 'u,"a,3,1\n', "not CSV"),
        ("ratings.csv", RATINGS + "u,x,3,1\nu,y,3,1\n", "none of the 2 items in .*ratings.csv, such as x, is in"),
        ("items.csv", "", "items.csv is empty"),
        ("items.csv", ITEMS, "items.csv has a header and no rows"),
        ("items.csv", ITEMS + "a,Alien,x\na,Aliens,x\n", "line 3: the item a was described before in other words"),
        ("items.csv", ITEMS + ",Alien,x\n", "line 2: the row has no item"),
    ],
)
def test_bad_files_are_named(files: tuple[Path, Path], name: str, text: str, message: str) -> None:
    (files[0].parent / name).write_text(text)

    with pytest.raises(InvalidInputError, match=message):
        read_rating_files(*files)


def test_another_scale_and_a_row_that_says_the_same_again(files: tuple[Path, Path]) -> None:
    ratings, items = files
    ratings.write_text(RATINGS + "u,a,999,1\n")
    items.write_text(ITEMS + "a,Alien,x\na,Alien,x\n")

    assert len(read_rating_files(ratings, items, scale=(1, 1000)).histories.items) == 1


def test_bytes_that_are_no_text(files: tuple[Path, Path]) -> None:
    files[1].write_bytes(b"item,title,text\na,\xff,\n")

    with pytest.raises(InvalidInputError, match="not UTF-8"):
        read_rating_files(*files)


def test_further_columns_are_attributes(files: tuple[Path, Path]) -> None:
    ratings, items = files
    items.write_text("item,title,text,brand,tags\na,Alien,,Fox,space| dark |space\nb,Bambi,,,\n")
    ratings.write_text(ratings.read_text() + "v,zzz,3,50\n")

    found = read_rating_files(ratings, items)

    assert found.attributes == ({"brand": ("Fox",), "tags": ("space", "dark")}, {"brand": (), "tags": ()}, {})
    assert found.users == ("u", "v")
