"""Documents over HTTP: live at once in every process, never cited once removed, cited to the letter, and nobody else's."""

from __future__ import annotations

import sys
import time
from typing import Any

from rejoinder.store.documents import delete_document
from rejoinder.store.examples import list_examples

from .conftest import Desk

REFUNDS = (
    "# Refunds\nRefunds are paid to the card within five days of the return.\n\n"
    "# Parcels\nParcels are brought by a courier called Zippy.\n"
)
QUESTION = "when are refunds paid to the card"


def said(turn: dict[str, Any]) -> str:
    return "\n".join(turn["reply"]["parts"])


async def test_an_answer_cites_the_passage_to_the_letter(desks: dict[str, Desk]):
    acme = desks["acme"]
    sent = await acme.put("help/refunds.md", REFUNDS, url="https://acme.example/refunds")
    assert sent == {"id": "help/refunds.md", "title": "Refunds", "changed": True, "passages": 2, "encoded": 2}
    turn = await acme.ask(QUESTION)
    assert "within five days" in said(turn)
    [citation] = turn["reply"]["citations"]
    assert citation["source"] == "help/refunds.md"
    assert citation["title"] == "Refunds"
    assert citation["url"] == "https://acme.example/refunds"
    stored = (await acme.get("/help/refunds.md")).json()
    assert stored["text"][citation["span"]["start"] : citation["span"]["end"]] == citation["quote"]
    assert "within five days" in citation["quote"]


