"""Tenants, keys, users, items, documents, events, alerts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError, StoreError
from rejoinder.store import alerts, conversations, decisions, documents, events, examples, items, keys, tenants, users
from rejoinder.store.database import Database
from rejoinder.store.tables import Item

from .samples import NOON, alert, decision, example, later, new_event


async def test_tenants_are_made_changed_and_removed(database: Database):
    made = await tenants.create_tenant(database, "bank-1", name="Bank", settings={"dialogue": {"misses": 2}}, at=NOON)
    assert (made.plugins, made.created_at, made.disabled) == (None, NOON, False)
    changed = await tenants.update_tenant(database, "bank-1", name="The Bank", plugins=["dialogue"])
    assert (changed.name, changed.plugins, changed.settings) == ("The Bank", ["dialogue"], {"dialogue": {"misses": 2}})
    assert (await tenants.update_tenant(database, "bank-1", default_plugins=True)).plugins is None
    assert (await tenants.update_tenant(database, "bank-1", settings={}, disabled=True)).disabled
    assert [one.id for one in await tenants.list_tenants(database)] == ["acme", "bank-1", "other"]
    assert [one.id for one in await tenants.list_tenants(database, disabled=False)] == ["acme", "other"]
    await tenants.delete_tenant(database, "bank-1")
    with pytest.raises(NotFoundError, match="no tenant 'bank-1'"):
        await tenants.get_tenant(database, "bank-1")


async def test_a_tenant_is_removed_with_everything(database: Database):
    await conversations.open_conversation(database, "acme", user_id="ann")
    await examples.add_examples(database, "acme", [example()])
    await tenants.delete_tenant(database, "acme")
    assert await examples.count_examples(database, "acme") == {}


@pytest.mark.parametrize("tenant_id", ["", "Acme", "-a", "a-", "a b", "a" * 64, "a/b", "é"], ids=repr)
async def test_a_tenants_id_is_a_slug(database: Database, tenant_id: str):
    with pytest.raises(InvalidInputError, match="1 to 63 small letters"):
        await tenants.create_tenant(database, tenant_id, name="x")


async def test_a_tenant_exists_once(database: Database):
    with pytest.raises(ConflictError, match="tenant 'acme' already"):
        await tenants.create_tenant(database, "acme", name="x")


async def test_plugins_and_default_plugins_exclude_one_another(database: Database):
    with pytest.raises(InvalidInputError, match="exclude one another"):
        await tenants.update_tenant(database, "acme", plugins=[], default_plugins=True)


async def test_keys_are_found_touched_and_revoked(database: Database):
    made = await keys.create_key(database, "acme", prefix="rk_1", hash="h1", role="agent", expires_at=later(9), at=NOON)
    operator = await keys.create_key(database, None, prefix="rk_2", hash="h2", role="operator")
    await keys.touch_key(database, "acme", made.id, at=later(1))
    await keys.touch_key(database, None, operator.id, at=later(2))
    found = await keys.find_key(database, "h1")
    assert found is not None
    assert (found.tenant_id, found.last_used_at, found.expires_at) == ("acme", later(1), later(9))
    assert [key.id for key in await keys.list_keys(database, "acme")] == [made.id]
    assert [key.last_used_at for key in await keys.list_keys(database, None)] == [later(2)]
    assert (await keys.revoke_key(database, "acme", made.id, at=later(3))).revoked_at == later(3)
    assert (await keys.revoke_key(database, "acme", made.id, at=later(4))).revoked_at == later(3)
    assert await keys.find_key(database, "h3") is None
    with pytest.raises(ConflictError):
        await keys.create_key(database, "other", prefix="rk_1", hash="h1", role="agent")


async def test_users_are_added_once_and_removed_with_what_is_theirs(database: Database):
    await users.ensure_user(database, "acme", "ann", at=NOON)
    await users.ensure_user(database, "acme", "ann", at=later(1))
    assert (await users.set_consent(database, "acme", "ann", True)).created_at == NOON
    assert [user.id for user in await users.list_users(database, "acme")] == ["ann"]
    assert await users.list_users(database, "acme", after="ann") == []
    await conversations.open_conversation(database, "acme", user_id="ann")
    await examples.add_examples(database, "acme", [example(), example("e2", user_id="bob")])
    await events.add_events(database, "acme", [new_event()])
    await decisions.add_decision(database, "acme", decision())
    removed = await users.delete_user(database, "acme", "ann")
    assert removed == {"users": 1, "conversations": 1, "examples": 1, "events": 1, "decisions": 1}
    assert [one.id for one in await examples.list_examples(database, "acme", "intent")] == ["e2"]
    with pytest.raises(NotFoundError):
        await users.get_user(database, "acme", "ann")


async def test_decisions_are_listed_newest_first(database: Database):
    for k in range(3):
        await decisions.add_decision(database, "acme", decision(f"d{k}", at=later(k), user_id="ann" if k else None))
    assert [one.id for one in await decisions.list_decisions(database, "acme", task="intent")] == ["d2", "d1", "d0"]
    listed = await decisions.list_decisions(database, "acme", user_id="ann", since=later(2))
    assert [one.id for one in listed] == ["d2"]


async def test_items_are_replaced_listed_and_removed(database: Database):
    await items.put_item(database, "acme", "i1", title="One", data={"price": 1.5}, at=NOON)
    changed = await items.put_item(database, "acme", "i1", title="Uno", active=False, at=later(1))
    assert (changed.title, changed.data, changed.created_at, changed.updated_at) == ("Uno", {}, NOON, later(1))
    await items.put_item(database, "acme", "i2", title="Two")
    assert [item.id for item in await items.list_items(database, "acme")] == ["i2"]
    assert [item.id for item in await items.list_items(database, "acme", active=None, after="i1")] == ["i2"]
    assert set(await items.get_items(database, "acme", ["i1", "i2", "i3"])) == {"i1", "i2"}
    await items.delete_item(database, "acme", "i1")
    with pytest.raises(NotFoundError, match="no item 'i1'"):
        await items.get_item(database, "acme", "i1")


async def test_documents_say_whether_they_changed(database: Database):
    assert await documents.put_document(database, "acme", "d1", source="faq", text="one")
    assert not await documents.put_document(database, "acme", "d1", source="faq", text="one")
    assert await documents.put_document(database, "acme", "d1", source="faq", text="one", title="New title")
    assert (await documents.get_document(database, "acme", "d1")).title == "New title"
    assert await documents.put_document(database, "acme", "d1", source="faq", text="two")
    assert [one.id for one in await documents.list_documents(database, "acme", source="faq")] == ["d1"]
    assert await documents.list_documents(database, "acme", source="else") == []
    await documents.delete_document(database, "acme", "d1")
    with pytest.raises(NotFoundError):
        await documents.delete_document(database, "acme", "d1")


async def test_an_incident_is_kept_once_with_its_deliveries(database: Database):
    assert await alerts.add_alert(database, "acme", alert(), receivers=["mail", "hook", "mail"], at=NOON)
    assert not await alerts.add_alert(database, "acme", alert(title="again"), receivers=["sms"], at=NOON)
    assert await alerts.get_alert(database, "acme", "incident_1") == alert()
    assert await alerts.list_alerts(database, "acme", since=NOON) == [alert()]
    assert {one.receiver for one in await alerts.list_deliveries(database, "acme")} == {"mail", "hook"}


async def test_a_delivery_is_tried_until_it_arrives_or_is_set_aside(database: Database):
    await alerts.add_alert(database, "acme", alert(), receivers=["mail", "hook"], at=NOON)
    assert await alerts.tenants_with_due_deliveries(database, at=NOON) == ["acme"]
    mail, hook = await alerts.claim_deliveries(database, "acme", lease_s=60, at=NOON)
    assert (mail.alert, mail.receiver, mail.attempt) == (alert(), "mail", 1)
    assert await alerts.claim_deliveries(database, "acme", lease_s=60, at=later(59)) == []
    assert await alerts.tenants_with_due_deliveries(database, at=later(59)) == []
    await alerts.delivery_done(database, "acme", mail.id, at=later(1))
    await alerts.delivery_failed(database, "acme", hook.id, error="HTTP 500", next_attempt_at=later(120))
    assert await alerts.claim_deliveries(database, "acme", lease_s=60, at=later(119)) == []
    (again,) = await alerts.claim_deliveries(database, "acme", lease_s=60, at=later(120))
    assert (again.id, again.attempt) == (hook.id, 2)
    await alerts.delivery_failed(database, "acme", hook.id, error="HTTP 410", next_attempt_at=None)
    (aside,) = await alerts.list_deliveries(database, "acme", status="set_aside")
    assert (aside.id, aside.last_error) == (hook.id, "HTTP 410")


async def test_a_delivery_whose_taker_died_is_due_again(database: Database):
    await alerts.add_alert(database, "acme", alert(), receivers=["mail"], at=NOON)
    await alerts.claim_deliveries(database, "acme", lease_s=60, at=NOON)
    (again,) = await alerts.claim_deliveries(database, "acme", lease_s=60, at=later(60))
    assert again.attempt == 2


async def test_deliveries_are_claimed_once_by_many(database: Database):
    await alerts.add_alert(database, "acme", alert(), receivers=[f"r{k}" for k in range(6)], at=NOON)
    claims = await asyncio.gather(
        *(alerts.claim_deliveries(database, "acme", lease_s=60, limit=4, at=NOON) for _ in range(4))
    )
    ids = [one.id for claim in claims for one in claim]
    assert len(ids) == len(set(ids))


async def test_moments_come_back_in_utc_and_naive_ones_are_refused(database: Database):
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    item = await items.put_item(database, "acme", "i1", title="One", at=there)
    stored = await items.get_item(database, "acme", "i1")
    assert stored.created_at == NOON
    assert stored.created_at.utcoffset() == timedelta(0)
    with pytest.raises(InvalidInputError, match="no time zone"):
        await items.put_item(database, "acme", "i2", title="Two", at=datetime(2026, 1, 1))  # noqa: DTZ001
    assert item.id == "i1"


@pytest.mark.parametrize("value", [{1, 2}, 2**70, float], ids=["set", "big", "type"])
async def test_what_json_cannot_say_is_refused(database: Database, value: object):
    with pytest.raises(InvalidInputError, match="cannot be stored as JSON"):
        await items.put_item(database, "acme", "i1", title="One", data={"value": value})
    assert await items.get_items(database, "acme", ["i1"]) == {}


async def test_a_row_of_no_tenant_is_refused(database: Database):
    with pytest.raises(ConflictError):
        await items.put_item(database, "nobody", "i1", title="One")


async def test_a_reading_session_cannot_write(database: Database):
    async def with_objects() -> None:
        async with database.read() as session:
            session.add(Item(tenant_id="acme", id="i1", title="x", created_at=NOON, updated_at=NOON))
            await session.flush()

    async def with_an_access_function() -> None:
        async with database.read() as session:
            await items.put_item(session, "acme", "i1", title="One")

    for attempt in (with_objects, with_an_access_function):
        with pytest.raises(StoreError):
            await attempt()
    assert await items.get_items(database, "acme", ["i1"]) == {}


async def test_passages_keep_their_vectors_and_revisions_grow(database: Database):
    assert await documents.read_revision(database, "acme") == 0
    one = documents.NewPassage(start=0, end=3, headings=("A",), sha256="sum-1", encoder_hash="e", vector=b"v1")
    two = documents.NewPassage(start=4, end=7, sha256="sum-2")
    await documents.put_document(database, "acme", "d1", source="faq", text="one two", passages=[one, two])
    await documents.put_document(
        database, "acme", "d2", source="faq", text="two", passages=[replace(two, start=0, end=3)]
    )
    assert await documents.document_revisions(database, "acme") == {"d1": 1, "d2": 2}
    assert await documents.vectors_of(database, "acme", "e", ["sum-1", "sum-2"]) == {"sum-1": b"v1"}
    assert await documents.vectors_of(database, "acme", "another", ["sum-1"]) == {}
    assert await documents.without_vectors(database, "acme", "e") == ["d1", "d2"]
    await documents.set_vectors(database, "acme", {"sum-2": b"v2"}, encoder_hash="e")
    assert await documents.document_revisions(database, "acme") == {"d1": 3, "d2": 3}
    [(document, rows)] = await documents.list_passages(database, "acme", ["d1"])
    assert [(row.number, row.vector, document.text[row.start_char : row.end_char]) for row in rows] == [
        (0, b"v1", "one"),
        (1, b"v2", "two"),
    ]
    [summary, _] = await documents.list_document_summaries(database, "acme")
    assert (summary.id, summary.characters, summary.passages, summary.encoded) == ("d1", 7, 2, 2)
    await documents.delete_document(database, "acme", "d1")
    assert await documents.read_revision(database, "acme") == 4
    assert await documents.document_revision(database, "acme", "d1") is None
    assert await documents.document_revision(database, "acme", "d2") == 3
