"""No tenant reaches another's records: every access function is called by "other" with the ids of "acme"."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from rejoinder import store
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.events.near_duplicates import Sketch
from rejoinder.monitoring.marks import mark_alert
from rejoinder.payloads import ConversationState, DetectorState, Evaluation, Observation, Reward
from rejoinder.store import (
    alert_rules,
    alerts,
    behaviour,
    choices,
    clusters,
    conversations,
    decisions,
    detection,
    documents,
    erasures,
    events,
    examples,
    feedback,
    hand_offs,
    items,
    keys,
    models,
    news,
    personal_data,
    quality,
    questions,
    reports,
    review,
    runs,
    schedules,
    secret_slots,
    signals,
    sources,
    tenants,
    topic_proposals,
    trends,
    trials,
    turns,
    users,
)
from rejoinder.store.database import Database
from rejoinder.store.tables import metadata
from sqlalchemy import select

from .samples import NOON, alert, decision, event, example, later, turn
from .samples import feedback as new_feedback

WHOLE_DEPLOYMENT = {
    "tenants.create_tenant": "makes a tenant",
    "tenants.list_tenants": "for operators",
    "keys.find_key": "the tenant is learned from the key",
    "runs.waiting_runs": "gives ids only, to a sweep that calls each tenant's functions",
    "runs.claim_next": "gives a worker the run that is next, which it carries out for that run's tenant",
    "models.live_versions": "gives ids of the tenants that a server asks for, to a watch that loads each tenant's own",
    "trials.open_trials": "gives the trials of the tenants that a server asks for, to the same watch",
    "alerts.tenants_with_due_deliveries": "gives tenants only, to a sweep",
    "erasures.tenants_with_open_erasures": "gives tenants only, to a server that carries on what a killed one left",
    "examples.taken_back_since": "gives ids of the tenants that a server asks for, to the watch that has their models in memory",
    "erasures.erasures_since": "gives ids of the tenants that a server asks for, to the watch that has their models in memory",
    "hand_offs.open_hand_offs": "gives what waits for people, to a watch that looks after each by its tenant's functions",
    "hand_offs.unlearned": "gives what agents closed, to the same watch",
    "totals.run_totals": "counts for the deployment's metrics",
    "totals.decision_totals": "counts for the deployment's metrics",
    "totals.serving_versions": "names of versions for the deployment's metrics, by tenant",
}
"""Functions that see all tenants, and why they may."""

OWN_TENANT = {"tenants.get_tenant", "tenants.update_tenant", "tenants.delete_tenant"}
"""Functions whose record is the tenant itself."""


def access_functions() -> dict[str, Callable[..., Any]]:
    """Return every public access function of every module of the store, by module and name."""
    found = {}
    for module_info in pkgutil.iter_modules(store.__path__):
        if module_info.ispkg:
            continue
        module = importlib.import_module(f"rejoinder.store.{module_info.name}")
        for name, function in vars(module).items():
            blocking = getattr(function, "__wrapped__", None)
            if (
                blocking is not None
                and blocking.__module__ == module.__name__
                and inspect.iscoroutinefunction(function)
            ):
                found[f"{module_info.name}.{name}"] = function
    return found


class Acme:
    """What "acme" has, one record of each kind."""

    conversation = version = run = key = delivery = alert = trial = erasure = review_item = cluster = hand_off = (
        rule
    ) = ""


@pytest.fixture
async def acme(database: Database) -> Acme:
    ids = Acme()
    ids.conversation = (
        await conversations.open_conversation(database, "acme", user_id="ann", conversation_id="conv_1", at=NOON)
    ).id
    await turns.record_turn(
        database,
        "acme",
        conversation_id=ids.conversation,
        expected_version=0,
        state=ConversationState(),
        turn=turn(idempotency_key="key"),
        decision=decision(),
    )
    await secret_slots.put_secret(
        database, "acme", ids.conversation, "card", ciphertext=b"secret", expires_at=later(3600)
    )
    await feedback.add_feedback(database, "acme", new_feedback(), idempotency_key="key", request_hash="hash")
    await examples.add_examples(database, "acme", [example()])
    ids.version = (await models.add_version(database, "acme", task="intent", artefact="/a", sha256="0")).id
    await models.set_version_state(database, "acme", ids.version, "live")
    await models.add_evaluation(
        database, "acme", ids.version, data="held_back", evaluation=Evaluation(metrics={"accuracy": 1.0})
    )
    ids.run = (await runs.create_run(database, "acme", task="intent", at=NOON)).id
    await runs.claim_run(database, "acme", ids.run, owner="w1", lease_s=60, at=NOON)
    await schedules.claim_schedule(database, "acme", "daily", every_s=60, at=NOON)
    await signals.note_read(database, "acme", NOON)
    await sources.put_source(database, "acme", "wire", **WIRE, at=NOON)
    against = await models.add_version(database, "acme", task="intent", artefact="/b", sha256="1")
    ids.trial = (
        await trials.start_trial(
            database, "acme", task="intent", version_id=against.id, against_id=ids.version, share=0.5, at=NOON
        )
    ).id
    await trials.add_model_decision(
        database, "acme", task="intent", version_id=ids.version, action="promote", by="gate", reason="better", at=NOON
    )
    await feedback.set_rewards(database, "acme", "feedback_1", [Reward(task="intent", value=1.0, reason="x")])
    ids.erasure = (
        await erasures.add_erasure(
            database,
            "acme",
            reason="user",
            by="key",
            counts={"users": 1},
            example_ids=["gone"],
            tasks=["intent"],
            at=NOON,
        )
    ).id
    ids.key = (await keys.create_key(database, "acme", prefix="rk", hash="hash", role="agent")).id
    passage = documents.NewPassage(start=0, end=4, sha256="sum", encoder_hash="e", vector=b"vector")
    await documents.put_document(database, "acme", "doc_1", source="faq", text="text", passages=[passage])
    await items.put_item(database, "acme", "item_1", title="Item")
    await events.add_events(database, "acme", [banded("event_1"), banded("event_2")])
    read = await events.unread_events(database, "acme", limit=1)
    assert read is not None
    await events.events_read(database, "acme", read, [observation()], error="no")
    await alerts.add_alert(database, "acme", alert(), receivers=["mail"], at=NOON)
    ids.delivery = (await alerts.list_deliveries(database, "acme"))[0].id
    ids.alert = (await alerts.list_alert_rows(database, "acme"))[0].id
    ids.rule = (
        await alert_rules.add_alert_rule(
            database, "acme", user_id="ann", key="cards", name="Cards", condition=CONDITION, at=NOON, most=9
        )
    ).id
    await mark_alert(database, "acme", ids.alert, "noise", by="ann", at=NOON, wanted_per_day=1)
    seen = await detection.undetected(database, "acme", limit=1)
    assert seen is not None
    await detected(database, "acme", seen, [DetectorState(key="mention:A", data={"n": 1})])
    await review.replace_picked(database, "acme", ["decision_1"], since=NOON, at=NOON, most=1)
    ids.review_item = (await review.picked_since(database, "acme", NOON))[0].item.id
    await clusters.replace_open_clusters(database, "acme", [found_cluster("Luggage")], at=NOON)
    ids.cluster = (await clusters.list_clusters(database, "acme"))[0].row.id
    await topic_proposals.replace_open_proposals(database, "acme", [found_topic("Metals")], at=NOON)
    ids.proposal = (await topic_proposals.list_proposals(database, "acme"))[0].row.id
    new = hand_offs.NewHandOff(conversation_id=ids.conversation, user_id="ann", reason="asked", at=NOON)
    await database.run_write(hand_offs.add_hand_off, "acme", new, hand_offs.NewEvent(kind="queued", at=NOON))
    ids.hand_off = new.id
    await hand_offs.see_agent(database, "acme", "agent:eva", name="Eva", at=NOON)
    return ids


async def detected(database: Database, tenant_id: str, seen: detection.Undetected, states: list[DetectorState]) -> bool:
    return await detection.changes_detected(
        database, tenant_id, seen, states, [], receivers=(), group_within=timedelta(0), at=NOON
    )


async def states_kept(database: Database, tenant_id: str) -> list[object]:
    found = await detection.detector_states(database, tenant_id, ["mention:A"])
    return [one for one in found.values() if one.data or one.threshold]


async def all_observed(database: Database, tenant_id: str) -> list[object]:
    found = await trends.observed_in(database, tenant_id, observation().type, [observation().key], LONG)
    return [*found.documents, *found.of_key]


CONDITION = {
    "measure": "count",
    "comparison": "above",
    "threshold": 1.0,
    "window_hours": 24.0,
    "least_documents": 3,
}
WIRE: dict[str, Any] = {"kind": "feed", "location": "https://a.example", "every_s": 60.0}
LONG = trends.Stretch(later(-9e8), later(9e8), later(9e8))


def banded(event_id: str, **changes: Any) -> events.NewEvent:
    sketch = Sketch(bands=(1,), shingles=frozenset((event_id.encode(),)), threshold=1.0)
    return events.NewEvent(event=event(event_id, **changes), sha256=event_id, source="shop", sketch=sketch)


def observation() -> Observation:
    return Observation(event_id="event_1", type="topic", key="cards", at=NOON)


def unread_of_acme() -> events.Unread:
    return events.Unread(1, 2, (event("event_1"), event("event_2")), 0)


def found_cluster(title: str) -> clusters.FoundCluster:
    return clusters.FoundCluster(
        title=title, keywords=("luggage",), decision_ids=("decision_1",), encoder_hash="0", centroid=b"0000"
    )


def found_topic(title: str) -> topic_proposals.FoundTopic:
    return topic_proposals.FoundTopic(
        title=title, keywords=("gold",), event_ids=("event_1",), encoder_hash="0", centroid=b"0000"
    )


async def author_of(database: Database, tenant_id: str, example_id: str) -> str | None:
    return (await feedback.statement_of(database, tenant_id, example_id)).user_id


async def choices_of(database: Database, tenant_id: str) -> list[choices.RewardedChoice]:
    newest, found = await choices.rewarded_choices(database, tenant_id, after=None, limit=9)
    assert newest is None
    return found


async def anything(found: Awaitable[tuple[object, ...]]) -> bool:
    return any(await found)


async def first(found: Awaitable[tuple[Any, Any]]) -> Any:
    return (await found)[0]


async def last(found: Awaitable[tuple[Any, Any]]) -> Any:
    return (await found)[1]


async def total(counts: Awaitable[tuple[int, ...]]) -> int:
    return sum(await counts)


# What "other" tries with acme's ids. Each gives nothing, or raises NotFoundError or ConflictError.
ATTEMPTS: dict[str, Callable[[Database, str, Acme], Awaitable[object]]] = {
    "alerts.acknowledge_alert": lambda db, t, a: alerts.acknowledge_alert(db, t, a.alert, by="x", at=NOON),
    "alerts.get_alert_row": lambda db, t, a: alerts.get_alert_row(db, t, a.alert),
    "alerts.has_due_deliveries": lambda db, t, _: alerts.has_due_deliveries(db, t, at=later(9e8)),
    "alerts.last_alert_id": lambda db, t, _: alerts.last_alert_id(db, t),
    "alerts.list_alert_rows": lambda db, t, _: alerts.list_alert_rows(db, t),
    "alerts.parts_of": lambda db, t, _: alerts.parts_of(db, t, "incident_1"),
    "detection.changes_detected": lambda db, t, _: detected(
        db, t, detection.Undetected(0, 1, ()), [DetectorState(key="mention:A")]
    ),
    "detection.detector_states": lambda db, t, _: states_kept(db, t),
    "detection.undetected": lambda db, t, _: detection.undetected(db, t, limit=9),
    "detection.undetected_count": lambda db, t, _: detection.undetected_count(db, t),
    "topic_proposals.close_proposal": lambda db, t, a: topic_proposals.close_proposal(
        db, t, a.proposal, "rejected", by="other", at=NOON
    ),
    "topic_proposals.documents_without": lambda db, t, _: topic_proposals.documents_without(
        db, t, "topic", since=later(-9e8), limit=9
    ),
    "topic_proposals.get_proposal": lambda db, t, a: topic_proposals.get_proposal(db, t, a.proposal),
    "topic_proposals.list_proposals": lambda db, t, _: topic_proposals.list_proposals(db, t, state=None),
    "topic_proposals.reopen_proposal": lambda db, t, a: topic_proposals.reopen_proposal(
        db, t, a.proposal, topic="metals"
    ),
    "topic_proposals.replace_open_proposals": lambda db, t, _: topic_proposals.replace_open_proposals(
        db, t, [found_topic("Other's")], at=NOON
    ),
    "sources.claim_source": lambda db, t, _: sources.claim_source(db, t, "wire", lease_s=9, at=NOON),
    "sources.claim_sources": lambda db, t, _: sources.claim_sources(db, t, lease_s=9, limit=9, at=later(9e8)),
    "sources.delete_source": lambda db, t, _: sources.delete_source(db, t, "wire"),
    "sources.get_source": lambda db, t, _: sources.get_source(db, t, "wire"),
    "sources.has_due_sources": lambda db, t, _: sources.has_due_sources(db, t, at=later(9e8)),
    "sources.list_sources": lambda db, t, _: sources.list_sources(db, t),
    "sources.poll_soon": lambda db, t, _: sources.poll_soon(db, t, "wire", at=NOON),
    "sources.put_source": lambda db, t, _: sources.put_source(db, t, "wire", **WIRE, at=NOON),
    "sources.source_failed": lambda db, t, _: sources.source_failed(
        db, t, "wire", WIRE["location"], error="x", at=NOON, next_poll_at=NOON
    ),
    "sources.source_polled": lambda db, t, _: sources.source_polled(
        db, t, "wire", WIRE["location"], cursor="x", counts={}, problems=[], at=NOON, next_poll_at=NOON
    ),
    "trends.busiest_keys": lambda db, t, _: trends.busiest_keys(db, t, observation().type, LONG, limit=9),
    "alert_rules.add_alert_rule": lambda db, t, a: alert_rules.add_alert_rule(
        db, t, rule_id=a.rule, user_id="ann", key="cards", name="", condition=CONDITION, at=NOON, most=9
    ),
    "alert_rules.list_alert_rules": lambda db, t, _: alert_rules.list_alert_rules(db, t, user_id="ann"),
    "alert_rules.remove_alert_rule": lambda db, t, a: alert_rules.remove_alert_rule(db, t, a.rule),
    "alert_rules.rules_about": lambda db, t, _: alert_rules.rules_about(db, t, ["cards"]),
    "alert_rules.rules_looked_at": lambda db, t, a: alert_rules.rules_looked_at(
        db, t, {a.rule: alert_rules.Looked(True, NOON)}
    ),
    "trends.documents_about": lambda db, t, _: trends.documents_about(db, t, observation().type, "cards", LONG),
    "trends.seen_in": lambda db, t, _: trends.seen_in(db, t, observation().type, ["cards"], LONG),
    "trends.topics_of": lambda db, t, _: trends.topics_of(db, t, observation().type, ["event_1"]),
    "trends.observed_in": lambda db, t, _: all_observed(db, t),
    "alerts.add_alert": lambda db, t, _: alerts.add_alert(db, t, alert(title="Other's")),
    "alerts.claim_deliveries": lambda db, t, _: alerts.claim_deliveries(db, t, lease_s=1, at=later(9e9)),
    "alerts.delivery_done": lambda db, t, a: alerts.delivery_done(db, t, a.delivery),
    "alerts.delivery_failed": lambda db, t, a: alerts.delivery_failed(
        db, t, a.delivery, error="x", next_attempt_at=None
    ),
    "alerts.get_alert": lambda db, t, _: alerts.get_alert(db, t, "incident_1"),
    "alerts.list_alerts": lambda db, t, _: alerts.list_alerts(db, t),
    "alerts.list_deliveries": lambda db, t, _: alerts.list_deliveries(db, t),
    "choices.rewarded_choices": lambda db, t, _: choices_of(db, t),
    "clusters.close_cluster": lambda db, t, a: clusters.close_cluster(
        db, t, a.cluster, "rejected", by="other", at=NOON
    ),
    "clusters.get_cluster": lambda db, t, a: clusters.get_cluster(db, t, a.cluster),
    "clusters.list_clusters": lambda db, t, _: clusters.list_clusters(db, t, state=None),
    "clusters.replace_open_clusters": lambda db, t, _: clusters.replace_open_clusters(
        db, t, [found_cluster("Other's")], at=NOON
    ),
    "conversations.close_conversation": lambda db, t, a: conversations.close_conversation(db, t, a.conversation),
    "conversations.delete_conversation": lambda db, t, a: conversations.delete_conversation(db, t, a.conversation),
    "conversations.get_conversation": lambda db, t, a: conversations.get_conversation(db, t, a.conversation),
    "conversations.list_conversations": lambda db, t, _: conversations.list_conversations(db, t, user_id="ann"),
    "conversations.open_conversation": lambda db, t, a: conversations.open_conversation(
        db, t, user_id="ann", conversation_id=a.conversation
    ),
    "conversations.update_state": lambda db, t, a: conversations.update_state(
        db, t, a.conversation, expected_version=1, state=ConversationState(mode="agent")
    ),
    "decisions.add_decision": lambda db, t, _: decisions.add_decision(db, t, decision("d2"), turn_id="turn_1"),
    "decisions.decisions_of_turn": lambda db, t, _: decisions.decisions_of_turn(db, t, "turn_1"),
    "decisions.get_decision": lambda db, t, _: decisions.get_decision(db, t, "decision_1"),
    "decisions.list_decisions": lambda db, t, _: decisions.list_decisions(db, t, user_id="ann"),
    "documents.delete_document": lambda db, t, _: documents.delete_document(db, t, "doc_1"),
    "documents.document_revisions": lambda db, t, _: documents.document_revisions(db, t),
    "documents.list_document_summaries": lambda db, t, _: documents.list_document_summaries(db, t),
    "documents.list_passages": lambda db, t, _: documents.list_passages(db, t, ["doc_1"]),
    "documents.set_vectors": lambda db, t, _: documents.set_vectors(db, t, {"sum": b"Other's"}, encoder_hash="f"),
    "documents.vectors_of": lambda db, t, _: documents.vectors_of(db, t, "e", ["sum"]),
    "documents.without_vectors": lambda db, t, _: documents.without_vectors(db, t, "f"),
    "documents.get_document": lambda db, t, _: documents.get_document(db, t, "doc_1"),
    "documents.list_documents": lambda db, t, _: documents.list_documents(db, t),
    "documents.put_document": lambda db, t, _: documents.put_document(db, t, "doc_1", source="x", text="Other's"),
    "erasures.add_erasure": lambda db, t, _: erasures.add_erasure(
        db, t, reason="user", by="key", counts={}, example_ids=[]
    ),
    "erasures.delete_before": lambda db, t, _: erasures.delete_before(db, t, later(9e9)),
    "erasures.erased_examples": lambda db, t, _: erasures.erased_examples(db, t),
    "erasures.finish_erasure": lambda db, t, a: erasures.finish_erasure(db, t, a.erasure),
    "erasures.list_erasures": lambda db, t, _: erasures.list_erasures(db, t),
    "erasures.first_deed": lambda db, t, _: erasures.first_deed(db, t, "ann"),
    "erasures.mark_versions_since": lambda db, t, _: erasures.mark_versions_since(db, t, ["intent"], later(-9e9)),
    "erasures.mark_versions": lambda db, t, _: erasures.mark_versions(
        db, t, [erasures.TakenExample(id="example_1", task="intent", trainable=True, known_since=NOON)]
    ),
    "erasures.marked_files": lambda db, t, _: erasures.marked_files(db, t, "intent"),
    "erasures.open_erasures": lambda db, t, _: erasures.open_erasures(db, t),
    "erasures.release_files": lambda db, t, a: erasures.release_files(db, t, [a.version]),
    "erasures.stop_runs": lambda db, t, _: erasures.stop_runs(db, t, ["intent"], reason="x"),
    "erasures.take_examples": lambda db, t, _: erasures.take_examples(db, t, user_id="ann"),
    "events.add_events": lambda db, t, _: events.add_events(db, t, [banded("event_1", text="Other's")]),
    "events.events_read": lambda db, t, _: events.events_read(db, t, unread_of_acme(), [observation()]),
    "events.forget_bands": lambda db, t, _: events.forget_bands(db, t, later(9e9)),
    "events.get_event": lambda db, t, _: events.get_event(db, t, "event_1"),
    "events.list_events": lambda db, t, _: events.list_events(db, t),
    "events.list_observations": lambda db, t, _: events.list_observations(db, t, "event_1"),
    "events.note_attempt": lambda db, t, _: events.note_attempt(db, t, unread_of_acme(), "Other's"),
    "events.read_again": lambda db, t, _: events.read_again(db, t, "event_1"),
    "events.unread_count": lambda db, t, _: events.unread_count(db, t),
    "events.unread_events": lambda db, t, _: events.unread_events(db, t, limit=9),
    "examples.add_examples": lambda db, t, _: examples.add_examples(db, t, [example(label="Other's", at=later(1))]),
    "examples.count_examples": lambda db, t, _: examples.count_examples(db, t),
    "examples.get_example": lambda db, t, _: examples.get_example(db, t, "example_1"),
    "examples.get_examples": lambda db, t, _: examples.get_examples(db, t, ["example_1"]),
    "examples.take_back_of_user": lambda db, t, _: examples.take_back_of_user(db, t, "ann"),
    "examples.list_provenance": lambda db, t, _: examples.list_provenance(db, t, "intent"),
    "examples.list_examples": lambda db, t, _: examples.list_examples(db, t, "intent", active=None),
    "examples.set_active": lambda db, t, _: examples.set_active(db, t, ["example_1"], False),
    "feedback.add_feedback": lambda db, t, _: feedback.add_feedback(
        db, t, new_feedback(), idempotency_key="key", request_hash="hash"
    ),
    "feedback.feedback_situation": lambda db, t, _: feedback.feedback_situation(db, t, "decision_1", "ann", at=NOON),
    "feedback.find_by_key": lambda db, t, _: feedback.find_by_key(db, t, "key", "hash"),
    "feedback.get_feedback": lambda db, t, _: feedback.get_feedback(db, t, "feedback_1"),
    "feedback.list_feedback": lambda db, t, _: feedback.list_feedback(db, t, decision_id="decision_1"),
    "feedback.record_feedback": lambda db, t, _: feedback.record_feedback(
        db,
        t,
        feedback.ScoredFeedback(
            feedback=new_feedback(),
            examples=[example(label="Other's")],
            overruled={"feedback_1": []},
            aside=["example_1"],
            statements={"ann": (0.0, 1.0)},
            take_back=True,
        ),
        held_back=lambda _: False,
    ),
    "feedback.set_rewards": lambda db, t, _: feedback.set_rewards(
        db, t, "feedback_1", [Reward(task="intent", value=1.0, reason="x")]
    ),
    "feedback.statement_of": lambda db, t, _: author_of(db, t, "example_1"),
    "hand_offs.add_event": lambda db, t, a: hand_offs.add_event(
        db, t, a.hand_off, hand_offs.NewEvent(kind="note", at=NOON, text="Other's")
    ),
    "hand_offs.change_hand_off": lambda db, t, a: hand_offs.change_hand_off(
        db, t, a.hand_off, expected_version=0, values={"status": "active"}
    ),
    "hand_offs.find_open": lambda db, t, a: hand_offs.find_open(db, t, a.conversation),
    "hand_offs.get_hand_off": lambda db, t, a: hand_offs.get_hand_off(db, t, a.hand_off),
    "hand_offs.list_agents": lambda db, t, _: hand_offs.list_agents(db, t),
    "hand_offs.list_events": lambda db, t, a: hand_offs.list_events(db, t, a.hand_off),
    "hand_offs.list_hand_offs": lambda db, t, _: hand_offs.list_hand_offs(db, t),
    "hand_offs.newest_of": lambda db, t, a: hand_offs.newest_of(db, t, a.conversation),
    "hand_offs.note_learned": lambda db, t, a: hand_offs.note_learned(db, t, a.hand_off, NOON),
    "hand_offs.queue_figures": lambda db, t, _: anything(
        hand_offs.queue_figures(db, t, before=None, seen_since=later(-9e9))
    ),
    "hand_offs.see_agent": lambda db, t, _: hand_offs.see_agent(db, t, "agent:eva", name="Other's", at=NOON),
    "behaviour.deeds_after": lambda db, t, _: first(behaviour.deeds_after(db, t, kinds=["click"], position=0, limit=9)),
    "behaviour.lists_between": lambda db, t, _: behaviour.lists_between(
        db, t, task="intent", since=None, until=later(9e9), limit=9
    ),
    "behaviour.new_deeds": lambda db, t, _: behaviour.new_deeds(db, t, kinds=["click"], since=None, limit=9),
    "behaviour.people_after": lambda db, t, _: behaviour.people_after(db, t, kinds=["click"], after="", limit=9),
    "behaviour.recent_events": lambda db, t, _: behaviour.recent_events(
        db, t, kinds=["click"], user_id="ann", session_id=None, limit=9
    ),
    "behaviour.recent_lists": lambda db, t, _: behaviour.recent_lists(db, t, task="intent", user_ids=["ann"], limit=9),
    "items.delete_item": lambda db, t, _: items.delete_item(db, t, "item_1"),
    "items.get_item": lambda db, t, _: items.get_item(db, t, "item_1"),
    "items.get_items": lambda db, t, _: items.get_items(db, t, ["item_1"]),
    "items.item_ids": lambda db, t, _: items.item_ids(db, t),
    "items.item_revisions": lambda db, t, _: items.item_revisions(db, t),
    "items.item_rows": lambda db, t, _: items.item_rows(db, t, ["item_1"]),
    "items.items_after": lambda db, t, _: last(items.items_after(db, t, 0)),
    "items.known_items": lambda db, t, _: items.known_items(db, t, ["item_1"]),
    "items.list_items": lambda db, t, _: items.list_items(db, t, active=None),
    "items.put_items": lambda db, t, _: items.put_items(db, t, [items.NewItem(id="item_1", title="Other's")]),
    "items.put_vectors": lambda db, t, _: items.put_vectors(
        db, t, {"item_1": items.NewItem(id="item_1", title="Item", sha256="sum")}, {"item_1": 1}
    ),
    "items.vectors_of": lambda db, t, _: items.vectors_of(db, t, "", [""]),
    "items.put_item": lambda db, t, _: items.put_item(db, t, "item_1", title="Other's"),
    "keys.create_key": lambda db, t, _: keys.create_key(db, t, prefix="rk", hash="hash", role="admin"),
    "keys.list_keys": lambda db, t, _: keys.list_keys(db, t),
    "keys.revoke_key": lambda db, t, a: keys.revoke_key(db, t, a.key),
    "keys.touch_key": lambda db, t, a: keys.touch_key(db, t, a.key),
    "models.add_evaluation": lambda db, t, a: models.add_evaluation(
        db, t, a.version, data="x", evaluation=Evaluation(metrics={})
    ),
    "models.add_version": lambda db, t, a: models.add_version(
        db, t, task="intent", artefact="/b", sha256="1", parent_id=a.version
    ),
    "models.get_version": lambda db, t, a: models.get_version(db, t, a.version),
    "models.judged_before": lambda db, t, _: models.judged_before(db, t, "intent", data="held_back"),
    "models.list_evaluations": lambda db, t, a: models.list_evaluations(db, t, a.version),
    "models.list_lineage": lambda db, t, a: models.list_lineage(db, t, a.version),
    "models.list_versions": lambda db, t, _: models.list_versions(db, t, task="intent"),
    "models.live_version": lambda db, t, _: models.live_version(db, t, "intent"),
    "models.promoted_before": lambda db, t, a: models.promoted_before(db, t, a.version),
    "models.release_artefacts": lambda db, t, _: models.release_artefacts(db, t, "intent", keep=0),
    "models.roll_back": lambda db, t, _: models.roll_back(db, t, "intent"),
    "models.set_version_state": lambda db, t, a: models.set_version_state(db, t, a.version, "retired"),
    "personal_data.personal_rows": lambda db, t, _: personal_data.personal_rows(db, t, "ann", "conversation"),
    "quality.contained": lambda db, t, _: quality.contained(db, t, since=NOON),
    "quality.conversation_ends": lambda db, t, _: total(quality.conversation_ends(db, t, since=NOON)),
    "quality.decision_counts": lambda db, t, _: quality.decision_counts(db, t, since=NOON),
    "quality.rated_decisions": lambda db, t, _: quality.rated_decisions(db, t, since=NOON),
    "questions.asked_questions": lambda db, t, _: questions.asked_questions(
        db, t, "intent", since=later(-9e9), limit=9
    ),
    "reports.report_rows": lambda db, t, _: anything(reports.report_rows(db, t, since=later(-9e9), until=later(9e9))),
    "review.close_review_item": lambda db, t, a: review.close_review_item(
        db, t, a.review_item, "skipped", by="other", at=NOON
    ),
    "review.get_review_item": lambda db, t, a: review.get_review_item(db, t, a.review_item),
    "review.picked_since": lambda db, t, _: review.picked_since(db, t, later(-9e9)),
    "review.replace_picked": lambda db, t, _: review.replace_picked(
        db, t, ["decision_1"], since=later(-9e9), at=NOON, most=9
    ),
    "runs.cancel_run": lambda db, t, a: runs.cancel_run(db, t, a.run),
    "runs.claim_run": lambda db, t, a: runs.claim_run(db, t, a.run, owner="w2", lease_s=1, at=later(9e9)),
    "runs.create_run": lambda db, t, _: runs.create_run(db, t, task="intent"),
    "runs.finish_run": lambda db, t, a: runs.finish_run(db, t, a.run, owner="w1", status="failed"),
    "runs.get_run": lambda db, t, a: runs.get_run(db, t, a.run),
    "runs.heartbeat_run": lambda db, t, a: runs.heartbeat_run(db, t, a.run, owner="w1", lease_s=1),
    "runs.list_runs": lambda db, t, _: runs.list_runs(db, t, task="intent"),
    "runs.open_runs": lambda db, t, _: runs.open_runs(db, t, "intent"),
    "runs.request_run": lambda db, t, _: runs.request_run(db, t, task="intent", reason="Other's"),
    "schedules.claim_schedule": lambda db, t, _: schedules.claim_schedule(db, t, "daily", every_s=1, at=later(9e9)),
    "schedules.kept_schedules": lambda db, t, _: schedules.kept_schedules(db, t),
    "news.last_learned": lambda db, t, _: news.last_learned(db, t, "intent"),
    "news.last_roll_back": lambda db, t, _: news.last_roll_back(db, t, "intent", since=NOON),
    "news.new_examples": lambda db, t, _: news.new_examples(db, t, "intent", since=None, limit=9),
    "news.newest_feedback": lambda db, t, _: news.newest_feedback(db, t),
    "news.rewards_after": lambda db, t, _: news.rewards_after(db, t, after=(NOON, ""), limit=9),
    "secret_slots.delete_expired_secrets": lambda db, t, _: secret_slots.delete_expired_secrets(db, t, at=later(9e9)),
    "secret_slots.get_secrets": lambda db, t, a: secret_slots.get_secrets(db, t, a.conversation, at=NOON),
    "secret_slots.put_secret": lambda db, t, a: secret_slots.put_secret(
        db, t, a.conversation, "card", ciphertext=b"Other's", expires_at=later(9)
    ),
    "signals.note_read": lambda db, t, _: signals.note_read(db, t, later(1)),
    "signals.read_until": lambda db, t, _: signals.read_until(db, t),
    "signals.turns_to_read": lambda db, t, _: signals.turns_to_read(db, t, after=(later(-9e9), ""), until=later(9e9)),
    "trials.add_model_decision": lambda db, t, a: trials.add_model_decision(
        db, t, task="intent", version_id=a.version, action="reject", by="gate", reason="Other's"
    ),
    "trials.begin_canary": lambda db, t, a: trials.begin_canary(db, t, a.trial, share=0.4),
    "trials.count_in_trial": lambda db, t, a: trials.count_in_trial(db, t, a.trial, {"seen": 1.0}),
    "trials.end_trial": lambda db, t, a: trials.end_trial(db, t, a.trial, "promoted"),
    "trials.list_model_decisions": lambda db, t, _: trials.list_model_decisions(db, t),
    "trials.list_trials": lambda db, t, _: trials.list_trials(db, t),
    "trials.rewarded_turns": lambda db, t, _: trials.rewarded_turns(db, t, "intent", decided_since=NOON, since=NOON),
    "trials.start_trial": lambda db, t, a: trials.start_trial(
        db, t, task="intent", version_id=a.version, against_id=a.version, share=0.1
    ),
    "turns.change_state": lambda db, t, a: turns.change_state(
        db, t, a.conversation, expected_version=1, state=ConversationState(), also=None, at=NOON
    ),
    "turns.conversation_of": lambda db, t, _: turns.conversation_of(db, t, "decision_1"),
    "turns.find_turn_by_key": lambda db, t, a: turns.find_turn_by_key(db, t, a.conversation, "key"),
    "turns.get_turn": lambda db, t, _: turns.get_turn(db, t, "turn_1"),
    "turns.list_turns": lambda db, t, a: turns.list_turns(db, t, a.conversation),
    "turns.load_conversation": lambda db, t, a: turns.load_conversation(db, t, a.conversation),
    "turns.record_turn": lambda db, t, a: turns.record_turn(
        db, t, conversation_id=a.conversation, expected_version=1, state=ConversationState(), turn=turn(2)
    ),
    "turns.turn_number_before": lambda db, t, a: turns.turn_number_before(db, t, a.conversation, later(9e9)),
    "users.consents_of": lambda db, t, _: users.consents_of(db, t, ["ann"]),
    "users.delete_user": lambda db, t, _: users.delete_user(db, t, "ann"),
    "users.ensure_user": lambda db, t, _: users.ensure_user(db, t, "ann"),
    "users.get_user": lambda db, t, _: users.get_user(db, t, "ann"),
    "users.list_users": lambda db, t, _: users.list_users(db, t),
    "users.set_consent": lambda db, t, _: users.set_consent(db, t, "ann", False),
    "users.weigh_statements": lambda db, t, _: users.weigh_statements(db, t, {"ann": (0.0, 1.0)}, at=NOON),
}

MAKES_ITS_OWN = {
    "alert_rules.add_alert_rule",
    "alerts.add_alert",
    "conversations.open_conversation",
    "documents.put_document",
    "erasures.add_erasure",
    "events.add_events",
    "examples.add_examples",
    "hand_offs.see_agent",
    "items.put_item",
    "items.put_items",
    "runs.create_run",
    "runs.request_run",
    "schedules.claim_schedule",
    "sources.put_source",
}
"""Attempts that give something: a record of the caller's own, of the same id."""