async def test_a_changed_document_is_live_in_every_process_within_seconds(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.put("refunds.md", REFUNDS)
    for server in (0, 1):
        assert "five days" in said(await acme.ask(QUESTION, server))
    sent = await acme.put("refunds.md", REFUNDS.replace("five days", "nine weeks"))
    started = time.monotonic()
    assert sent["changed"]
    assert sent["encoded"] == 1  # the other passage is as it was
    for server in (0, 1):
        assert "nine weeks" in said(await acme.ask(QUESTION, server))
    assert time.monotonic() - started < 5.0


async def test_a_removed_document_is_never_cited_again_in_any_process(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.put("refunds.md", REFUNDS)
    for server in (0, 1):
        assert (await acme.ask(QUESTION, server))["reply"]["citations"]
    assert await acme.delete("refunds.md") == 204
    for server in (0, 1):
        turn = await acme.ask(QUESTION, server)
        assert not turn["reply"]["citations"]
        assert "five days" not in said(turn)
    assert await acme.delete("refunds.md") == 404


async def test_what_goes_while_a_turn_is_under_way_is_not_cited(desks: dict[str, Desk], monkeypatch: Any):
    acme = desks["acme"]
    await acme.put("refunds.md", REFUNDS)
    await acme.ask(QUESTION)
    module = sys.modules["rejoinder_plugins.documents.plugin"]
    found = module.find

    async def find_and_lose(*arguments: Any, **options: Any) -> Any:
        result = await found(*arguments, **options)
        await delete_document(acme.application.database, "acme", "refunds.md")
        return result

    monkeypatch.setattr(module, "find", find_and_lose)
    turn = await acme.ask(QUESTION)
    assert not turn["reply"]["citations"]
    assert "five days" not in said(turn)


async def test_nobody_reaches_anothers_documents(desks: dict[str, Desk]):
    acme, other = desks["acme"], desks["other"]
    await acme.put("refunds.md", REFUNDS)
    turn = await other.ask(QUESTION)
    assert not turn["reply"]["citations"]
    assert (await other.get("/refunds.md")).status_code == 404
    assert (await other.get()).json() == {"documents": []}
    assert await other.delete("refunds.md") == 404
    await other.put("refunds.md", REFUNDS.replace("five", "two"))
    assert "five days" in said(await acme.ask(QUESTION))
    assert "two days" in said(await other.ask(QUESTION))


async def test_customers_may_not_send_or_look(desks: dict[str, Desk]):
    acme = desks["acme"]
    headers = {"authorization": f"Bearer {acme.token}", "content-type": "text/plain"}
    assert (await acme.servers[0].put("/v1/documents/x.txt", content="x", headers=headers)).status_code == 403
    assert (await acme.servers[0].get("/v1/documents", headers=headers)).status_code == 403


async def test_bad_files_say_why_and_change_nothing(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.put("a.md", REFUNDS)
    for content, media, reason in (
        (b"\x00\x01", "text/plain", "NUL"),
        (b"x", "image/png", "Formats"),
        (b"%PDF-", "application/pdf", "pdf"),
    ):
        headers = {"authorization": f"Bearer {acme.admin}", "content-type": media}
        response = await acme.servers[0].put("/v1/documents/a.md", content=content, headers=headers)
        assert response.status_code == 422, response.text
        assert reason in response.json()["detail"]
    [one] = (await acme.get()).json()["documents"]
    assert (one["id"], one["passages"], one["revision"]) == ("a.md", 2, 1)


async def test_a_document_of_another_source_is_a_conflict(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.put("a.md", REFUNDS, source="handbook")
    headers = {"authorization": f"Bearer {acme.admin}", "content-type": "text/plain"}
    response = await acme.servers[0].put("/v1/documents/a.md", content="Never.", headers=headers)
    assert response.status_code == 409, response.text
    assert "source 'handbook'" in response.json()["detail"]
    assert (await acme.put("a.md", REFUNDS, source="handbook"))["changed"] is False
    await desks["other"].put("a.md", "Ours.")


async def test_the_same_again_writes_and_encodes_nothing(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.put("a.md", REFUNDS)
    again = await acme.put("a.md", REFUNDS)
    assert (again["changed"], again["encoded"]) == (False, 0)
    moved = await acme.put("a.md", "# New\nNew here.\n\n" + REFUNDS, title="Refunds")
    assert (moved["changed"], moved["encoded"], moved["passages"]) == (True, 1, 3)


async def test_past_replies_answer_with_their_slots_filled(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.application.tenants.set_setting("acme", "documents.values", {"company": "Acme"})
    await acme.application.tenants.set_setting("acme", "wording.tone", "formal")
    csv = 'question,answer\nHow do I change my delivery address?,"At {company}, open {{Account Page}} and choose Address."\n'
    await acme.put("replies.csv", csv, "text/csv")
    turn = await acme.ask("how can I change the delivery address")
    assert turn["reply"]["parts"] == [
        "Thank you for your inquiry.",
        "At Acme, open (account page) and choose Address.",
        "Please let us know if you have any further questions.",
    ]


async def test_slots_that_the_customer_fills_stand_in_the_reply(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.application.tenants.set_setting("acme", "slots.enabled", True)
    csv = 'question,answer\nHow do I return my order?,"Order {{Order Number}} goes back by post, {{Invoice Number}}."\n'
    await acme.put("replies.csv", csv, "text/csv")
    said = (await acme.ask("how do I return my order 12345"))["reply"]["parts"]
    assert said == ["Order 12345 goes back by post, (invoice number)."]
    corrected = (await acme.ask("how do I return my order, not order 12345 but order 67890"))["reply"]["parts"]
    assert corrected == ["Order 67890 goes back by post, (invoice number)."]


async def test_feedback_teaches_the_ranker(desks: dict[str, Desk]):
    acme = desks["acme"]
    await acme.put("refunds.md", REFUNDS)
    turn = await acme.ask(QUESTION)
    response = await acme.servers[0].post(
        "/v1/feedback",
        headers={"authorization": f"Bearer {acme.token}"},
        json={"decision_id": turn["decision_id"], "kind": "thumbs", "value": -1, "about": "answer"},
    )
    assert response.status_code in (200, 201), response.text
    assert response.json()["learned"]
    [example] = await list_examples(acme.application.database, "acme", "passage_ranking")
    assert (example.label, example.text) == ("no", QUESTION)
    assert "within five days" in (example.other or "")
