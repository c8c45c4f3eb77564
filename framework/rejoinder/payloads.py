"""The values that pass through hooks: frozen, slotted, keyword-only, typed, without behaviour.

A plugin receives payloads and returns new ones; it never edits one. Ranges stand in the annotations and are checked by the
host when a plugin returns a value, and by `rejoinder.wire` where JSON crosses a process. New fields always have defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from annotated_types import Ge, Le, MinLen

_T = TypeVar("_T")

Json = Any
"""What JSON can say: None, bool, int, finite float, str, and lists and string-keyed dicts of these."""

Share = Annotated[float, Ge(0.0), Le(1.0)]
Count = Annotated[int, Ge(0)]
Name = Annotated[str, MinLen(1)]

Role = Literal["customer", "agent", "analyst", "admin", "ingest", "system"]
ActionKind = Literal["answer", "ask", "say", "flow", "hand_off", "silent"]
Mode = Literal["bot", "queued", "agent"]
DecisionKind = Literal["turn", "list", "alert", "reading"]
FeedbackKind = Literal[
    "thumbs", "rating", "corrected_intent", "corrected_answer", "chosen", "free_text", "behaviour", "dwell"
]
Part = Literal["whole", "intent", "answer", "span", "entity", "position"]
Polarity = Literal["positive", "negative", "correction"]
Purpose = Literal["store", "train", "log", "deliver"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def payload(cls: type[_T]) -> type[_T]:
    """Make a class a payload: a frozen, slotted, keyword-only dataclass that pydantic checks field by field."""
    made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    made.__pydantic_config__ = {  # type: ignore[attr-defined]  # read by pydantic where values are checked
        "allow_inf_nan": False,
        "arbitrary_types_allowed": True,
        "revalidate_instances": "always",
        "extra": "forbid",
    }
    return made


# --- who speaks, and what was said ---------------------------------------------------------------------------------


@payload
class Caller:
    """Who calls: a pseudonymous user id, a role, and where they are. `name` is what customers see where an agent speaks."""

    id: Name
    role: Role = "customer"
    locale: str = "en"
    time_zone: str = "UTC"
    name: str = ""


@payload
class Span:
    """Characters `start` (included) to `end` (excluded) of a text."""

    start: Count
    end: Count


@payload
class Message:
    """One message of a person.

    `text` is what models see and what is stored (redacted); `raw_text` is what was typed, for slot values only: it must never
    be stored or logged.
    """

    id: Name
    text: str
    raw_text: str
    at: datetime


@payload
class Utterance:
    """One line of a conversation's history, oldest first. `author` is the name of the agent who wrote it, where it is known."""

    speaker: Literal["user", "bot", "agent"]
    text: str
    at: datetime
    author: str | None = None


# --- understanding -------------------------------------------------------------------------------------------------


@payload
class Reading:
    """One intent that a text may have; `confidence` is a calibrated probability. `title` is what a person would call it."""

    intent: Name
    confidence: Share
    task: str = "intent"
    title: str = ""
    span: Span | None = None
    source: str = ""


@payload
class Entity:
    """A thing named in a text, e.g. name="order_number", value="A-17"."""

    name: Name
    value: str
    span: Span | None = None
    confidence: Share = 1.0
    source: str = ""


@payload
class Slot:
    """A value that the conversation carries on. `sensitive` values are kept encrypted and expire."""

    name: Name
    value: Json
    confidence: Share = 1.0
    sensitive: bool = False


@payload
class Understanding:
    """What one message may mean. Readings of the same intent, and entities of the same span and name, are merged by the host.

    `in_scope` is the probability that the bot knows about the subject at all; None when no plugin said.
    """

    readings: tuple[Reading, ...] = ()
    entities: tuple[Entity, ...] = ()
    slots: tuple[Slot, ...] = ()
    language: str | None = None
    in_scope: Share | None = None
    model_versions: Mapping[str, str] = field(default_factory=dict)


# --- deciding ------------------------------------------------------------------------------------------------------


@payload
class Query:
    """What answers are wanted for. `kind` is "reply", "recommendation" or a domain's own.

    `explore`: whether the order may be left to chance, to learn from it; the host says False where a flow or an effect is under way.
    `explain`: whether reasons are wanted that cost time to find, such as paths in the graph.
    """

    kind: Name = "reply"
    text: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    intents: tuple[Reading, ...] = ()
    entities: tuple[Entity, ...] = ()
    filters: Mapping[str, Json] = field(default_factory=dict)
    history: tuple[Utterance, ...] = ()
    limit: Annotated[int, Ge(1), Le(1000)] = 5
    explore: bool = True
    explain: bool = False


