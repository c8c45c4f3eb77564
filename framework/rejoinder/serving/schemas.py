"""What goes in and out over HTTP and the socket.

Requests are checked strictly: unknown fields are refused, "3" is no 3. Responses document; see `responses.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from rejoinder.errors import InvalidInputError
from rejoinder.handoff.suggesting import Suggestion
from rejoinder.handoff.waiting import Place
from rejoinder.payloads import ActionKind, Decision, FlowFrame, Json, Mode, Part, Reply, Reward
from rejoinder.store.hand_offs import AgentState, EventKind, HandOffOutcome, HandOffStatus

# --- parts ---------------------------------------------------------------------------------------------------------

Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
"""An id of ours: printable ASCII without spaces."""
UserId = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
TenantId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
KeyRoleName = Literal["customer", "agent", "analyst", "admin", "ingest", "operator"]


def in_utc(moment: datetime, field: str) -> datetime:
    """Return a moment in UTC.

    Raises:
        InvalidInputError: it has no time zone, or is beyond what a calendar holds.
    """
    if moment.tzinfo is None:
        raise InvalidInputError(f"{field}: the moment needs a time zone, e.g. 2030-01-01T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{field}: the moment is out of range") from None


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class ProblemField(_Out):
    """One wrong field of a request."""

    field: str = Field(description="Where it is, e.g. `body.text`.")
    reason: str


class ProblemDocument(_Out):
    """An error (RFC 9457), the same shape for all."""

    model_config = _example(
        type="urn:rejoinder:problem:not-found",
        title="Not found",
        status=404,
        detail="there is no conversation 'conv_1'",
        instance="/v1/conversations/conv_1",
    )

    type: str = Field(description="`urn:rejoinder:problem:` and the kind.")
    title: str
    status: int
    detail: str = Field(description="What was wrong this time, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    errors: list[ProblemField] | None = Field(default=None, description="The wrong fields, where there are any.")
    error_id: str | None = Field(default=None, description="Names the operator's log entry of an internal error.")


# --- conversations -------------------------------------------------------------------------------------------------


class ConversationIn(_In):
    """A new conversation of the caller."""

    model_config = _example(channel="web")

    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,40}$")] = "api"


class ConversationCreated(_Out):
    """The id of a new conversation."""

    model_config = _example(id="conv_0192f0c1a2b31c00f9f8e7d6c5b4a39")

    id: str


class LineOut(_Out):
    """One line of a conversation."""

    speaker: Literal["user", "bot", "agent"]
    author: str | None = Field(description="The name of the agent who wrote it.")
    text: str = Field(description="As it was stored, after redaction.")
    at: datetime


class CustomerHandOffOut(_Out):
    """What a customer is told of a hand-off."""

    status: Literal["queued", "active"]
    agent: str | None = Field(description="The name of who answers.")
    position: int | None = Field(description="In the queue; 1 is next.")
    wait_s: float | None = Field(description="Seconds that it is likely to take; null while no agent is there.")


class ConversationOut(_Out):
    """A conversation, and its last lines, oldest first."""

    id: str
    user_id: str
    mode: Mode = Field(description="Who answers: the bot, nobody yet (queued), or a person.")
    turns: int
    flows: list[FlowFrame] = Field(
        description="The flows that wait, the one that runs last, and the step at which each is."
    )
    slots: dict[str, Any] = Field(description="What is known, by name, as it was stored: what is secret is masked.")
    history: list[LineOut]
    hand_off: CustomerHandOffOut | None = Field(description="While a person is wanted, or answers.")


class ConversationSummary(_Out):
    """A conversation in a list."""

    id: str
    user_id: str
    channel: str
    mode: Mode
    turns: int
    created_at: datetime
    updated_at: datetime


class ConversationPage(_Out):
    """Conversations, most recently changed first."""

    conversations: list[ConversationSummary]
    next: datetime | None = Field(description="Ask for the next page with `before=` this.")


class MessageIn(_In):
    """One message of a person."""

    model_config = _example(text="Where is my order?", idempotency_key="5f0c")

    text: str = Field(description="Not empty, at most `server.max_text_chars` characters.")
    idempotency_key: Id | None = Field(default=None, description="Instead of the header `Idempotency-Key`.")


class TurnOut(_Out):
    """What a message came to; durable."""

    id: str
    conversation_id: str
    number: int
    text: str = Field(description="The message as it was stored, after redaction.")
    reply: Reply
    action: ActionKind
    decision_id: str | None = Field(description="What feedback names; none where a person speaks for the bot.")
    answered: bool = Field(description="Whether an answer was found.")
    label: str | None = Field(
        description="The intent that was answered, null for an answer of none; the likeliest one where nothing was."
    )
    confidence: float | None
    mode: Mode
    speaker: str = Field(description="bot, agent, or none while the customer waits for a person.")
    model_versions: dict[str, str]
    author: str | None = Field(description="The name of the agent who answered.")
    place: Place | None = Field(description="Where the customer stands in the queue for a person.")


class StoredTurnOut(_Out):
    """A turn as it was stored."""

    id: str
    number: int
    text: str | None = Field(description="What the person said, redacted; null where an agent spoke unasked.")
    reply: Reply | None
    action: ActionKind
    speaker: str
    author: str | None = Field(description="The name of the agent who answered.")
    started_at: datetime
    duration_ms: float


class TurnPage(_Out):
    """Turns, oldest first."""

    turns: list[StoredTurnOut]
    next: int | None = Field(description="Ask for the next page with `after=` this.")


class CallOut(_Out):
    """One call of one hook of one plugin."""

    hook: str
    plugin: str
    at_ms: float
    took_ms: float
    outcome: str
    detail: str


class TurnStory(StoredTurnOut):
    """A turn, what was decided in it, and what each plugin did."""

    decisions: list[Decision]
    trace: list[CallOut]


# --- hand-offs -----------------------------------------------------------------------------------------------------


class HandOffOut(_Out):
    """One time that a conversation is a person's affair."""

    id: str
    conversation_id: str
    user_id: str
    status: HandOffStatus
    reason: str = Field(description="Why a person was called.")
    summary: str = Field(description="What an agent should know, in a few lines.")
    queued_at: datetime
    claimed_at: datetime | None
    agent_id: str | None = Field(description="Who has it, or had it last.")
    agent_name: str
    for_agent: str | None = Field(description="Only this agent is to take it, for now.")
    unanswered_since: datetime | None = Field(description="From when on the customer waits for an answer.")
    closed_at: datetime | None
    outcome: HandOffOutcome | None
    label: str | None = Field(description="The intent that it was about, as the agent said.")
    position: int | None = Field(description="In the queue; 1 is next.")
    wait_s: float | None = Field(description="Seconds that it is likely to take; null while no agent is there.")


