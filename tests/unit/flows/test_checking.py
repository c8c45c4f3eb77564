"""What is wrong with flows is found before they run, with its place."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest
from rejoinder.errors import FlowError
from rejoinder.flows import Ask, End, Finding, Flow, Slot, Start, check_flows, load_flows
from rejoinder.flows.language import COMPARISONS, STEP_WORDS
from rejoinder.flows.loading import read_flows
from rejoinder.slots import SlotType
from rejoinder.testing.dialogues import read_script

ASK = "  - {ask: order, text: 'which?'}\n"

WRONG = {
    "a step that nothing leads to": (
        "  - {say: a, go: last}\n  - {id: lost, say: b}\n  - {id: last, end: c}",
        "f.yml:10: nothing leads to the step 'lost'",
    ),
    "a step that is not there": (
        "  - {say: a, go: lats}\n  - {id: last, end: c}",
        "f.yml:9: there is no step 'lats' to go to. Did you mean 'last'?",
    ),
    "two steps of one name": ("  - {id: a, say: a}\n  - {id: a, say: b}", "f.yml:10: two steps are called 'a'"),
    "a slot that is not there": (
        "  - {ask: ordre, text: 'which?'}",
        "f.yml:9: unknown slot 'ordre'. Did you mean 'order'?",
    ),
    "a slot in a text that is not there": (ASK + "  - say: your {oder}", "f.yml:10: unknown slot 'oder'."),
    "a slot in a path that is not there": (ASK + "  - call: GET /o/{oder}", "f.yml:10: unknown slot 'oder'."),
    "a branch with a choice left out": (
        "  - {ask: colour, text: 'which?'}\n  - branch:\n      - {when: {slot: colour, is: red}, go: end}",
        "f.yml:10: this branch has no way on for blue: add `otherwise`",
    ),
    "a branch that may fit nothing": (
        ASK + "  - branch:\n      - {when: {slot: order, is: a}, go: end}",
        "this branch has no way on where none of its cases holds",
    ),
    "a choice that never is": (
        "  - {ask: colour, text: 'which?'}\n  - {check: {slot: colour, is: redd}, otherwise: end}",
        "f.yml:10: 'colour' is never 'redd'. Did you mean 'red'?",
    ),
    "an order of what has none": (
        ASK + "  - {check: {slot: order, over: 3}, otherwise: end}",
        "'over' compares numbers, amounts and dates; 'order' is a order_number",
    ),
    "a ring in which nothing is asked": (
        ASK + "  - {id: a, say: a}\n  - {call: GET /x, failed: {other: a}, go: a}",
        "lead round in a ring in which nothing is asked",
    ),
    "a ring whose question is answered once": (
        ASK + "  - {call: GET /x, failed: {other: ask_1}}\n  - {say: a, go: ask_1}",
        "the steps ask_1, call_2 lead round in a ring in which nothing is asked",
    ),
    "a flow that is not there": ("  - flow: g", "there is no flow 'g'"),
    "a flow that calls itself": ("  - flow: f", "'f' and 'f' call one another without end"),
    "asking again for what nothing asks": ("  - {say: a}\n  - {again: order}", "no step of this flow asks for 'order'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(name: str, findings: Callable[[str], list[Finding]]) -> None:
    steps, expected = WRONG[name]
    assert any(expected in str(one) for one in findings(steps)), [str(one) for one in findings(steps)]


def test_the_largest_flows_are_checked_in_a_moment(findings: Callable[[str], list[Finding]]) -> None:
    """A tenant's own flows are checked by the process that serves all tenants."""
    steps = "".join(f"  - {{id: s{n}, check: {{slot: order, is: a{n}}}, otherwise: s{n // 2}}}\n" for n in range(499))
    began = time.process_time()
    assert any("ring" in one.text for one in findings(ASK + steps))
    assert time.process_time() - began < 3.0, "a matter of tenths of a second, with the reading of it"


def test_a_sound_flow_has_no_findings(findings: Callable[[str], list[Finding]]) -> None:
    steps = (
        ASK
        + "  - {call: 'GET /o/{order}', save: {state: /s}, failed: {404: l}}\n  - {say: '{state}', go: end}\n  - {id: l, again: order}"
    )
    assert findings(steps) == []


def test_slots_of_no_use_and_unknown_intents_are_told() -> None:
    slots = {"order": Slot(type="order_number", title="order"), "name": Slot(type="text", title="name")}
    flow = Flow(
        flow="g",
        title="g",
        start=Start(intents=("cancel_ordr",)),
        slots=slots,
        steps=(Ask(ask="order", text="?"), End()),
    )
    found = [str(one) for one in check_flows(load_flows([flow]), intents={"cancel_order"})]
    assert found == [
        "flow g: unknown intent 'cancel_ordr'. Did you mean 'cancel_order'?",
        "flow g: the slot 'name' is never asked for or used; remove it",
    ]


