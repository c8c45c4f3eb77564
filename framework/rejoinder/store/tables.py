"""The tables. Every row but a tenant's own (and an operator's API key) names its tenant; the access modules ask for it always.

A child row refers to its parent by tenant and id together, so that not even a wrong query can join two tenants. Moments are
aware and in UTC; what a person typed is stored redacted, never raw.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, MetaData, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

__all__ = [
    "AdaptationRun",
    "AgentRow",
    "AlertDelivery",
    "AlertRow",
    "AlertThreshold",
    "ApiKey",
    "Conversation",
    "DecisionRow",
    "DetectorStateRow",
    "Document",
    "DocumentsRevision",
    "ErasureRow",
    "EvaluationRow",
    "EventBand",
    "EventRow",
    "EventStream",
    "ExampleRow",
    "FeedbackRow",
    "HandOffEventRow",
    "HandOffRow",
    "Item",
    "ItemsRevision",
    "ModelDecision",
    "ModelTrial",
    "ModelVersion",
    "ObservationRow",
    "PassageRow",
    "QuestionCluster",
    "QuestionClusterMember",
    "ReviewItem",
    "ScheduleRow",
    "SecretSlot",
    "SourceRow",
    "Tenant",
    "Turn",
    "User",
    "VersionExamples",
    "metadata",
    "table_of",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The schema of the host's own tables; plugins bring metadata of their own."""


def table_of(record: type[SQLModel]) -> Table:
    """Return the table of a record class, for statements that need no objects."""
    return metadata.tables[str(record.__tablename__)]


class _Record(SQLModel):
    metadata = metadata


class Tenant(_Record, table=True):
    """One customer of the deployment. `settings` is nested by plugin; `plugins` None means: the deployment's defaults."""

    __tablename__ = "tenants"

    id: str = Field(sa_type=PlainText, primary_key=True)
    name: str = Field(sa_type=PlainText)
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    plugins: list[str] | None = Field(default=None, sa_type=JsonText)
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled: bool = False


class ApiKey(_Record, table=True):
    """A key of the API, known by its hash only. Without a tenant it is an operator's, good for the whole deployment."""

    __tablename__ = "api_keys"

    id: str = Field(sa_type=PlainText, primary_key=True)
    tenant_id: str | None = Field(
        default=None, sa_type=PlainText, foreign_key="tenants.id", ondelete="CASCADE", index=True
    )
    prefix: str = Field(sa_type=PlainText, index=True)
    hash: str = Field(sa_type=PlainText, unique=True)
    role: str = Field(sa_type=PlainText)
    name: str = Field(default="", sa_type=PlainText)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class _Owned(_Record):
    """A row of one tenant; the key is tenant and id together."""

    tenant_id: str = Field(sa_type=PlainText, primary_key=True, foreign_key="tenants.id", ondelete="CASCADE")
    id: str = Field(sa_type=PlainText, primary_key=True)


class User(_Owned, table=True):
    """A person, by pseudonym. `consent`: True or False as they said, None when nobody asked.

    `agreed` and `disputed`: how many of their statements on decisions are held for right, and for wrong, in expected numbers.
    """

    __tablename__ = "users"

    consent: bool | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    agreed: float = 0.0
    disputed: float = 0.0


class Conversation(_Owned, table=True):
    """One conversation and the state that its next turn starts from. `mode` repeats the state's, for queries."""

    __tablename__ = "conversations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "user_id", "updated_at"),
        Index(None, "tenant_id", "mode", "updated_at"),
        Index(None, "tenant_id", "updated_at"),
    )

    user_id: str = Field(sa_type=PlainText)
    channel: str = Field(default="api", sa_type=PlainText)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    state: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    state_version: int = 0
    turns: int = 0
    mode: str = Field(default="bot", sa_type=PlainText)
    closed: bool = False


