"""The reference part of docs/hooks.md, made from the specifications, their docstrings and one example of each."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping

from rejoinder import hooks
from rejoinder.errors import SettingsError
from rejoinder.hooks import SPECS, HookSpec

__all__ = ["BEGIN", "END", "call_line", "signature", "with_reference"]

BEGIN = "<!-- made by `rejoinder plugins docs`; change framework/rejoinder/hooks.py instead -->"
END = "<!-- end of what is made -->"

_GROUPS = {
    "register_domain": "At start",
    "understand_intent": "In a turn",
    "score_feedback": "Learning",
    "poll_source": "Streams",
    "redact_text": "Privacy",
}
"""Headings, before the hook that opens each group."""

_ARGUMENTS: Mapping[str, str] = {
    "action": "what was decided",
    "answers": "candidates, best first",
    "context": "this tenant's settings for this plugin, caller, session, history, models, clock, logger",
    "cursor": "where the last poll ended; None the first time",
    "decision": "what the feedback is about: what was shown, of which candidates, by which model versions",
    "delivery": "the alert, its receiver, and how often it was tried",
    "deployment": "installed domains, a folder for files, the clock",
    "effect": "its name, arguments, and the key that the receiver must not do twice",
    "events": "a batch, oldest first",
    "feedback": "what a person said or did",
    "message": "what the person wrote",
    "observations": "of one series, in order; none means a tick of the clock",
    "purpose": "`store`, `train`, `log` or `deliver`",
    "query": "text, kind, intents, filters, how many are wanted",
    "request": "the task, its examples or the model's folder",
    "reward": "how good a part of the decision was",
    "source": "kind and location of a feed or folder",
    "state": "what is carried on from call to call",
    "text": "what is to be redacted, as the plugin before left it",
    "understanding": "what all plugins together made of the message",
}

_FACTS = ("Combines", "Order", "Failure", "Process", "Since")
_FACT = re.compile(rf"({'|'.join(_FACTS)}): (.*?)(?= (?:{'|'.join(_FACTS)}): |$)")


def with_reference(page: str, examples: str) -> str:
    """Return a page with its reference part made anew.

    Args:
        page: text with the lines `BEGIN` and `END`.
        examples: source of a module with a class that implements every hook.
    Raises:
        SettingsError: the page lacks one of the lines, or a hook has no example.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SettingsError(f"the page needs the lines {BEGIN!r} and {END!r}: put them where the reference belongs")
    return before + BEGIN + "\n\n" + _reference(_examples(examples)) + "\n" + END + after


def call_line(spec: HookSpec) -> str:
    """Return a hook as it is called: the heading of its section.

    Example:
        >>> call_line(SPECS["retrieve_answers"])
        'retrieve_answers(query, context)'
    """
    return f"{spec.name}({', '.join(spec.arguments)})"


def signature(spec: HookSpec) -> str:
    """Return a hook's signature with all types, as it stands in `rejoinder.hooks`.

    Example:
        >>> signature(SPECS["start"])
        'start(deployment: Deployment) -> None'
    """
    found = inspect.signature(getattr(hooks, spec.name))
    arguments = ", ".join(f"{name}: {one.annotation}" for name, one in found.parameters.items())
    return f"{spec.name}({arguments}) -> {found.return_annotation}"


def _reference(examples: Mapping[str, str]) -> str:
    lines = []
    for spec in SPECS.values():
        if spec.name in _GROUPS:
            lines.append(f"## {_GROUPS[spec.name]}\n")
        if spec.name not in examples:
            raise SettingsError(f"hook {spec.name} has no example: add one to docs/examples/every_hook.py")
        lines.append(_section(spec, examples[spec.name]))
    return "\n".join(lines)


def _section(spec: HookSpec, example: str) -> str:
    parts = _Docstring(inspect.getdoc(getattr(hooks, spec.name)) or "")
    facts = [f"- {fact}: {parts.facts[fact]}" for fact in _FACTS]
    if spec.failure != "strict":
        facts.insert(3, f"- Deadline: {spec.deadline_s:g} s by default.")
    annotations = inspect.signature(getattr(hooks, spec.name)).parameters
    arguments = [
        f"| `{name}` | `{_cell(annotations[name].annotation)}` | {parts.arguments.get(name) or _ARGUMENTS[name]} |"
        for name in spec.arguments
    ]
    table = ["| argument | type | |", "|---|---|---|", *arguments, ""] if arguments else ["Takes nothing.", ""]
    returns = inspect.signature(getattr(hooks, spec.name)).return_annotation
    gives = f"Returns `{returns}`" + (f": {parts.returns}" if parts.returns else ".")
    lines = [
        f"### `{call_line(spec)}`",
        "",
        parts.summary.replace("<", "&lt;"),
        "",
        *facts,
        "",
        "```python",
        signature(spec),
        "```",
        "",
        *table,
        gives,
        "",
        "```python",
        example,
        "```",
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


class _Docstring:
    """The parts of a specification's docstring: summary, facts, arguments, returns."""

    def __init__(self, text: str) -> None:
        head, _, returns = text.partition("\nReturns:\n")
        head, _, arguments = head.partition("\nArgs:\n")
        self.summary, _, facts = head.partition("\n\n")
        self.facts: dict[str, str] = dict(_FACT.findall(" ".join(facts.split())))
        self.arguments = dict(line.split(": ", 1) for line in _joined(arguments))
        self.returns = " ".join(returns.split())


def _joined(block: str) -> list[str]:
    """Return the entries of a block; a line that is indented further goes on with the one before."""
    entries: list[str] = []
    for line in textwrap.dedent(block).splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line)
    return entries


def _examples(source: str) -> dict[str, str]:
    """Return the source of each hook implementation in a module, by hook."""
    lines = source.splitlines()
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in SPECS:
            first = min(one.lineno for one in node.decorator_list) if node.decorator_list else node.lineno
            found[node.name] = textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
    return found