class HandOffCursor(_Out):
    """Where the next page begins."""

    after: datetime
    after_id: str


class HandOffList(_Out):
    """Hand-offs in the order of the queue."""

    hand_offs: list[HandOffOut]
    next: HandOffCursor | None


class NoteOut(_Out):
    """Something that happened to a hand-off, or a note."""

    id: str
    kind: EventKind
    at: datetime
    agent_id: str | None
    agent_name: str
    text: str


class HandOffStory(HandOffOut):
    """A hand-off with all that is known of it."""

    context: dict[str, Any] = Field(description="What was known when a person was called, as it was stored.")
    events: list[NoteOut]
    contact: str | None = Field(description="The e-mail address or phone number that the customer left.")


class AgentMessageIn(_In):
    """What an agent answers."""

    model_config = _example(text="A refund takes five working days.", teach=True)

    text: str = Field(description="Not empty, at most `server.max_text_chars` characters.")
    suggestion: Id | None = Field(
        default=None, description="`decision_id` of the suggestion that this is, edited or not."
    )
    teach: bool | None = Field(
        default=None,
        description="Whether the bot is to answer so from now on; null: once the matter is resolved, where it holds for others too.",
    )


class SuggestionOut(_Out):
    """What the bot would answer."""

    suggestion: Suggestion | None = Field(description="null: the customer said nothing yet.")