class SecretSlot(_Record, table=True):
    """The encrypted raw value of a slot that redaction masks everywhere else."""

    __tablename__ = "secret_slots"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
        ),
        Index(None, "expires_at"),
    )

    tenant_id: str = Field(sa_type=PlainText, primary_key=True)
    conversation_id: str = Field(sa_type=PlainText, primary_key=True)
    name: str = Field(sa_type=PlainText, primary_key=True)
    ciphertext: bytes
    expires_at: datetime = Field(sa_type=UtcDateTime)


class Turn(_Owned, table=True):
    """One turn: what was said (redacted), what was answered, and the trace of how.

    `speaker` says who answered; `author` is the name of an agent who did. `flows_completed`: how many flows came to their end in it.
    """

    __tablename__ = "turns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("tenant_id", "conversation_id", "number"),
        UniqueConstraint("tenant_id", "conversation_id", "idempotency_key"),
        Index(None, "tenant_id", "started_at"),
    )

    conversation_id: str = Field(sa_type=PlainText)
    number: int
    message_id: str | None = Field(default=None, sa_type=PlainText)
    idempotency_key: str | None = Field(default=None, sa_type=PlainText)
    request_hash: str | None = Field(default=None, sa_type=PlainText)
    user_text: str | None = Field(default=None, sa_type=PlainText)
    reply: dict[str, Any] | None = Field(default=None, sa_type=JsonText)
    action: str = Field(sa_type=PlainText)
    trace: Any = Field(default=None, sa_type=JsonText, nullable=True)
    started_at: datetime = Field(sa_type=UtcDateTime)
    duration_ms: float = 0.0
    speaker: str = Field(default="bot", sa_type=PlainText)
    author: str | None = Field(default=None, sa_type=PlainText)
    flows_completed: int = 0


class HandOffRow(_Owned, table=True):
    """One time that a conversation was a person's affair, from the queue to its end. A conversation has one at a time.

    `version` grows by one with every change of who has it. `for_agent`: only this agent is to take it for now.
    `unanswered_since`: from when on the customer waits for an answer; None: the agent spoke last. `contact` is encrypted.
    `learned_at`: when the bot learned from what the agent answered; None: it did not, or has yet to.
    """

    __tablename__ = "hand_offs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
        ),
        Index(
            "uq_hand_offs_open",
            "tenant_id",
            "conversation_id",
            unique=True,
            sqlite_where=text("status <> 'closed'"),
            postgresql_where=text("status <> 'closed'"),
        ),
        Index(None, "tenant_id", "status", "queued_at"),
        Index(None, "tenant_id", "queued_at"),
        Index(None, "tenant_id", "conversation_id", "queued_at"),
        Index(None, "status"),
        Index(None, "outcome", "learned_at"),
    )

    conversation_id: str = Field(sa_type=PlainText)
    user_id: str = Field(sa_type=PlainText)
    status: str = Field(default="queued", sa_type=PlainText)
    reason: str = Field(default="", sa_type=PlainText)
    summary: str = Field(default="", sa_type=PlainText)
    context: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    queued_at: datetime = Field(sa_type=UtcDateTime)
    waiting_since: datetime = Field(sa_type=UtcDateTime)
    first_claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    agent_id: str | None = Field(default=None, sa_type=PlainText)
    agent_name: str = Field(default="", sa_type=PlainText)
    for_agent: str | None = Field(default=None, sa_type=PlainText)
    first_reply_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    unanswered_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = Field(default=None, sa_type=PlainText)
    label: str | None = Field(default=None, sa_type=PlainText)
    contact: bytes | None = None
    learned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    version: int = 0


