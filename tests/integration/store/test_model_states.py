"""The states of model versions: which moves there are, the line of promotions, and whose files are kept."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import get_args

import pytest
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.store import models
from rejoinder.store.database import Database
from rejoinder.store.models import VersionState

from .samples import NOON, later

STATES: tuple[VersionState, ...] = get_args(VersionState)
ALLOWED = {
    *product(["candidate"], ["shadow", "canary", "live", "retired"]),
    *product(["shadow"], ["candidate", "canary", "live", "retired"]),
    *product(["canary"], ["candidate", "shadow", "live", "retired"]),
    ("live", "retired"),
    ("retired", "live"),
}


async def new_version(database: Database, task: str = "intent") -> str:
    return (await models.add_version(database, "acme", task=task, artefact="/a", sha256="0")).id


async def promoted(database: Database, count: int, *, start: int = 0) -> list[str]:
    """Versions that were made live one after another, a second apart."""
    ids = [await new_version(database) for _ in range(count)]
    for second, version_id in enumerate(ids, start=start):
        await models.set_version_state(database, "acme", version_id, "live", at=later(second))
    return ids


async def live_id(database: Database) -> str | None:
    live = await models.live_version(database, "acme", "intent")
    return live.id if live else None


async def states(database: Database) -> dict[str, str]:
    return {one.id: one.state for one in await models.list_versions(database, "acme")}


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)), ids="-".join)
async def test_only_some_moves_are_allowed(database: Database, before: VersionState, after: VersionState):
    version = await new_version(database)
    if before != "candidate":
        await models.set_version_state(database, "acme", version, before)
    if before == after or (before, after) in ALLOWED:
        assert (await models.set_version_state(database, "acme", version, after)).state == after
    else:
        with pytest.raises(ConflictError, match=f"is {before}: from there it can become .*, not {after}"):
            await models.set_version_state(database, "acme", version, after)
        assert (await models.get_version(database, "acme", version)).state == before


async def test_a_promotion_retires_the_version_before(database: Database):
    first, second = await promoted(database, 2)

    assert await states(database) == {first: "retired", second: "live"}


async def test_versions_come_back_along_the_line_of_promotions(database: Database):
    first, second, third = await promoted(database, 3)

    assert [one.id for one in await models.roll_back(database, "acme", "intent")] == [third, second]
    assert [one.id for one in await models.roll_back(database, "acme", "intent")] == [second, first]
    assert await states(database) == {first: "live", second: "retired", third: "retired"}
    with pytest.raises(ConflictError, match="no version of the task 'intent' was live before"):
        await models.roll_back(database, "acme", "intent")


async def test_a_version_that_was_rolled_back_is_not_gone_back_to(database: Database):
    first, second, _ = await promoted(database, 3)
    await models.roll_back(database, "acme", "intent")
    (fourth,) = await promoted(database, 1, start=9)

    assert [one.id for one in await models.promoted_before(database, "acme", fourth)] == [second, first]
    await models.roll_back(database, "acme", "intent")
    assert await live_id(database) == second


async def test_a_version_that_was_rolled_back_can_be_promoted_again(database: Database):
    first, second = await promoted(database, 2)
    await models.roll_back(database, "acme", "intent")
    await models.set_version_state(database, "acme", second, "live", at=later(5))

    assert await live_id(database) == second
    assert [one.id for one in await models.promoted_before(database, "acme", second)] == [first]


async def test_the_line_holds_where_the_clock_of_a_promoter_is_late(database: Database):
    first, second = await new_version(database), await new_version(database)
    await models.set_version_state(database, "acme", first, "live", at=later(60))
    await models.set_version_state(database, "acme", second, "live", at=NOON)

    assert (await models.roll_back(database, "acme", "intent"))[1].id == first


async def test_without_a_live_version_nothing_is_rolled_back(database: Database):
    await new_version(database)
    with pytest.raises(NotFoundError, match="no model version of the task 'intent' is live"):
        await models.roll_back(database, "acme", "intent")


async def test_promotions_at_the_same_time_leave_one_live(database: Database):
    await promoted(database, 1)
    ids = [await new_version(database) for _ in range(5)]
    done = await asyncio.gather(
        *(models.set_version_state(database, "acme", one, "live") for one in ids),
        *(models.roll_back(database, "acme", "intent") for _ in range(2)),
        return_exceptions=True,
    )

    assert {type(one) for one in done if isinstance(one, BaseException)} <= {ConflictError, NotFoundError}
    assert len(await models.list_versions(database, "acme", state="live")) == 1


async def test_another_tenant_neither_promotes_nor_rolls_back(database: Database):
    first, _ = await promoted(database, 2)
    before = await states(database)
    with pytest.raises(NotFoundError):
        await models.set_version_state(database, "other", first, "live")
    with pytest.raises(NotFoundError):
        await models.roll_back(database, "other", "intent")
    assert await states(database) == before


async def test_servers_ask_for_the_live_versions_of_many_tenants_at_once(database: Database):
    (version,) = await promoted(database, 1)
    topic = await new_version(database, "topic")
    await models.set_version_state(database, "acme", topic, "live")
    tenants = ["acme", "other", *(f"nobody-{number}" for number in range(1200))]

    assert await models.live_versions(database, tenants) == {("acme", "intent"): version, ("acme", "topic"): topic}
    assert await models.live_versions(database, ["other"]) == {}
    assert await models.live_versions(database, []) == {}


# --- whose files are kept ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "left"), [(0, [3]), (1, [3]), (2, [2, 3]), (9, [0, 1, 2, 3])])
async def test_the_last_retired_versions_keep_their_files(database: Database, keep: int, left: list[int]):
    ids = await promoted(database, 5)
    given_up = await models.release_artefacts(database, "acme", "intent", keep=keep)

    kept = [one.id for one in await models.list_versions(database, "acme", state="retired") if one.artefact]
    assert sorted(kept) == sorted(ids[number] for number in left)
    assert given_up == ["/a"] * (4 - len(left))
    assert await models.release_artefacts(database, "acme", "intent", keep=keep) == []


async def test_what_a_roll_back_brings_back_keeps_its_files(database: Database):
    first, _, _ = await promoted(database, 3)
    await models.roll_back(database, "acme", "intent", at=later(10))
    await models.release_artefacts(database, "acme", "intent", keep=1)

    assert (await models.roll_back(database, "acme", "intent"))[1].id == first


async def test_candidates_and_other_tasks_keep_their_files(database: Database):
    await promoted(database, 2)
    candidate, topic = await new_version(database), await new_version(database, "topic")
    await models.set_version_state(database, "acme", topic, "retired")
    await models.release_artefacts(database, "acme", "intent", keep=0)

    assert all([(await models.get_version(database, "acme", one)).artefact for one in (candidate, topic)])


async def test_a_version_without_files_does_not_come_back(database: Database):
    first, _, _ = await promoted(database, 3)
    await models.release_artefacts(database, "acme", "intent", keep=0)
    await models.roll_back(database, "acme", "intent")

    with pytest.raises(ConflictError, match=r"files of model version .* were deleted"):
        await models.roll_back(database, "acme", "intent")
    with pytest.raises(ConflictError, match=r"files of model version .* were deleted"):
        await models.set_version_state(database, "acme", first, "live")