@payload
class Effect:
    """Something that changes the world, planned by an action and run once.

    `plugin` runs it; `key` is made by the host from the turn, for receivers that must not do it twice.
    """

    name: Name
    plugin: Name
    arguments: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: Annotated[float, Ge(0.001), Le(60.0)] = 5.0
    key: str = ""


@payload
class EffectResult:
    """What an effect came to: a value, or an error in words."""

    name: Name
    ok: bool
    value: Json = None
    error: str | None = None


@payload
class Option:
    """One choice that a person is offered; `value` is what choosing it means (an intent, a slot value)."""

    title: Name
    value: str


@payload
class Question:
    """What the bot has asked and waits for. `about` is the text that gave rise to it.

    `text` is how it was asked: said again where something else was answered in between. "contact" is the host's own: nobody was
    there, and whoever leaves an e-mail address or a phone number is called back.
    """

    kind: Literal["clarify", "slot", "confirm", "hand_off", "contact"]
    options: tuple[Option, ...] = ()
    slot: str | None = None
    about: str | None = None
    text: str | None = None


@payload
class FlowFrame:
    """One running flow on the stack: where it is, and how many answers in a row it could not use there.

    What it has filled is in the conversation's slots.
    """

    flow: Name
    step: Name
    failures: Count = 0


@payload
class ConversationState:
    """What a conversation carries from turn to turn; `version` grows by one with every stored change.

    `misses`: messages in a row that found no answer; `dislikes`: thumbs down since the last thumbs up. A hand-off ends both.
    """

    version: Count = 0
    mode: Mode = "bot"
    flows: tuple[FlowFrame, ...] = ()
    slots: Mapping[str, Slot] = field(default_factory=dict)
    entities: tuple[Entity, ...] = ()
    question: Question | None = None
    last_list: tuple[str, ...] = ()
    misses: Count = 0
    dislikes: Count = 0
    effects: tuple[EffectResult, ...] = ()


@payload
class Action:
    """What the bot will do. `text` is for asking back, saying and handing off; `query` for answering; `state` replaces the old state.

    "say" settles a message that asks for no answer, such as a greeting: it does not count as a question without an answer.

    With `again`, the host asks `decide_action` once more when the effects have run, with their results in the state; what
    `text` says is then said before the rest. `forgotten` are slots that were filled and emptied again by this decision: what is secret
    in them stays out of the store as well. `completed`: how many flows came to their end in it, those that were given up not counted.
    """

    kind: ActionKind
    state: ConversationState
    reason: str = ""
    text: str | None = None
    query: Query | None = None
    question: Question | None = None
    effects: tuple[Effect, ...] = ()
    again: bool = False
    forgotten: tuple[Slot, ...] = ()
    completed: Count = 0


# --- answering -----------------------------------------------------------------------------------------------------


@payload
class Citation:
    """Where an answer comes from."""

    source: Name
    title: str = ""
    url: str | None = None
    quote: str | None = None
    span: Span | None = None


@payload
class Card:
    """Something shown beside the text: an item, a chart, a form."""

    title: Name
    text: str = ""
    image_url: str | None = None
    url: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


@payload
class Answer:
    """One candidate answer: a text or an item. `score` is in [0, 1], higher is better, comparable between plugins.

    `intent` is the one whose answer it is; None: of none, so that what people say of it teaches nothing of how the message was read.
    `propensity` is its probability at its place in the order, for a ranker that leaves the order to chance.
    """

    id: Name
    score: Share
    source: Name
    text: str | None = None
    item: str | None = None
    intent: str | None = None
    citations: tuple[Citation, ...] = ()
    card: Card | None = None
    propensity: Share = 1.0


@payload
class Reply:
    """What the person gets. `parts` are shown one after another; `options` as buttons."""

    parts: tuple[str, ...]
    cards: tuple[Card, ...] = ()
    citations: tuple[Citation, ...] = ()
    options: tuple[Option, ...] = ()


# --- what was shown, and what came back ----------------------------------------------------------------------------


@payload
class Candidate:
    """One of the things that could have been shown. `propensity` is its probability at its place in the final order."""

    id: Name
    score: float
    propensity: Share = 1.0
    label: str | None = None