class HandOffEventRow(_Owned, table=True):
    """What happened to a hand-off, and what agents noted for one another; customers see none of it."""

    __tablename__ = "hand_off_events"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "hand_off_id"], ["hand_offs.tenant_id", "hand_offs.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "hand_off_id", "at"),
    )

    hand_off_id: str = Field(sa_type=PlainText)
    kind: str = Field(sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    agent_id: str | None = Field(default=None, sa_type=PlainText)
    agent_name: str = Field(default="", sa_type=PlainText)
    text: str = Field(default="", sa_type=PlainText)


class AgentRow(_Owned, table=True):
    """A person who answers for the bot, and when they were last seen. `state`: online, or away."""

    __tablename__ = "agents"

    name: str = Field(default="", sa_type=PlainText)
    state: str = Field(default="online", sa_type=PlainText)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class DecisionRow(_Owned, table=True):
    """A `Decision` payload, and the turn that it belongs to where there is one."""

    __tablename__ = "decisions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "turn_id"], ["turns.tenant_id", "turns.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "turn_id"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "task", "at"),
        Index(None, "tenant_id", "at"),
    )

    turn_id: str | None = Field(default=None, sa_type=PlainText)
    kind: str = Field(sa_type=PlainText)
    task: str = Field(sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    input: str = Field(default="", sa_type=PlainText)
    user_id: str | None = Field(default=None, sa_type=PlainText)
    candidates: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonText)
    chosen: list[str] = Field(default_factory=list, sa_type=JsonText)
    label: str | None = Field(default=None, sa_type=PlainText)
    confidence: float | None = None
    answer: str | None = Field(default=None, sa_type=PlainText)
    model_versions: dict[str, str] = Field(default_factory=dict, sa_type=JsonText)
    filters: dict[str, Any] | None = Field(default=None, sa_type=JsonText)


class FeedbackRow(_Owned, table=True):
    """A `Feedback` payload, the request that brought it, and the rewards that came of it (None: not scored yet)."""

    __tablename__ = "feedback"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "decision_id"], ["decisions.tenant_id", "decisions.id"], ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "idempotency_key"),
        Index(None, "tenant_id", "decision_id"),
        Index(None, "tenant_id", "user_id", "at"),
        Index(None, "tenant_id", "at"),
    )

    decision_id: str = Field(sa_type=PlainText)
    kind: str = Field(sa_type=PlainText)
    value: Any = Field(default=None, sa_type=JsonText, nullable=True)
    user_id: str = Field(sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    role: str = Field(default="customer", sa_type=PlainText)
    about: str = Field(default="whole", sa_type=PlainText)
    index: int | None = None
    idempotency_key: str | None = Field(default=None, sa_type=PlainText)
    request_hash: str | None = Field(default=None, sa_type=PlainText)
    rewards: list[dict[str, Any]] | None = Field(default=None, sa_type=JsonText)


class ExampleRow(_Owned, table=True):
    """An `Example` payload. `held_back`: never trained on, the gate's own; `active`: no later correction contradicts it.

    `taken_back_at`: when it became inactive since whoever gave it is not trusted any more, which is news for other processes.
    `subject_id` is whose words it holds, where a decision says so: an agent's correction is the agent's, of a customer's text. Of what
    was loaded from a file, `imported_at` says when, and `origin` what its source was where the file came from.
    """

    __tablename__ = "examples"
    __table_args__ = (
        Index(None, "tenant_id", "task", "active", "at", "id"),
        Index(None, "tenant_id", "user_id", "task"),
        Index(None, "tenant_id", "decision_id"),
        Index(None, "tenant_id", "subject_id"),
        Index(None, "tenant_id", "task", "imported_at"),
        Index(None, "tenant_id", "taken_back_at"),
    )

    task: str = Field(sa_type=PlainText)
    text: str = Field(sa_type=PlainText)
    label: str | None = Field(default=None, sa_type=PlainText)
    other: str | None = Field(default=None, sa_type=PlainText)
    target: Any = Field(default=None, sa_type=JsonText, nullable=True)
    polarity: str = Field(default="positive", sa_type=PlainText)
    weight: float = 1.0
    source: str = Field(default="", sa_type=PlainText)
    decision_id: str | None = Field(default=None, sa_type=PlainText)
    user_id: str | None = Field(default=None, sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    held_back: bool = False
    active: bool = True
    subject_id: str | None = Field(default=None, sa_type=PlainText)
    imported_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    origin: str | None = Field(default=None, sa_type=PlainText)
    taken_back_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ModelVersion(_Owned, table=True):
    """One fitted model of one task, with its lineage. At most one version of a task is live.

    `erased_at`: since then, examples that it was trained on are erased, so that a clean one is to take its place.
    """

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "task", "number"),
        ForeignKeyConstraint(["tenant_id", "parent_id"], ["model_versions.tenant_id", "model_versions.id"]),
        Index(
            "uq_model_versions_live",
            "tenant_id",
            "task",
            unique=True,
            sqlite_where=text("state = 'live'"),
            postgresql_where=text("state = 'live'"),
        ),
    )

    task: str = Field(sa_type=PlainText)
    number: int
    state: str = Field(default="candidate", sa_type=PlainText)
    artefact: str = Field(sa_type=PlainText)
    sha256: str = Field(sa_type=PlainText)
    base_hash: str = Field(default="", sa_type=PlainText)
    data_fingerprint: str = Field(default="", sa_type=PlainText)
    code_version: str = Field(default="", sa_type=PlainText)
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    seed: int = 0
    metrics: dict[str, float] = Field(default_factory=dict, sa_type=JsonText)
    parent_id: str | None = Field(default=None, sa_type=PlainText)
    created_at: datetime = Field(sa_type=UtcDateTime)
    promoted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    erased_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class VersionExamples(_Record, table=True):
    """The ids of the stored examples that a version was trained on, so that erasure finds the versions that it concerns."""

    __tablename__ = "version_examples"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "model_version_id"], ["model_versions.tenant_id", "model_versions.id"], ondelete="CASCADE"
        ),
    )

    tenant_id: str = Field(sa_type=PlainText, primary_key=True)
    model_version_id: str = Field(sa_type=PlainText, primary_key=True)
    example_ids: list[str] = Field(default_factory=list, sa_type=JsonText)


