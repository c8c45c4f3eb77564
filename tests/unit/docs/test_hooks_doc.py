"""docs/hooks.md says what the specifications say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hooks
from rejoinder.cli.hooks_page import BEGIN, END, call_line, signature, with_reference
from rejoinder.errors import SettingsError
from rejoinder.hooks import SPEC_VERSION, SPECS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "hooks.md").read_text(encoding="utf-8")
EXAMPLES = (DOCS / "examples" / "every_hook.py").read_text(encoding="utf-8")
SECTIONS = {
    section.partition("(")[0]: section for section in re.split(r"^### `", PAGE.partition(BEGIN)[2], flags=re.M)[1:]
}


def test_the_page_has_a_section_for_each_hook_and_no_other() -> None:
    assert list(SECTIONS) == list(SPECS)


@pytest.mark.parametrize("hook", SPECS)
def test_heading_and_signature_are_those_of_the_specification(hook: str) -> None:
    spec = SPECS[hook]

    assert SECTIONS[hook].startswith(f"{call_line(spec)}`\n")
    assert f"```python\n{signature(spec)}\n```" in SECTIONS[hook]


@pytest.mark.parametrize("hook", SPECS)
def test_dispatch_lines_are_those_of_the_specification(hook: str) -> None:
    spec = SPECS[hook]
    facts = dict(re.findall(r"^- (\w+): (.*)$", SECTIONS[hook], flags=re.M))

    assert re.match(r"\w+", facts["Combines"])[0] == spec.combines  # type: ignore[index]
    assert re.match(r"\w+", facts["Failure"])[0] == spec.failure  # type: ignore[index]
    assert facts["Order"].startswith("declared")
    assert re.findall(r"\w+", facts["Process"])[0] in {"all", "api", "worker", "cli"}
    assert facts["Since"].startswith(SPEC_VERSION)
    if spec.failure != "strict":
        assert facts["Deadline"] == f"{spec.deadline_s:g} s by default."


@pytest.mark.parametrize("hook", SPECS)
def test_the_table_names_each_argument_and_says_what_it_is(hook: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+)` \| (.+) \|$", SECTIONS[hook], flags=re.M)

    assert tuple(name for name, _, _ in rows) == SPECS[hook].arguments


@pytest.mark.parametrize("hook", SPECS)
def test_there_is_an_example_that_implements_the_hook(hook: str) -> None:
    assert re.search(rf"```python\n@hookimpl\(.*\)\n(async )?def {hook}\(", SECTIONS[hook])


@pytest.mark.parametrize("hook", SPECS)
def test_every_specification_says_its_dispatch(hook: str) -> None:
    text = " ".join((getattr(hooks, hook).__doc__ or "").split())

    for fact in ("Combines", "Order", "Failure", "Process", "Since"):
        assert f"{fact}: " in text


def test_the_page_is_up_to_date() -> None:
    assert with_reference(PAGE, EXAMPLES) == PAGE, "run: rejoinder plugins docs"


def test_a_hook_without_an_example_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"hook start has no example: add one to docs/examples/every_hook\.py"):
        with_reference(PAGE, EXAMPLES.replace("def start(", "def begin("))


@pytest.mark.parametrize("line", [BEGIN, END], ids=["begin", "end"])
def test_a_page_without_its_lines_is_refused(line: str) -> None:
    with pytest.raises(SettingsError, match="the page needs the lines"):
        with_reference(PAGE.replace(line, ""), EXAMPLES)


def test_the_opening_example_is_a_plugin(rejoinder_host: Any) -> None:
    source = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)[0]
    space: dict[str, Any] = {}
    exec(compile(source, "docs/hooks.md", "exec"), space)  # noqa: S102  # our own page

    host = rejoinder_host(opening_hours=space["plugin"])

    assert host.plugin_names == {"opening_hours"}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (DOCS / target).is_file(), target
