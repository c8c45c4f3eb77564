"""Every hook that a plugin may implement: the one page a plugin author reads.

Each specification says how results combine, who is called in which order, what a failure does, and which process calls it:

- Combines: `collect` calls all, at the same time, and keeps every result; `chain` hands each plugin what the one before it
  returned; `first` stops at the first result that is not None; `each` calls all and expects nothing in particular.
- Order: declared with `hookimpl(tryfirst=..., trylast=..., before=..., after=...)`; plugins that declare nothing follow one
  another by name. Installation and load order never count.
- Failure: `isolated` leaves the plugin out and goes on; `strict` raises; `closed` raises, so that nothing is stored;
  `retried` is tried again later by the caller.

An implementation may be `def` or `async def`, and asks only for the arguments that it needs, by name.
"""

# mypy: disable-error-code="empty-body"
# A specification has no body.

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy

from rejoinder.payloads import (
    Action,
    Adaptation,
    AdaptationRequest,
    Answer,
    Channel,
    Command,
    ConversationState,
    Decision,
    Delivery,
    DeliveryReceipt,
    Detection,
    DetectorState,
    Domain,
    Effect,
    EffectResult,
    Evaluation,
    EvaluationRequest,
    Event,
    Example,
    Feedback,
    Message,
    Observation,
    Page,
    Poll,
    Purpose,
    Query,
    Reply,
    Reward,
    Routes,
    Schedule,
    Source,
    Table,
    Task,
    Understanding,
)

if TYPE_CHECKING:
    from rejoinder.context import Context, Deployment

PROJECT = "rejoinder"
SPEC_VERSION = "1.0"
"""Version of these specifications. A plugin may name the range it needs as `rejoinder_spec = ">=1.0,<2"`."""

Combines = Literal["collect", "chain", "first", "each"]
Failure = Literal["isolated", "strict", "closed", "retried"]

_F = TypeVar("_F", bound=Callable[..., Any])
_pluggy_impl = pluggy.HookimplMarker(PROJECT)
_pluggy_spec = pluggy.HookspecMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class HookSpec:
    """What the host must know of one hook: how results combine, what a failure does, and what one result is.

    `gives` is the type of one result; with `many`, an implementation returns a sequence of it. `deadline_s` is the default
    time that one call may take.
    """

    name: str
    arguments: tuple[str, ...]
    combines: Combines
    failure: Failure
    gives: type | None
    many: bool
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Order:
    """Where one implementation wants to stand among the others of its hook."""

    tryfirst: bool = False
    trylast: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    deadline_s: float | None = None
    when: Callable[[Any], bool] | None = None


SPECS: dict[str, HookSpec] = {}
"""All hooks by name, in the order of this page."""


def hookimpl(
    *,
    tryfirst: bool = False,
    trylast: bool = False,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    deadline_s: float | None = None,
    when: Callable[[Any], bool] | None = None,
) -> Callable[[_F], _F]:
    """Mark a function or method as the implementation of the hook of the same name.

    Args:
        tryfirst: stand before all that declare nothing.
        trylast: stand after all that declare nothing.
        before: names of plugins that must come later (unknown names are ignored: they may not be installed).
        after: names of plugins that must come earlier.
        deadline_s: seconds that one call may take, > 0; never more than the deployment allows for this hook.
        when: told the tenant's settings of the plugin; where it says False the implementation is not called and leaves no line in the
            trace, so that a tenant who does not use it pays nothing. It is asked in every turn: let it only look. Not for hooks whose
            failure is `strict` or `closed`.
    Raises:
        ValueError: both tryfirst and trylast, or a deadline that is not positive.
    """
    if tryfirst and trylast:
        raise ValueError("hookimpl: tryfirst and trylast exclude one another; name one of them")
    if deadline_s is not None and deadline_s <= 0:
        raise ValueError(f"hookimpl: deadline_s must be positive, not {deadline_s}")
    order = Order(tryfirst, trylast, tuple(before), tuple(after), deadline_s, when)

    def mark(function: _F) -> _F:
        function.__dict__["rejoinder_order"] = order
        return _pluggy_impl(function)

    return mark


def _spec(
    combines: Combines,
    failure: Failure,
    gives: type | None = None,
    *,
    many: bool = False,
    deadline_s: float = 2.0,
) -> Callable[[_F], _F]:
    def mark(function: _F) -> _F:
        code = function.__code__
        arguments = code.co_varnames[: code.co_argcount]
        SPECS[function.__name__] = HookSpec(function.__name__, arguments, combines, failure, gives, many, deadline_s)
        return _pluggy_spec(function, firstresult=combines == "first")

    return mark


# --- start ---------------------------------------------------------------------------------------------------------


@_spec("collect", "strict", Domain, many=True)
def register_domain() -> Sequence[Domain]:
    """Bring domains: names, settings models, graph schemas.

    Combines: collect. Order: declared. Failure: strict, the plugin is not registered. Process: all. Since: 1.0.
    """


@_spec("collect", "strict", Task, many=True)
def register_tasks() -> Sequence[Task]:
    """Bring tasks to learn, each with its learner.

    Combines: collect; two tasks of one name are refused. Order: declared. Failure: strict. Process: all. Since: 1.0.
    """