class ErasureRow(_Owned, table=True):
    """That something was erased, without a word of whom: the audit trail, and the news for other processes.

    `example_ids`: what models are to forget; `tasks`: those of which a clean model is wanted; `finished_at`: when no model that was
    trained on these examples was left.
    """

    __tablename__ = "erasures"
    __table_args__ = (Index(None, "at"),)

    at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(sa_type=PlainText)
    by: str = Field(sa_type=PlainText)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=JsonText)
    example_ids: list[str] = Field(default_factory=list, sa_type=JsonText)
    tasks: list[str] = Field(default_factory=list, sa_type=JsonText)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AdaptationRun(_Owned, table=True):
    """One fitting of one task: who has it, until when, how far it is, and what came of it.

    `queue` says which workers may take it. A task of a tenant has one run under way at a time.
    """

    __tablename__ = "adaptation_runs"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "model_version_id"], ["model_versions.tenant_id", "model_versions.id"]),
        Index(None, "tenant_id", "task", "created_at"),
        Index(None, "tenant_id", "started_at"),
        Index(None, "status", "lease_until"),
        Index(
            "uq_adaptation_runs_running",
            "tenant_id",
            "task",
            unique=True,
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
    )

    task: str = Field(sa_type=PlainText)
    status: str = Field(default="queued", sa_type=PlainText)
    queue: str = Field(default="cpu", sa_type=PlainText)
    priority: int = 0
    reason: str = Field(default="", sa_type=PlainText)
    lease_owner: str | None = Field(default=None, sa_type=PlainText)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    heartbeat_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    progress: float = 0.0
    attempts: int = 0
    error: str | None = Field(default=None, sa_type=PlainText)
    checkpoint: str | None = Field(default=None, sa_type=PlainText)
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    model_version_id: str | None = Field(default=None, sa_type=PlainText)


class ScheduleRow(_Owned, table=True):
    """When a schedule, `<plugin>:<name>`, was last kept for a tenant, by whichever worker."""

    __tablename__ = "schedules"

    last_at: datetime = Field(sa_type=UtcDateTime)