class NoteIn(_In):
    """A note for other agents."""

    model_config = _example(text="Wants the money back by Friday.")

    text: Words


class TransferIn(_In):
    """For whom a conversation goes back into the queue."""

    model_config = _example(note="Needs somebody from billing.")

    to: Id | None = Field(default=None, description="An agent's id; null: for whoever takes it.")
    note: Annotated[str, StringConstraints(max_length=8000)] = ""


class CloseIn(_In):
    """How a hand-off ends."""

    model_config = _example(resolved=True, label="refund")

    resolved: bool = True
    label: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="The intent that it was about; the bot learns it."
    )


class AgentIn(_In):
    """Whether an agent is there."""

    model_config = _example(state="online")

    state: AgentState


class AgentOut(_Out):
    """An agent."""

    id: str
    name: str
    state: AgentState
    there: bool = Field(description="Online, and seen lately.")
    seen_at: datetime


class AgentList(_Out):
    """A tenant's agents by name."""

    agents: list[AgentOut]


# --- feedback ------------------------------------------------------------------------------------------------------


class _FeedbackIn(_In):
    decision_id: Id
    about: Part = "whole"
    index: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Which answer, span, entity or position."
    )
    idempotency_key: Id | None = Field(default=None, description="Instead of the header `Idempotency-Key`.")


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected 1 or -1, not true or false")  # noqa: TRY004  # for pydantic
    return value


class ThumbsIn(_FeedbackIn):
    """Thumbs up (1) or down (-1)."""

    model_config = _example(decision_id="dec_1", kind="thumbs", value=1)

    kind: Literal["thumbs"]
    value: Annotated[Literal[1, -1], BeforeValidator(_no_truth)]


class RatingIn(_FeedbackIn):
    """One to five stars."""

    model_config = _example(decision_id="dec_1", kind="rating", value=4)

    kind: Literal["rating"]
    value: Annotated[int, Field(ge=1, le=5)]


class WordsIn(_FeedbackIn):
    """The right intent, the right answer, the alternative that was chosen (its id or label), a remark, or what the person did.

    What the shipped plugins know of `behaviour`: click, purchase, rephrased, repeated, abandoned, escalated.
    """

    model_config = _example(decision_id="dec_1", kind="corrected_intent", value="card_arrival")

    kind: Literal["corrected_intent", "corrected_answer", "chosen", "free_text", "behaviour"]
    value: Words


class DwellIn(_FeedbackIn):
    """For how many seconds the person looked at it."""

    model_config = _example(decision_id="dec_1", kind="dwell", value=42.5, about="position", index=0)

    kind: Literal["dwell"]
    value: Annotated[float, Field(ge=0, le=86_400)]


FeedbackIn = Annotated[ThumbsIn | RatingIn | WordsIn | DwellIn, Field(discriminator="kind")]


class FeedbackOut(_Out):
    """What feedback came to; durable, and learned where `learned` says so."""

    id: str
    rewards: list[Reward]
    examples: int
    learned: bool
    repeated: bool
    note: str = Field(default="", description="What whoever gave it should know, e.g. that an intent is new.")


# --- tenants, keys, tokens -----------------------------------------------------------------------------------------


class TokenIn(_In):
    """A token for an end user, who is known to the bot by this id only."""

    model_config = _example(user_id="customer-17", locale="en", time_zone="UTC")

    user_id: UserId = Field(description="Without a colon: ids with one stand for users of channels and for API keys.")
    locale: str = "en"
    time_zone: str = "UTC"
    ttl_s: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Seconds; at most the deployment's.")
    role: Literal["customer", "agent"] = "customer"
    name: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="", description="What people call them; customers see an agent's."
    )