@_spec("collect", "strict", Table, many=True)
def register_tables() -> Sequence[Table]:
    """Bring SQLModel tables with their migrations, naming the column that holds the user.

    Combines: collect. Order: declared. Failure: strict. Process: all. Since: 1.0.
    """


@_spec("collect", "strict", Schedule, many=True)
def register_schedules() -> Sequence[Schedule]:
    """Bring work that is done every so often.

    Combines: collect. Order: declared. Failure: strict. Process: worker. Since: 1.0.
    """


@_spec("collect", "strict", Channel, many=True)
def register_channel() -> Sequence[Channel]:
    """Bring ways in and out for messages. User 42 of a channel `fax` is `fax:42` to the bot; no token is issued for such an id.

    Combines: collect. Order: declared. Failure: strict. Process: api. Since: 1.0.
    """


@_spec("collect", "strict", Routes, many=True)
def register_routes() -> Sequence[Routes]:
    """Bring HTTP routes, served under /v1/plugins/<plugin>; tenants without the plugin get 404.

    Combines: collect. Order: declared. Failure: strict. Process: api. Since: 1.0.
    """


@_spec("collect", "strict", Command, many=True)
def register_commands() -> Sequence[Command]:
    """Bring commands below `rejoinder`.

    Combines: collect. Order: declared. Failure: strict. Process: cli. Since: 1.0.
    """


@_spec("collect", "strict", Page, many=True)
def register_pages() -> Sequence[Page]:
    """Bring pages of the console.

    Combines: collect. Order: declared. Failure: strict. Process: api. Since: 1.0.
    """


@_spec("each", "isolated", deadline_s=60.0)
def start(deployment: Deployment) -> None:
    """Get ready: the host has all plugins and is about to serve.

    Combines: each. Order: declared. Failure: isolated, the plugin serves no turn. Process: all. Since: 1.0.
    """


@_spec("each", "isolated", deadline_s=10.0)
def stop(deployment: Deployment) -> None:
    """Give back what `start` took.

    Combines: each. Order: declared, backwards. Failure: isolated. Process: all. Since: 1.0.
    """


@_spec("each", "isolated", deadline_s=60.0)
def tenant_enabled(context: Context) -> None:
    """A tenant has this plugin from now on; called in each process before its first turn.

    Combines: each. Order: declared. Failure: isolated. Process: all. Since: 1.0.
    """


@_spec("each", "isolated", deadline_s=10.0)
def tenant_disabled(context: Context) -> None:
    """A tenant no longer has this plugin: forget what was kept for it.

    Combines: each. Order: declared. Failure: isolated. Process: all. Since: 1.0.
    """


@_spec("collect", "isolated", Example, many=True, deadline_s=30.0)
def seed_examples(context: Context) -> Sequence[Example]:
    """Give the examples that this tenant's models start from; ids must be the same every time.

    Combines: collect. Order: declared. Failure: isolated. Process: api, worker. Since: 1.0. See docs/decisions/002.
    """


@_spec("collect", "isolated", Example, many=True, deadline_s=30.0)
def regression_examples(context: Context) -> Sequence[Example]:
    """Give the domain's frozen set: what a new model of this tenant must not answer worse than the live one; never trained on.

    With a margin of three points it takes some 800 rows to rule out a loss; ids must be the same every time.

    Combines: collect. Order: declared. Failure: isolated. Process: worker. Since: 1.0.
    """


# --- a turn --------------------------------------------------------------------------------------------------------


@_spec("collect", "isolated", Understanding)
def understand_intent(message: Message, state: ConversationState, context: Context) -> Understanding | None:
    """Say what a message may mean.

    Combines: collect, at the same time; the host merges readings by intent, entities and slots by span and name.
    Order: declared; earlier wins a tie. Failure: isolated. Process: api. Since: 1.0.

    Args:
        message: `text` is redacted; `raw_text` is for slot values only and must not be stored or logged.
        state: the state before this turn.
    Returns:
        What it may mean, with calibrated confidences in [0, 1], or None: nothing to say.
    """


@_spec("first", "isolated", Action, deadline_s=1.0)
def decide_action(
    message: Message, understanding: Understanding, state: ConversationState, context: Context
) -> Action | None:
    """Choose what the bot does: answer, ask back, say something, run a flow step, hand off, stay silent. No side effects.

    Combines: first. Order: declared; the shipped dialogue is last. Failure: isolated. Process: api. Since: 1.0.

    Returns:
        The action with the new state (the host sets its version), or None: not mine. With `again`, the host asks once more after
        the action's effects, with their results in the state.
    """


@_spec("first", "isolated", EffectResult, deadline_s=60.0)
def run_effect(effect: Effect, context: Context) -> EffectResult | None:
    """Do what an action planned; called once per `effect.key`, only for the plugin that the effect names.

    Combines: first. Order: declared. Failure: isolated, the result says why. Process: api. Since: 1.0. See docs/decisions/003.
    """