class EvaluationRow(_Owned, table=True):
    """What one version scored on one set of examples, and whether the gate let it through."""

    __tablename__ = "evaluations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "model_version_id"], ["model_versions.tenant_id", "model_versions.id"], ondelete="CASCADE"
        ),
        Index(None, "tenant_id", "model_version_id", "created_at"),
    )

    model_version_id: str = Field(sa_type=PlainText)
    data: str = Field(sa_type=PlainText)
    metrics: dict[str, float] = Field(default_factory=dict, sa_type=JsonText)
    correct: dict[str, bool] = Field(default_factory=dict, sa_type=JsonText)
    scores: dict[str, float] = Field(default_factory=dict, sa_type=JsonText)
    verdict: dict[str, Any] | None = Field(default=None, sa_type=JsonText)
    created_at: datetime = Field(sa_type=UtcDateTime)


class ModelTrial(_Owned, table=True):
    """A candidate beside the live version, on real messages: in the shadow (`share` 0: it answers nobody), or as a canary.

    `counts` is what a shadow was seen to do. `outcome`: promoted, rejected, or None while it goes on. A task has one trial at a time.
    """

    __tablename__ = "model_trials"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "model_version_id"], ["model_versions.tenant_id", "model_versions.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["tenant_id", "against_id"], ["model_versions.tenant_id", "model_versions.id"]),
        Index(
            "uq_model_trials_open",
            "tenant_id",
            "task",
            unique=True,
            sqlite_where=text("outcome IS NULL"),
            postgresql_where=text("outcome IS NULL"),
        ),
    )

    task: str = Field(sa_type=PlainText)
    model_version_id: str = Field(sa_type=PlainText)
    against_id: str = Field(sa_type=PlainText)
    share: float = 0.0
    counts: dict[str, float] = Field(default_factory=dict, sa_type=JsonText)
    started_at: datetime = Field(sa_type=UtcDateTime)
    canary_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = Field(default=None, sa_type=PlainText)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ModelDecision(_Owned, table=True):
    """What was decided about a version, by whom (gate, canary, or a person) and why, in words and in figures."""

    __tablename__ = "model_decisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "model_version_id"], ["model_versions.tenant_id", "model_versions.id"], ondelete="CASCADE"
        ),
        Index(None, "tenant_id", "task", "at"),
    )

    task: str = Field(sa_type=PlainText)
    model_version_id: str = Field(sa_type=PlainText)
    action: str = Field(sa_type=PlainText)
    by: str = Field(sa_type=PlainText)
    reason: str = Field(sa_type=PlainText)
    details: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    at: datetime = Field(sa_type=UtcDateTime)


class Item(_Owned, table=True):
    """Something that can be recommended.

    `revision`: of the tenant's items, when this one was last changed. `sha256`: of what the encoder reads; `vector`: float16, of the
    encoder of `encoder_hash`; empty where there was none.
    """

    __tablename__ = "items"
    __table_args__ = (
        Index(None, "tenant_id", "active", "id"),
        Index(None, "tenant_id", "revision"),
        Index(None, "tenant_id", "sha256"),
    )

    title: str = Field(sa_type=PlainText)
    text: str = Field(default="", sa_type=PlainText)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    active: bool = True
    revision: int = 1
    sha256: str = Field(default="", sa_type=PlainText)
    encoder_hash: str = Field(default="", sa_type=PlainText)
    vector: bytes = b""


class ItemsRevision(_Record, table=True):
    """How often a tenant's items changed, and how many were removed: what a process that has them in memory compares before it lists."""

    __tablename__ = "items_revisions"

    tenant_id: str = Field(sa_type=PlainText, primary_key=True, foreign_key="tenants.id", ondelete="CASCADE")
    revision: int
    removed: int


