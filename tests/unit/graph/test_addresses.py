"""URLs of graph servers."""

from __future__ import annotations

import pytest
from rejoinder.errors import SettingsError
from rejoinder.graph.addresses import address_of


def test_all_parts_are_read() -> None:
    address = address_of("neo4j+s://ada:p%40ss%2Fword@graph.example:7688/films")
    assert (address.url, address.user, address.password, address.database) == (
        "neo4j+s://graph.example:7688",
        "ada",
        "p@ss/word",
        "films",
    )


def test_what_is_left_out_is_neo4js_own() -> None:
    address = address_of("bolt://localhost")
    assert (address.url, address.user, address.password, address.database) == ("bolt://localhost", "neo4j", "", None)


@pytest.mark.parametrize(
    "url", ["http://user:hidden@host", "bolt://user:hidden@", "bolt+x://user:hidden@host", "bolt://user:hidden@host:x"]
)
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"graph\.url") as error:
        address_of(url)
    assert "hidden" not in str(error.value)


def test_no_password_is_shown() -> None:
    assert "hidden" not in repr(address_of("bolt://user:hidden@host"))
