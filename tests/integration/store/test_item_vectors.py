"""What the encoder reads of items, and vectors made anew where that is another text than before."""

from __future__ import annotations

from pathlib import Path

import pytest
from rejoinder.documents.encoding import PassageEncoder, sum_of
from rejoinder.items.arriving import item_text
from rejoinder.items.loading import ItemLoading
from rejoinder.store.items import NewItem, get_item, put_vectors
from rejoinder.testing import HashEncoder

from tests.support.application import opened

ROD = {"id": "rod", "title": "Fly rod", "tags": ["fishing"], "data": {"brand": "Hardy|Greys", "maker_id": "B00005N7P0"}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"star": ["Ann", "Bob"], "director": "Lee"}, "director: Lee. star: Ann, Bob"),
        ({"rating": "PG-13", "bought_together": ["reel-17"], "isbn": "9780141036144"}, "rating: PG-13"),
        ({"star": [f"Star {letter}" for letter in "abcdef"]}, "star: Star a, Star b, Star c, Star d"),
        ({"brand": "Hardy", "notes": ["w" * 199, "v" * 199, "u" * 199]}, "brand: Hardy"),
        ({"minutes": 90, "link": "https://shop.example/rod"}, ""),
    ],
)
def test_attributes_are_read_in_the_order_of_their_names_and_not_without_end(
    data: dict[str, object], said: str
) -> None:
    between = f"Fly rod. {said}. For trout." if said else "Fly rod. For trout."
    assert item_text("Fly rod", "For trout.", {"data": data}) == between
    assert item_text("Fly rod", "For trout.", {"data": dict(reversed(data.items()))}) == between


async def test_vectors_are_made_of_what_is_read_now(tmp_path: Path) -> None:
    async with opened(tmp_path, {}, tenants=("acme", "other")) as application:
        database, encoder = application.database, PassageEncoder.of_encoder(HashEncoder())
        for tenant in ("acme", "other"):
            await ItemLoading(database, tenant, None).take([(0, ROD)])
        loading = ItemLoading(database, "acme", encoder)
        assert await loading.encode_missing() == 1
        assert await loading.encode_missing() == 0
        first = await get_item(database, "acme", "rod")
        assert first.sha256 == sum_of("Fly rod. fishing. brand: Hardy, Greys")
        assert (await get_item(database, "other", "rod")).vector == b""

        (again,) = await loading.take([(0, {**ROD, "data": {"brand": "Orvis"}})])
        second = await get_item(database, "acme", "rod")
        assert again.status == "changed"
        assert second.vector != first.vector
        late = NewItem(id="rod", title="", sha256=first.sha256, encoder_hash=first.encoder_hash, vector=first.vector)
        assert await put_vectors(database, "acme", {"rod": late}, {"rod": first.revision}) == 0
        assert (await get_item(database, "acme", "rod")).vector == second.vector