class EventRow(_Owned, table=True):
    """An `Event` payload, where it came from, and its place in the tenant's stream.

    `position`: 1, 2, ... in the order of arrival; readers go by it. `sha256`: of all that was sent, which tells the same from another.
    `status`: new, done, folded (`duplicate_of` says into which), or set_aside where a person must look (with `error`).
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("tenant_id", "position"),
        UniqueConstraint("tenant_id", "sha256"),
        Index(None, "tenant_id", "status", "position"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "session_id"),
        Index(None, "tenant_id", "at"),
        Index(None, "tenant_id", "received_at"),
    )

    kind: str = Field(sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    user_id: str | None = Field(default=None, sa_type=PlainText)
    session_id: str | None = Field(default=None, sa_type=PlainText)
    item_id: str | None = Field(default=None, sa_type=PlainText)
    text: str | None = Field(default=None, sa_type=PlainText)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    source: str = Field(default="", sa_type=PlainText)
    url: str | None = Field(default=None, sa_type=PlainText)
    received_at: datetime = Field(sa_type=UtcDateTime)
    sha256: str = Field(sa_type=PlainText)
    position: int
    duplicate_of: str | None = Field(default=None, sa_type=PlainText)
    status: str = Field(default="new", sa_type=PlainText)
    attempts: int = 0
    error: str | None = Field(default=None, sa_type=PlainText)


class EventStream(_Record, table=True):
    """How far a tenant's stream of events goes, how far it was read, and how far looked through for changes: the last positions."""

    __tablename__ = "event_streams"

    tenant_id: str = Field(sa_type=PlainText, primary_key=True, foreign_key="tenants.id", ondelete="CASCADE")
    written: int
    read: int
    detected: int = 0


class EventBand(_Record, table=True):
    """A band of an event's MinHash signature: events that share one may be near-duplicates."""

    __tablename__ = "event_bands"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "event_id"),
        Index(None, "tenant_id", "received_at"),
    )

    tenant_id: str = Field(sa_type=PlainText, primary_key=True)
    band: int = Field(sa_type=BigInteger, primary_key=True)
    event_id: str = Field(sa_type=PlainText, primary_key=True)
    received_at: datetime = Field(sa_type=UtcDateTime)


class ObservationRow(_Record, table=True):
    """An `Observation` payload: the `number`th that was read from its event."""

    __tablename__ = "observations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "type", "key", "at"),
    )

    tenant_id: str = Field(sa_type=PlainText, primary_key=True)
    event_id: str = Field(sa_type=PlainText, primary_key=True)
    number: int = Field(primary_key=True)
    type: str = Field(sa_type=PlainText)
    key: str = Field(default="", sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    value: Any = Field(default=None, sa_type=JsonText, nullable=True)
    confidence: float = 1.0


class DetectorStateRow(_Record, table=True):
    """A `DetectorState` payload, without what the host says in it."""

    __tablename__ = "detector_states"

    tenant_id: str = Field(sa_type=PlainText, primary_key=True, foreign_key="tenants.id", ondelete="CASCADE")
    key: str = Field(sa_type=PlainText, primary_key=True)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    offset: str | None = Field(default=None, sa_type=PlainText)


class AlertThreshold(_Record, table=True):
    """What a tenant's marks of alerts have added to its threshold, and when the last one was made."""

    __tablename__ = "alert_thresholds"

    tenant_id: str = Field(sa_type=PlainText, primary_key=True, foreign_key="tenants.id", ondelete="CASCADE")
    shift: float
    marks: int
    marked_at: datetime = Field(sa_type=UtcDateTime)


class SourceRow(_Owned, table=True):
    """A feed or folder from which a tenant's events are fetched; its id is their `source`.

    `cursor`: where its plugin goes on. `failures`: how often it could not be reached since it last was; `error` why. `taken`: what became
    of all its documents, by status. `problems`: what could not be used the last time that there was anything new.
    """

    __tablename__ = "sources"
    __table_args__ = (Index(None, "tenant_id", "next_poll_at"),)

    kind: str = Field(sa_type=PlainText)
    location: str = Field(sa_type=PlainText)
    options: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    time_zone: str | None = Field(default=None, sa_type=PlainText)
    every_s: float
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_poll_at: datetime = Field(sa_type=UtcDateTime)
    polled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cursor: str | None = Field(default=None, sa_type=PlainText)
    failures: int = 0
    error: str | None = Field(default=None, sa_type=PlainText)
    taken: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    problems: list[Any] = Field(default_factory=list, sa_type=JsonText)


class AlertRow(_Owned, table=True):
    """An `Alert` payload; `incident` happens once per tenant.

    `part_of`: the incident that it is a part of, and told with; None: it is told itself. `mark`: useful or noise; `marked_shift`: what
    the mark added to the threshold.
    """

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("tenant_id", "incident"), Index(None, "tenant_id", "at"))

    incident: str = Field(sa_type=PlainText)
    title: str = Field(sa_type=PlainText)
    severity: str = Field(sa_type=PlainText)
    at: datetime = Field(sa_type=UtcDateTime)
    key: str = Field(default="", sa_type=PlainText)
    explanation: str = Field(default="", sa_type=PlainText)
    evidence: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonText)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    raised_at: datetime = Field(sa_type=UtcDateTime)
    part_of: str | None = Field(default=None, sa_type=PlainText)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_by: str | None = Field(default=None, sa_type=PlainText)
    mark: str | None = Field(default=None, sa_type=PlainText)
    marked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    marked_by: str | None = Field(default=None, sa_type=PlainText)
    marked_shift: float = 0.0