class TokenOut(_Out):
    """A token; it is shown once."""

    token: str
    expires_at: datetime


class KeyIn(_In):
    """A new API key."""

    model_config = _example(role="agent", name="help desk")

    role: KeyRoleName
    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    expires_at: Annotated[datetime, Field(strict=False)] | None = None


class KeyOut(_Out):
    """An API key, without its secret."""

    id: str
    tenant: str | None
    prefix: str
    role: KeyRoleName
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class NewKeyOut(KeyOut):
    """A new API key; `key` is shown this once."""

    key: str


class KeyList(_Out):
    """API keys, newest first."""

    keys: list[KeyOut]


class TenantIn(_In):
    """A new tenant."""

    model_config = _example(id="acme", name="Acme Ltd")

    id: TenantId
    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    settings: dict[str, dict[str, Json]] | None = Field(default=None, description="By plugin and key.")
    plugins: list[str] | None = Field(default=None, description="Names of its plugins; none given: all, now and later.")


class TenantChange(_In):
    """What to change of a tenant; what is left out stays."""

    model_config = _example(name="Acme Holding")

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = None
    disabled: bool | None = Field(default=None, description="For operators only.")


class SettingIn(_In):
    """The new value of one setting."""

    model_config = _example(value=0.4)

    value: Json = Field(description="What JSON can say; what fits depends on the setting.")


class SettingOut(_Out):
    """One setting, where its value came from; secrets are masked."""

    key: str
    value: Json
    source: str


class TenantOut(_Out):
    """A tenant."""

    id: str
    name: str
    disabled: bool
    plugins: list[str] | None = Field(description="The plugins that it was given; null: all of the deployment's.")
    created_at: datetime


class TenantDetails(TenantOut):
    """A tenant with its settings."""

    enabled: list[str] = Field(description="The plugins that it has and that can be used.")
    problem: str | None = Field(description="What is wrong with its settings, so that they cannot be used; else null.")
    settings: list[SettingOut]
    skipped: dict[str, str] = Field(description="Plugins that it has but that cannot be used, and why.")


class TenantList(_Out):
    """Tenants by id."""

    tenants: list[TenantOut]


# --- models and examples -------------------------------------------------------------------------------------------


class ModelVersionOut(_Out):
    """One fitted model of one task."""

    id: str
    task: str
    number: int
    state: str
    metrics: dict[str, float]
    created_at: datetime
    promoted_at: datetime | None = None
    erased_at: datetime | None = Field(
        default=None, description="Since when examples that it was trained on are erased: it is to be replaced."
    )


class ModelEvaluation(_Out):
    """What a model version scored on some examples."""

    id: str
    data: str = Field(description="Which examples, e.g. `held_back`: those that no training saw.")
    metrics: dict[str, float]
    correct: dict[str, bool] = Field(description="By example.")
    verdict: Json = Field(default=None, description="The gate's, where it was asked.")
    created_at: datetime


class ModelAncestor(_Out):
    """A version that another one comes from."""

    id: str
    task: str
    number: int
    state: str
    metrics: dict[str, float]
    created_at: datetime


class ModelDetails(ModelVersionOut):
    """One model version with its lineage and evaluations."""

    base_hash: str = Field(description="Of the encoder whose vectors it reads.")
    data_fingerprint: str = Field(description="Equal only for the same training data.")
    code_version: str
    settings: dict[str, Json]
    seed: int
    parent_id: str | None = None
    retired_at: datetime | None = None
    evaluations: list[ModelEvaluation]
    lineage: list[ModelAncestor] = Field(description="The parent first.")