@_spec("collect", "isolated", Answer, many=True)
def retrieve_answers(query: Query, context: Context) -> Sequence[Answer]:
    """Offer candidate answers or items. No side effects.

    Combines: collect, at the same time. Order: declared; earlier wins a tie. Failure: isolated. Process: api. Since: 1.0.

    Returns:
        Answers, best first, at most `query.limit`; scores in [0, 1]; [] means nothing to offer.
    """


@_spec("chain", "isolated", Answer, many=True, deadline_s=1.0)
def rank_answers(query: Query, answers: tuple[Answer, ...], context: Context) -> Sequence[Answer]:
    """Order candidates anew: rerank, filter, diversify.

    Combines: chain: `answers` is what the plugin before returned. Order: declared. Failure: isolated, its input goes on.
    Process: api. Since: 1.0.
    """


@_spec("first", "isolated", deadline_s=5.0)
def compose_reply(
    action: Action, answers: tuple[Answer, ...], state: ConversationState, context: Context
) -> Reply | AsyncIterator[str] | None:
    """Put the reply into words, whole or as an async iterator of parts.

    Combines: first. Order: declared; the shipped composer is last. Failure: isolated. Process: api. Since: 1.0.

    Args:
        answers: ranked, best first; empty unless the action is to answer.
        state: the state after the action and its effects.
    """


# --- learning ------------------------------------------------------------------------------------------------------


@_spec("collect", "isolated", Reward, many=True)
def score_feedback(feedback: Feedback, decision: Decision, context: Context) -> Sequence[Reward]:
    """Turn feedback on a decision into rewards, each for one task.

    Combines: collect; rewards of one task and part are averaged by weight. Order: declared. Failure: isolated.
    Process: api, worker. Since: 1.0.
    """


@_spec("collect", "isolated", Example, many=True)
def make_examples(reward: Reward, feedback: Feedback, decision: Decision, context: Context) -> Sequence[Example]:
    """Turn a reward into things to learn. Ids must be the same for the same feedback, so that a retry changes nothing.

    Combines: collect. Order: declared. Failure: isolated. Process: api, worker. Since: 1.0.
    """


@_spec("first", "isolated", str)
def choose_queue(task: str, context: Context) -> str | None:
    """Say which workers are to fit a new model of a task: `gpu` for work that wants a GPU, or `cpu`.

    Asked where the setting `workers.gpu_queue` says that workers listen to `gpu`; everything else goes to `cpu`.

    Combines: first. Order: declared; the shipped one sends adapters to `gpu`. Failure: isolated. Process: all. Since: 1.0.

    Args:
        task: its name.
    """


@_spec("first", "retried", Adaptation, deadline_s=86_400.0)
def adapt_model(request: AdaptationRequest, context: Context) -> Adaptation | None:
    """Fit a new model version into `request.folder`.

    Combines: first. Order: declared; the shipped one fits the task's learner. Failure: retried. Process: worker. Since: 1.0.
    """


@_spec("first", "retried", Evaluation, deadline_s=3600.0)
def evaluate_model(request: EvaluationRequest, context: Context) -> Evaluation | None:
    """Score a model on examples that it never saw.

    Combines: first. Order: declared; the shipped one asks the task's learner. Failure: retried. Process: worker. Since: 1.0.
    """


# --- streams -------------------------------------------------------------------------------------------------------


@_spec("each", "retried", Poll, deadline_s=60.0)
def poll_source(source: Source, cursor: str | None, context: Context) -> Poll | None:
    """Fetch what is new in a feed or folder; None for kinds of sources that the plugin does not know.

    What it fetched is durable when it is called with the next cursor.

    Combines: each; one plugin for a kind. Order: declared. Failure: retried with the same cursor. Process: worker, cli. Since: 1.0.
    """


@_spec("collect", "retried", Observation, many=True, deadline_s=60.0)
def read_events(events: Sequence[Event], context: Context) -> Sequence[Observation]:
    """Read a batch of events: sentiment, topics, links, interests.

    Combines: collect, merged by type. Order: declared. Failure: retried, then set aside. Process: worker. Since: 1.0.
    """


@_spec("first", "retried", Detection, deadline_s=10.0)
def detect_change(observations: Sequence[Observation], state: DetectorState, context: Context) -> Detection | None:
    """Look for a change in one series; no observations means a tick of the clock.

    Combines: first; one owner for a series. Order: declared. Failure: retried with the same state. Process: worker. Since: 1.0.
    """


@_spec("each", "retried", DeliveryReceipt, deadline_s=30.0)
def deliver_alert(delivery: Delivery, context: Context) -> DeliveryReceipt | None:
    """Bring an alert to a receiver; at least once, the incident id is the receiver's key.

    Combines: each. Order: declared. Failure: retried, then set aside. Process: worker. Since: 1.0.
    """


@_spec("chain", "closed", str, deadline_s=1.0)
def redact_text(text: str, purpose: Purpose, context: Context) -> str:
    """Replace what must not be kept with typed placeholders such as [CARD_NUMBER].

    Combines: chain. Order: declared. Failure: closed: what could not be redacted is not stored. Process: all. Since: 1.0.
    """