class AlertRule(_Owned, table=True):
    """What a user wants to be told of: a condition on what is said of a key, see `rejoinder.monitoring.rules`.

    `name`: what people call the key. `holds`: whether the condition held at `looked_at`, the last moment (by the documents' dates) at which
    it was looked at: an alert is raised when it begins to hold.
    """

    __tablename__ = "alert_rules"
    __table_args__ = (Index(None, "tenant_id", "user_id"), Index(None, "tenant_id", "key"))

    user_id: str = Field(sa_type=PlainText)
    key: str = Field(sa_type=PlainText)
    name: str = Field(default="", sa_type=PlainText)
    measure: str = Field(sa_type=PlainText)
    comparison: str = Field(sa_type=PlainText)
    threshold: float
    window_hours: float
    least_documents: int
    holds: bool = False
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class AlertDelivery(_Owned, table=True):
    """The outbox: one alert on its way to one receiver. `status`: pending, delivered or set_aside."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "alert_id"], ["alerts.tenant_id", "alerts.id"], ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "alert_id", "receiver"),
        Index(None, "tenant_id", "status", "next_attempt_at"),
    )

    alert_id: str = Field(sa_type=PlainText)
    receiver: str = Field(sa_type=PlainText)
    status: str = Field(default="pending", sa_type=PlainText)
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UtcDateTime)
    last_error: str | None = Field(default=None, sa_type=PlainText)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Document(_Owned, table=True):
    """A text that answers are found in.

    `sha256`: of all that is searched and shown of it, which tells an unchanged one from a new one; `revision`: the tenant's revision that
    brought this content.
    """

    __tablename__ = "documents"
    __table_args__ = (Index(None, "tenant_id", "source"),)

    source: str = Field(sa_type=PlainText)
    title: str = Field(default="", sa_type=PlainText)
    url: str | None = Field(default=None, sa_type=PlainText)
    text: str = Field(sa_type=PlainText)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonText)
    sha256: str = Field(sa_type=PlainText)
    revision: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class PassageRow(_Record, table=True):
    """A part of a document: characters [`start_char`, `end_char`) of its text.

    `sha256`: of what the encoder reads for it; `vector`: float16, of the encoder of `encoder_hash`; empty where there was none.
    """

    __tablename__ = "passages"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "document_id"], ["documents.tenant_id", "documents.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "sha256"),
    )

    tenant_id: str = Field(sa_type=PlainText, primary_key=True)
    document_id: str = Field(sa_type=PlainText, primary_key=True)
    number: int = Field(primary_key=True)
    start_char: int
    end_char: int
    headings: list[str] = Field(default_factory=list, sa_type=JsonText)
    kind: str = Field(sa_type=PlainText)
    sha256: str = Field(sa_type=PlainText)
    encoder_hash: str = Field(default="", sa_type=PlainText)
    vector: bytes = b""


class DocumentsRevision(_Record, table=True):
    """How often a tenant's documents changed: what a process that has them in memory compares before it answers."""

    __tablename__ = "documents_revisions"

    tenant_id: str = Field(sa_type=PlainText, primary_key=True, foreign_key="tenants.id", ondelete="CASCADE")
    revision: int