def test_every_access_function_is_tried():
    tried = set(ATTEMPTS) | set(WHOLE_DEPLOYMENT) | OWN_TENANT
    assert set(access_functions()) == tried, (
        "a new access function needs an attempt here, or a reason to see all tenants"
    )


def test_every_access_function_takes_the_tenant_first():
    for name, function in access_functions().items():
        if name not in WHOLE_DEPLOYMENT:
            assert list(inspect.signature(function).parameters)[1] == "tenant_id", name


def test_every_table_names_the_tenant():
    for table in metadata.tables.values():
        if table.name != "tenants":
            assert any(
                key.column.table.name
                in {"tenants", "conversations", "documents", "events", "model_versions", "question_clusters"}
                for key in table.c.tenant_id.foreign_keys
            ), table.name


async def rows_of(database: Database, tenant_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return everything that a tenant has."""
    async with database.read() as session:
        return {
            table.name: [
                dict(row._mapping)
                for row in await session.execute(
                    select(table)
                    .where((table.c.tenant_id if "tenant_id" in table.c else table.c.id) == tenant_id)
                    .order_by(*table.primary_key)
                )
            ]
            for table in metadata.sorted_tables
        }


async def test_no_access_function_reaches_another_tenant(database: Database, acme: Acme):
    before = await rows_of(database, "acme")
    assert all(before.values()), "acme has a row in every table"
    for name, attempt in ATTEMPTS.items():
        try:
            got = await attempt(database, "other", acme)
        except (NotFoundError, ConflictError):
            got = None
        if name not in MAKES_ITS_OWN:
            assert not got, f"{name} gave {got!r} of another tenant"
        else:
            assert got, f"{name} did not make a record of the caller's own"
        assert await rows_of(database, "acme") == before, f"{name} changed another tenant's records"
        await tenants.delete_tenant(database, "other")
        await tenants.create_tenant(database, "other", name="Other")


async def test_another_tenants_record_and_a_missing_one_read_the_same(database: Database, acme: Acme):
    texts = []
    for tenant_id, conversation_id in (("other", acme.conversation), ("acme", "nowhere")):
        with pytest.raises(NotFoundError) as caught:
            await turns.load_conversation(database, tenant_id, conversation_id)
        texts.append(str(caught.value).replace(conversation_id, "ID"))
    assert texts == ["there is no conversation 'ID'"] * 2


async def test_removing_one_tenant_leaves_the_other_alone(database: Database, acme: Acme):
    before = await rows_of(database, "acme")
    await conversations.open_conversation(database, "other", user_id="ann")
    await tenants.delete_tenant(database, "other")
    assert await rows_of(database, "acme") == before
