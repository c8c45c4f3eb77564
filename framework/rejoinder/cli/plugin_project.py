"""The files of a new plugin: what `rejoinder plugins new` writes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from rejoinder import __version__
from rejoinder.errors import ConflictError, InvalidInputError
from rejoinder.labels import humanised

__all__ = ["create_project"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,48}[a-z0-9]")


def create_project(name: str, into: Path, *, domain: bool = False) -> Path:
    """Write a small distribution with one plugin; return its folder.

    Args:
        name: the plugin's name; the package is `rejoinder_<name>`.
        into: an existing folder, in which the new one is made.
        domain: start a domain instead of a general plugin.
    Raises:
        InvalidInputError: the name is no plugin name, or there is no folder `into`.
        ConflictError: the folder is there already.
    """
    _check_name(name)
    if not into.is_dir():
        raise InvalidInputError(f"there is no folder {str(into)!r}: make it first, or name another with --into")
    package = f"rejoinder_{name}"
    folder = into / package.replace("_", "-")
    if folder.exists():
        raise ConflictError(f"{folder} is there already: choose another name, or another folder with --into")
    words = {
        "name": name,
        "package": package,
        "distribution": folder.name,
        "title": humanised(name),
        "version": __version__,
    }
    files = {**_COMMON, **(_DOMAIN if domain else _GENERAL)}
    for path, template in files.items():
        target = folder / Template(path).substitute(words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(template).substitute(words), encoding="utf-8")
    return folder


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) and not keyword.iskeyword(name):
        return
    made = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
    hint = f" Did you mean {made!r}?" if _NAME.fullmatch(made) and not keyword.iskeyword(made) else ""
    raise InvalidInputError(
        f"{name!r} is no plugin name: use 2 to 50 small letters, digits and _, a letter first, and no word of Python.{hint}"
    )


_COMMON: Mapping[str, str] = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "$title: a plugin for Rejoinder."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["rejoinder>=$version"]

[project.optional-dependencies]
test = ["pytest>=8.4"]

[project.entry-points."rejoinder.plugins"]
$name = "$package:plugin"

[tool.hatch.build.targets.wheel]
packages = ["$package"]

[tool.pytest.ini_options]
testpaths = ["tests"]
""",
    "README.md": """\
# $title

A plugin for Rejoinder, the chatbot framework whose bots learn from corrections.

    pip install -e '.[test]'      # from now on `rejoinder plugins` lists it
    pytest                        # its tests, the contract checks included
    rejoinder plugins check $name
""",
    "$package/__init__.py": '''\
"""$title: a plugin for Rejoinder."""

from $package.plugin import plugin

__all__ = ["plugin"]
''',
    "$package/py.typed": "",
}

_GENERAL: Mapping[str, str] = {
    "$package/plugin.py": '''\
"""The plugin: what it understands, and what it answers."""

from __future__ import annotations

from rejoinder import hookimpl
from rejoinder.payloads import Answer, Citation, Message, Query, Reading, Understanding

INTENT = "$name"
WORDS = frozenset({"open", "close", "opening", "closing", "hours"})
TEXT = "We are open from 9 to 17 on weekdays."


class Plugin:
    """Recognises one intent by its words, and answers it."""

    rejoinder_spec = ">=1.0,<2"

    @hookimpl()
    def understand_intent(self, message: Message) -> Understanding | None:
        """Read a message that holds one of the words as our intent."""
        found = WORDS & set(message.text.lower().replace("?", " ").split())
        if not found:
            return None
        confidence = min(1.0, 0.4 + 0.2 * len(found))
        reading = Reading(intent=INTENT, confidence=confidence, title="$title", source=INTENT)
        return Understanding(readings=(reading,))

    @hookimpl()
    def retrieve_answers(self, query: Query) -> tuple[Answer, ...]:
        """Answer our intent."""
        confidence = max((one.confidence for one in query.intents if one.intent == INTENT), default=0.0)
        if not confidence:
            return ()
        citation = Citation(source="https://example.org/hours", title="Opening hours")
        return (Answer(id=INTENT, score=confidence, source=INTENT, text=TEXT, intent=INTENT, citations=(citation,)),)


plugin = Plugin()
''',
    "tests/test_plugin.py": '''\
"""The plugin keeps the contract, understands its words and answers."""

from __future__ import annotations

from collections.abc import Callable

from rejoinder.payloads import ConversationState, Message, Query
from rejoinder.testing import FixedClock, HostUnderTest, check_plugin

from $package import plugin


def test_keeps_the_contract() -> None:
    check_plugin(plugin, name="$name")


def test_understands_its_words(rejoinder_host: Callable[..., HostUnderTest]) -> None:
    host = rejoinder_host($name=plugin)
    text = "When do you open?"
    message = Message(id="m", text=text, raw_text=text, at=FixedClock()())

    found = host.run(host.understand_intent(message, ConversationState(), host.request()))

    assert [reading.intent for reading in found.readings] == ["$name"]


def test_answers_its_intent(rejoinder_host: Callable[..., HostUnderTest]) -> None:
    host = rejoinder_host($name=plugin)
    text = "opening hours"
    message = Message(id="m", text=text, raw_text=text, at=FixedClock()())
    found = host.run(host.understand_intent(message, ConversationState(), host.request()))

    answers = host.run(host.retrieve_answers(Query(text=text, intents=found.readings), host.request()))

    assert [answer.text for answer in answers] == ["We are open from 9 to 17 on weekdays."]


def test_leaves_other_questions_alone(rejoinder_host: Callable[..., HostUnderTest]) -> None:
    host = rejoinder_host($name=plugin)

    assert host.run(host.retrieve_answers(Query(text="refund, please"), host.request())) == ()
''',
}