@payload
class Decision:
    """Whatever the system put before a person, so that feedback can name it and a policy's worth can be estimated.

    `input` is the redacted text (or the item, or the series) that the decision was about; `chosen` the ids shown, in order.
    """

    id: Name
    kind: DecisionKind
    task: Name
    at: datetime
    input: str = ""
    user_id: str | None = None
    candidates: tuple[Candidate, ...] = ()
    chosen: tuple[str, ...] = ()
    label: str | None = None
    confidence: Share | None = None
    answer: str | None = None
    model_versions: Mapping[str, str] = field(default_factory=dict)


@payload
class Feedback:
    """What a person said of a decision, or of one part of it.

    `value` by kind: thumbs: 1 or -1; rating: 1 to 5; corrected_intent: the right label; corrected_answer: the right text; chosen: the id
    or label of the candidate that the person picked; free_text: the remark; behaviour: the signal's name (e.g. "click"); dwell: the
    seconds for which they looked at it. `index` says which answer, span, entity or position. The role "system" means that nobody said
    it: the bot saw what `user_id` did.
    """

    id: Name
    decision_id: Name
    kind: FeedbackKind
    value: Json
    user_id: Name
    at: datetime
    role: Role = "customer"
    about: Part = "whole"
    index: Count | None = None


@payload
class Reward:
    """How good a part of a decision was: `value` in [0, 1], with the weight to give it and the reason in words.

    `index` says which answer, span, entity or position, where there are several.
    """

    task: Name
    value: Share
    reason: Name
    weight: Annotated[float, Ge(0.0)] = 1.0
    about: Part = "whole"
    index: Count | None = None
    correction: Json = None


@payload
class Example:
    """One thing to learn for one task.

    Text tasks use `text` and `label` (an answer's text for the task "answer"), pair tasks also `other`, and every other kind
    (span, path, entity, ranking) says what it needs in `target`. `polarity` "negative" means: not this label for this text.
    """

    id: Name
    task: Name
    text: str
    label: str | None = None
    other: str | None = None
    target: Json = None
    polarity: Polarity = "positive"
    weight: Annotated[float, Ge(0.0)] = 1.0
    source: str = ""
    decision_id: str | None = None
    user_id: str | None = None
    at: datetime | None = None


# --- learning ------------------------------------------------------------------------------------------------------


@payload
class Task:
    """Something to learn: a name, the labels known in advance (none means: learned from examples), and a factory of its learner.

    `learner` returns a new `rejoinder.models.learner.Learner`.
    """

    name: Name
    learner: Callable[[], Any]
    labels: tuple[str, ...] = ()
    description: str = ""


@payload
class AdaptationRequest:
    """What a worker is asked to fit: the examples of `task` up to now, in `folder`'s sub-folder for the artefact.

    `base_version` is the live one, `base_folder` its files, to go on from; None: there is none, or nothing of it may be kept. `rehearsed`
    are ids of those of the examples that it has learned already. `traffic` are messages of late, of which nobody said what they are.
    """

    run_id: Name
    task: Name
    examples: tuple[Example, ...]
    folder: str
    seed: int = 0
    base_version: str | None = None
    base_folder: str | None = None
    rehearsed: tuple[str, ...] = ()
    traffic: tuple[str, ...] = ()


@payload
class Adaptation:
    """A fitted model: a folder with its files, and what was measured while fitting.

    `continues`: it goes on from the files in the request's `base_folder`, so that what these learned is in it, too.
    """

    folder: Name
    metrics: Mapping[str, float] = field(default_factory=dict)
    continues: bool = False


@payload
class EvaluationRequest:
    """Which model folder to score on which examples."""

    task: Name
    folder: Name
    examples: tuple[Example, ...]


@payload
class Evaluation:
    """Measured quality: metrics by name, and per example id whether it was right, or where that is no yes or no, how good it was.

    `metrics` that the promotion gate reads: `ece` (expected calibration error) and `predict_ms` (mean time of one prediction).
    `scores` are in [0, 1], higher is better; examples that it names need not be in `correct`.
    """

    metrics: Mapping[str, float]
    correct: Mapping[str, bool] = field(default_factory=dict)
    scores: Mapping[str, Share] = field(default_factory=dict)


# --- streams -------------------------------------------------------------------------------------------------------


@payload
class Event:
    """A thing that happened: a document that arrived, a click, a purchase.

    `session_id`: the visit in which it happened, for people of whom no user is known.
    """

    id: Name
    kind: Name
    at: datetime
    user_id: str | None = None
    session_id: str | None = None
    item_id: str | None = None
    text: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