class LearningVersion(_Out):
    """How one model version did, as far as people said; null: nobody said anything that tells."""

    task: str
    version: str
    state: str | None = None
    decisions: int
    rated: int = Field(description="Decisions of which feedback says whether they were right.")
    accuracy: float | None = None
    recall: float | None = Field(default=None, description="Mean over the labels that were right or asked for.")
    csat: float | None = Field(default=None, description="Share of thumbs up and of ratings of 4 and 5.")
    ece: float | None = Field(
        default=None, description="Expected calibration error of the confidences against rewards."
    )
    reward: float | None = Field(default=None, description="Mean reward.")
    drift: float | None = Field(default=None, description="By how much the mean reward was seen to change; 0: not.")
    containment: float | None = Field(default=None, description="Share of its conversations without a person.")


class LearningExamples(_Out):
    """Of how many examples models of a task may learn."""

    task: str
    examples: int
    held_back: int = Field(description="Those of them that no model is trained on.")


class LearningErasure(_Out):
    """An erasure that models are still being made anew for; it names nobody."""

    erasure_id: str
    at: datetime
    reason: str
    examples: int = Field(description="Examples that models are made to forget.")
    tasks: list[str] = Field(description="Tasks of which a version was trained on some of them.")


class LearningStatus(_Out):
    """Where a tenant's learning stands."""

    since: datetime
    conversations: int
    containment: float | None = Field(default=None, description="Share of conversations without a person.")
    examples: list[LearningExamples]
    versions: list[LearningVersion]
    runs: list[dict[str, Json]]
    trials: list[dict[str, Json]]
    decided: list[dict[str, Json]] = Field(description="What gate, trials and people decided, and why.")
    erasures: list[LearningErasure] = Field(
        description="Erasures for which models are still being made anew, oldest first."
    )


class GuessOut(_Out):
    """A label that the model finds likely."""

    label: str
    confidence: float = Field(ge=0, le=1)


class ReviewQuestionOut(_Out):
    """A question whose label would help."""

    id: str
    decision_id: str
    text: str = Field(description="What a customer asked, redacted.")
    guesses: list[GuessOut] = Field(
        description="What the model makes of it, best first; empty where there is no model."
    )
    in_scope: float | None = Field(description="Probability that it is about anything the model knows.")


class ReviewList(_Out):
    """The questions of this day (UTC) that wait for a label, the most useful first."""

    items: list[ReviewQuestionOut]


class ReviewAnswerIn(_In):
    """What a question is; `null`: it cannot be told, and it is not asked again."""

    model_config = _In.model_config | _example(label="card_arrival")

    label: Words | None


class ReviewAnswerOut(_Out):
    """What became of it."""

    id: str
    state: Literal["answered", "skipped"]
    learned: bool = Field(description="Whether a model or memory changed.")
    note: str = Field(description="What the reviewer should know, e.g. that the label is new.")


ClusterStateName = Literal["open", "accepted", "rejected"]


class ClusterOut(_Out):
    """Questions about one thing that the bot cannot answer well."""

    id: str
    title: str
    label: str = Field(description="What the intent would be called, or is.")
    keywords: list[str] = Field(description="Words that tell these questions from others.")
    size: int = Field(description="How many different questions there are.")
    examples: list[str] = Field(description="The most typical ones, redacted.")
    state: ClusterStateName
    found_at: datetime


class ClusterList(_Out):
    """Clusters, the largest first."""

    items: list[ClusterOut]


class ClusterAcceptIn(_In):
    """How to take a cluster in: as an intent (`label`), with its answer (`answer`), or as an answer alone (only `answer`)."""

    model_config = _In.model_config | _example(label="lost_luggage", answer="Please call the airport's desk.")

    label: Words | None = Field(default=None, description="Default, without an answer: the label proposed.")
    answer: Words | None = None


class ClusterAcceptedOut(_Out):
    """What became of it."""

    id: str
    label: str | None
    examples: int = Field(description="How many examples its questions became.")
    answer_setting: str = Field(description="The tenant's setting that holds the answer; empty where there is none.")


class RollbackIn(_In):
    """Which task is to go back to the version before."""

    model_config = _example(task="intent")

    task: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")]


class RollbackOut(_Out):
    """What a roll-back changed."""

    live: ModelVersionOut
    retired: ModelVersionOut