_DOMAIN: Mapping[str, str] = {
    "$package/intents.json": """\
{
  "opening_hours": {
    "title": "Opening hours",
    "answer": "We are open from 9 to 17 on weekdays.",
    "examples": ["when do you open", "what are your opening hours", "are you open on monday", "how late are you open"]
  },
  "return_item": {
    "title": "Return an item",
    "answer": "You can send anything back within 30 days.",
    "examples": ["i want to return this", "how do i send it back", "can i return an item", "it does not fit, return"]
  }
}
""",
    "$package/plugin.py": '''\
"""The domain: its intents, the examples that its models start from, and its answers."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, Field
from rejoinder import hookimpl
from rejoinder.context import Context
from rejoinder.payloads import Answer, Domain, Example, Query

FILE = files("$package") / "intents.json"
INTENTS: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))


class Settings(BaseModel):
    """What a tenant may set."""

    signature: str = Field(default="", description="Words put behind every answer.")


class Plugin:
    """Brings the intents of intents.json, and answers them."""

    rejoinder_spec = ">=1.0,<2"

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain."""
        titles = {intent: row["title"] for intent, row in INTENTS.items()}
        return [Domain(name="$name", title="$title", intents=titles, settings=Settings, version="1")]

    @hookimpl()
    def seed_examples(self) -> list[Example]:
        """Give the examples that the intent model starts from."""
        return [
            Example(id=f"$name/{intent}/{number}", task="intent", text=text, label=intent, source="$name")
            for intent, row in INTENTS.items()
            for number, text in enumerate(row["examples"])
        ]

    @hookimpl()
    def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Answer the intents that are ours, surest first."""
        signature = context.settings.signature if context.settings else ""
        answers = [
            Answer(
                id=f"$name/{one.intent}",
                score=one.confidence,
                source="$name",
                text=f"{INTENTS[one.intent]['answer']} {signature}".strip(),
                intent=one.intent,
            )
            for one in sorted(query.intents, key=lambda reading: -reading.confidence)
            if one.intent in INTENTS
        ]
        return answers[: query.limit]


plugin = Plugin()
''',
    "tests/test_plugin.py": '''\
"""The domain keeps the contract, brings its intents and answers them."""

from __future__ import annotations

from collections.abc import Callable

from rejoinder.payloads import Query, Reading
from rejoinder.testing import HostUnderTest, check_plugin

from $package import plugin
from $package.plugin import INTENTS, Settings


def test_keeps_the_contract() -> None:
    check_plugin(plugin, name="$name")


def test_brings_its_domain(rejoinder_host: Callable[..., HostUnderTest]) -> None:
    host = rejoinder_host($name=plugin)

    assert [domain.name for domain in host.domains] == ["$name"]


def test_has_several_examples_of_every_intent(rejoinder_host: Callable[..., HostUnderTest]) -> None:
    host = rejoinder_host($name=plugin)

    labels = [example.label for example in host.run(host.seed_examples(host.request()))]

    assert all(labels.count(intent) >= 3 for intent in INTENTS)


def test_answers_with_the_tenants_signature(rejoinder_host: Callable[..., HostUnderTest]) -> None:
    host = rejoinder_host($name=plugin, settings={"$name": Settings(signature="Bye!")})
    intent = next(iter(INTENTS))
    query = Query(text="?", intents=(Reading(intent=intent, confidence=0.9),))

    answers = host.run(host.retrieve_answers(query, host.request()))

    assert [answer.text for answer in answers] == [f"{INTENTS[intent]['answer']} Bye!"]
''',
}