@payload
class Source:
    """Where events come from: a feed, a folder."""

    name: Name
    kind: Name
    location: Name
    options: Mapping[str, Json] = field(default_factory=dict)


@payload
class Poll:
    """What is new in a source, and where to go on next time.

    `rows`: documents as `POST /v1/events` takes them, without `source`; each is checked by itself, what is there already changes nothing.
    `problems`: what could not be read, each with its place and reason. `error`: why the source could not be reached at all, "" where it
    was; the host then keeps the old cursor, and tries again later and later. `more`: there is more, to be fetched at once.
    """

    rows: tuple[Mapping[str, Json], ...]
    cursor: str | None
    problems: tuple[str, ...] = ()
    error: str = ""
    more: bool = False


@payload
class Observation:
    """What was read from an event: a sentiment, a topic, a link, an interest.

    `position`: its event's place in the tenant's stream, which the host fills in where it hands observations on.
    """

    event_id: Name
    type: Name
    at: datetime
    key: str = ""
    value: Json = None
    confidence: Share = 1.0
    position: Count | None = None


@payload
class DetectorState:
    """What a detector remembers of one series; `data` is its own affair, of constant size.

    `threshold`: what marks of people add to the tenant's threshold, as the natural logarithm by which false alarms are to be rarer.
    """

    key: Name
    data: Mapping[str, Json] = field(default_factory=dict)
    offset: str | None = None
    threshold: float = 0.0


@payload
class Alert:
    """A change that a person should know of; `incident` is the same for every report of the same change.

    `key`: what it is about, e.g. a company; alerts about the same are told as one. `evidence`: the events that drove it, with their ids as
    `source`; the host adds what they say. `data`: the figures.
    """

    incident: Name
    title: Name
    severity: Literal["info", "warning", "critical"]
    at: datetime
    key: str = ""
    explanation: str = ""
    evidence: tuple[Citation, ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict)


@payload
class Detection:
    """The detector's next state, and the alerts that follow."""

    state: DetectorState
    alerts: tuple[Alert, ...] = ()


@payload
class Delivery:
    """One alert on its way to one receiver."""

    id: Name
    alert: Alert
    receiver: Name
    attempt: Count = 0


@payload
class DeliveryReceipt:
    """Delivered, or why not."""

    delivered: bool
    reason: str = ""


# --- what plugins register -----------------------------------------------------------------------------------------


@payload
class Domain:
    """What a domain brings: its name, its settings model (a pydantic class), its graph schema, titles for its intents, its flows.

    A title is what a person would call the intent, as in "Did you mean: <title>?". Flows are what `rejoinder.flows.load_flows`
    takes: files, folders, or `Flow`s; the settings of the plugin `flows` say which of them a tenant has. `answers` is the field of the
    settings that holds a tenant's own answers by intent: the host writes what people accept into it (`rejoinder.learning.clusters`).
    `topics` is the one that holds the topics of documents by name, each a table with `words` and `examples`; the domain's observations of
    the type `topic` name them, and the host writes new ones that people accept into it (`rejoinder.monitoring.new_topics`).
    """

    name: Name
    title: str = ""
    settings: type | None = None
    intents: Mapping[str, str] = field(default_factory=dict)
    graph_schema: Mapping[str, Json] = field(default_factory=dict)
    version: str = "0"
    flows: tuple[Any, ...] = ()
    answers: str = ""
    topics: str = ""


@payload
class Schedule:
    """A named task of a plugin that runs every so many seconds."""

    name: Name
    every_s: Annotated[float, Ge(1.0)]
    run: Callable[..., Any]


@payload
class Table:
    """A SQLModel table of a plugin. `user_key` names the column that holds the user, so that erasure and export reach it."""

    model: type
    user_key: str | None
    migrations: str


@payload
class Channel:
    """A way in and out for messages; `router` is a FastAPI router."""

    name: Name
    router: Any


@payload
class Routes:
    """HTTP routes of a plugin under /v1/plugins/<plugin>; they answer 404 to tenants without it.

    Attributes:
        router: a FastAPI `APIRouter`, or a function without arguments that makes one and is called where the API is served: commands and
            workers then need not import FastAPI.
    """

    router: Any


@payload
class Command:
    """A command of a plugin below `rejoinder`; `app` is a Typer application."""

    name: Name
    app: Any


@payload
class Page:
    """A page of a plugin in the console: a path and the HTML it serves."""

    path: Name
    title: Name
    html: Callable[..., str]