class ModelList(_Out):
    """A tenant's model versions, newest first; those in state `live` answer."""

    versions: list[ModelVersionOut]


class RunIn(_In):
    """Which task a worker is to learn anew."""

    model_config = _example(task="intent")

    task: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")]
    priority: Annotated[int, Field(ge=-1000, le=1000, description="Runs with a higher one go first.")] = 0


class RunOut(_Out):
    """One fitting of a new model by a worker."""

    id: str
    task: str
    status: str = Field(description="queued, running, done, failed or cancelled.")
    reason: str = Field(description="Why it was started, in words.")
    priority: int
    queue: str = Field(description="Which workers take it: cpu or gpu.")
    progress: float = Field(description="Share of the work that is done, from 0 to 1.")
    attempts: int = Field(description="Workers that began it; others than the last were lost.")
    error: str | None = None
    model_version_id: str | None = Field(
        default=None, description="The version that came of it; the gate decides whether it serves."
    )
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class RunList(_Out):
    """A tenant's adaptation runs, newest first."""

    runs: list[RunOut]


class BadRow(_Out):
    """A row that was not loaded."""

    index: int = Field(description="From 0.")
    reason: str


class ImportOut(_Out):
    """What an import came to."""

    loaded: int
    repeated: int = Field(description="Rows that were there already.")
    bad: list[BadRow] = Field(description="The first hundred rows that were left out.")
    bad_count: int


# --- documents -----------------------------------------------------------------------------------------------------


class IngestedOut(_Out):
    """What came of a document that was sent."""

    id: str
    title: str
    changed: bool = Field(description="Whether its content is new; else nothing was written.")
    passages: int
    encoded: int = Field(description="Passages for which a vector had to be made; unchanged ones keep theirs.")


class DocumentOut(_Out):
    """A document that answers are found in."""

    id: str
    source: str
    title: str
    url: str | None
    revision: int = Field(description="Grows with every change of the tenant's documents.")
    updated_at: datetime
    characters: int
    passages: int
    encoded: int = Field(description="Passages with a vector; the others are found by their words alone.")


class DocumentList(_Out):
    """Documents by id."""

    documents: list[DocumentOut]


class PassageOut(_Out):
    """A part of a document that can be found and cited."""

    start: int = Field(description="First character of the document's text.")
    end: int
    headings: list[str]
    kind: Literal["text", "reply"]


class DocumentDetails(_Out):
    """A document with its text, to which the spans of citations refer."""

    id: str
    source: str
    title: str
    url: str | None
    revision: int
    updated_at: datetime
    text: str
    passages: list[PassageOut]


# --- users ---------------------------------------------------------------------------------------------------------


class ConsentIn(_In):
    """Whether a user may be learned from."""

    model_config = _example(consent=False)

    consent: bool | None = Field(description="Yes, no, or null: not answered, so that the tenant's setting decides.")


class ConsentOut(_Out):
    """What a user said of being learned from."""

    user_id: str
    consent: bool | None
    forgotten: int = Field(description="Examples of theirs that models were made to forget.")


class ErasureOut(_Out):
    """What an erasure did."""

    counts: dict[str, int] = Field(description="Rows that named the user, by table; empty: nothing was stored of them.")
    examples: int = Field(description="Examples that models are made to forget.")
    marked: list[str] = Field(description="Model versions that were trained on some of these.")
    runs: list[str] = Field(description="Runs that were queued to learn anew without them.")
    erasure_id: str = Field(
        description="Of the audit row, which does not name the user; empty where nothing was erased."
    )
    pending: bool = Field(
        description="Models are still being made anew without these; the learning status tells when it is done."
    )


class PageOut(_Out):
    """A page of a plugin."""

    plugin: str
    title: str
    path: str


class PageList(_Out):
    """Pages of plugins."""

    pages: list[PageOut]


# --- health --------------------------------------------------------------------------------------------------------


class HealthOut(_Out):
    """The server runs."""

    status: Literal["ok"]
    version: str