def test_a_flow_that_nothing_starts_is_told() -> None:
    found = check_flows(read_flows("flow: g\ntitle: g\nsteps: [{say: a}]", "g.yml"))
    assert "g.yml:1: nothing starts 'g'" in str(found[0])


MALFORMED = {
    "no YAML": ("flow: [", "g.yml:1: this is not YAML"),
    "a key twice": ("flow: g\nflow: h", "g.yml:2: 'flow' stands here twice"),
    "an anchor": ("flow: &a g\ntitle: *a\nsteps: [{say: a}]", "anchors"),
    "an unknown key": (
        "flow: g\ntitel: g\nsteps: [{say: a}]",
        "g.yml:2: titel: unknown key 'titel'. Did you mean 'title'?",
    ),
    "an unknown step": (
        "flow: g\ntitle: g\nsteps:\n  - {sya: a}",
        "g.yml:4: steps.0: a step has exactly one of say, ask",
    ),
    "an unknown key of a step": (
        "flow: g\ntitle: g\nsteps:\n  - say: a\n    gou: end",
        "g.yml:5: steps.0.gou: unknown key 'gou'. Did you mean 'go'?",
    ),
    "something missing": ("flow: g\nsteps: [{say: a}]", "g.yml:1: 'title' is missing"),
    "a wrong type of slot": (
        "flow: g\ntitle: g\nslots:\n  o:\n    type: orderr\n    title: o\nsteps: [{say: a}]",
        "g.yml:5: slots.o.type:",
    ),
    "no form": (
        "flow: g\ntitle: g\nslots: {o: {type: code, title: o, forms: ['(a+)+$']}}\nsteps: [{say: a}]",
        "is no form: use @ (letter)",
    ),
    "no condition": ("flow: g\ntitle: g\nsteps: [{check: {slot: a}, otherwise: end}]", "exactly one of is, is_not"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_does_not_fit_the_language_is_told_with_its_line(name: str) -> None:
    text, expected = MALFORMED[name]
    with pytest.raises(FlowError) as raised:
        read_flows(text, "g.yml")
    assert expected in str(raised.value)


def test_all_files_of_a_folder_are_loaded_and_names_are_unique(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "flow: a\ntitle: a\nsteps: [{say: yes}]\n---\nflow: b\ntitle: b\nsteps: [{say: no}]"
    )
    (tmp_path / "notes.txt").write_text("no flow")
    book = load_flows([tmp_path])
    assert set(book.flows) == {"a", "b"}
    assert book.flows["b"].steps[0].say == "no"  # type: ignore[union-attr]  # a word, no truth
    (tmp_path / "c.yaml").write_text("flow: a\ntitle: a\nsteps: [{say: x}]")
    with pytest.raises(FlowError, match=r"c\.yaml:1: there is a flow 'a' already, in .*a\.yml:1"):
        load_flows([tmp_path])


def test_the_steps_between_two_steps_are_those_on_a_way(book: Callable[[str], object]) -> None:
    made = book(
        "  - {id: a, ask: order, text: '?'}\n  - {id: b, branch: [{when: {slot: order, is: x}, go: d}], otherwise: c}\n"
        "  - {id: c, call: POST /x, go: end}\n  - {id: d, call: GET /x}\n  - {id: e, confirm: 'ok?', no: a}"
    )
    flow = made.flows["f"]  # type: ignore[attr-defined]
    assert [step.id for step in flow.between("a", "e")] == ["b", "d"]


GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "flows.md").read_text(encoding="utf-8")


def test_the_flow_and_the_dialogues_of_the_guide_are_sound(tmp_path: Path) -> None:
    blocks = [dedent(block) for block in re.findall(r"(?:^ {4}.*\n|^\n)+", GUIDE, re.MULTILINE) if block.strip()]
    flow = next(block for block in blocks if "flow: cancel_order" in block)
    assert check_flows(read_flows(flow, "flows.md"), intents={"cancel_order"}) == []
    (tmp_path / "d.yml").write_text(next(block for block in blocks if "\ndialogues:" in block), encoding="utf-8")
    assert len(read_script(tmp_path / "d.yml").dialogues[0].turns) == 2


def test_every_step_type_and_comparison_is_in_the_guide() -> None:
    for name in (*STEP_WORDS, *COMPARISONS, *get_args(SlotType)):
        assert f"`{name}" in GUIDE, name


def test_a_file_without_a_flow_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.yml").write_text("# nothing yet\n")
    with pytest.raises(FlowError, match=r"empty\.yml: there is no flow in it"):
        load_flows([tmp_path])


def test_choices_without_words_are_explained() -> None:
    text = "flow: f\ntitle: f\nslots:\n  c: {type: choice, title: c, choices: [a, b]}\nsteps:\n  - {ask: c, text: 'which?'}\n"
    with pytest.raises(FlowError, match=r"f\.yml:4: slots\.c\.choices: name each choice with the words"):
        read_flows(text, "f.yml")