class ReviewItem(_Owned, table=True):
    """A question that a person is asked to label; what it says is in its decision. `state`: open, answered or skipped."""

    __tablename__ = "review_items"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "decision_id"], ["decisions.tenant_id", "decisions.id"], ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "decision_id"),
        Index(None, "tenant_id", "picked_at"),
    )

    decision_id: str = Field(sa_type=PlainText)
    picked_at: datetime = Field(sa_type=UtcDateTime)
    state: str = Field(default="open", sa_type=PlainText)
    reviewed_by: str | None = Field(default=None, sa_type=PlainText)
    reviewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class QuestionCluster(_Owned, table=True):
    """Unanswered questions about one thing, proposed as a new intent or answer. `state`: open, accepted or rejected.

    `centroid` is the mean of the questions' vectors, float32, by the encoder with the hash `encoder_hash`: what lies near a rejected one is
    not proposed again. `label` is what it was accepted as; None: as an answer without an intent.
    """

    __tablename__ = "question_clusters"
    __table_args__ = (Index(None, "tenant_id", "state"),)

    title: str = Field(sa_type=PlainText)
    keywords: list[str] = Field(default_factory=list, sa_type=JsonText)
    size: int
    state: str = Field(default="open", sa_type=PlainText)
    found_at: datetime = Field(sa_type=UtcDateTime)
    encoder_hash: str = Field(sa_type=PlainText)
    centroid: bytes
    label: str | None = Field(default=None, sa_type=PlainText)
    decided_by: str | None = Field(default=None, sa_type=PlainText)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class QuestionClusterMember(_Record, table=True):
    """A question of a cluster, `place` 0 the one nearest to its middle; it goes with the decision that holds its text."""

    __tablename__ = "question_cluster_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "cluster_id"], ["question_clusters.tenant_id", "question_clusters.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["tenant_id", "decision_id"], ["decisions.tenant_id", "decisions.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "decision_id"),
    )

    tenant_id: str = Field(sa_type=PlainText, primary_key=True)
    cluster_id: str = Field(sa_type=PlainText, primary_key=True)
    decision_id: str = Field(sa_type=PlainText, primary_key=True)
    place: int


class TopicProposal(_Owned, table=True):
    """Documents of no declared topic that are about one thing, proposed as a new topic. `state`: open, accepted or rejected.

    `event_ids`: the documents, the one nearest to their middle first; of those that are deleted only the ids stay. `centroid` is the mean
    of their vectors, float32, by the encoder with the hash `encoder_hash`: what lies near one that was decided on is not proposed again.
    `topic` is the name that it was accepted as.
    """

    __tablename__ = "topic_proposals"
    __table_args__ = (Index(None, "tenant_id", "state"),)

    title: str = Field(sa_type=PlainText)
    keywords: list[str] = Field(default_factory=list, sa_type=JsonText)
    event_ids: list[str] = Field(default_factory=list, sa_type=JsonText)
    size: int
    state: str = Field(default="open", sa_type=PlainText)
    found_at: datetime = Field(sa_type=UtcDateTime)
    encoder_hash: str = Field(sa_type=PlainText)
    centroid: bytes
    topic: str | None = Field(default=None, sa_type=PlainText)
    decided_by: str | None = Field(default=None, sa_type=PlainText)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
