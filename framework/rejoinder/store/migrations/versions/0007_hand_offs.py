"""Hand-offs, what happened to them, agents, and the name of the agent who answered a turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WAITING = """
    INSERT INTO hand_offs (
        tenant_id, id, conversation_id, user_id, status, reason, summary, context, queued_at, waiting_since, agent_name,
        unanswered_since, version
    )
    SELECT tenant_id, 'handoff_' || id, id, user_id, 'queued', 'waited already when hand-offs were introduced', '', '{}',
        updated_at, updated_at, '', updated_at, 0
    FROM conversations WHERE mode <> 'bot'
"""


def upgrade() -> None:
    """Make tables and column; whoever waits for a person already goes on waiting, in the queue."""
    op.add_column("turns", sa.Column("author", PlainText(), nullable=True))
    op.create_table(
        "hand_offs",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("conversation_id", PlainText(), nullable=False),
        sa.Column("user_id", PlainText(), nullable=False),
        sa.Column("status", PlainText(), nullable=False),
        sa.Column("reason", PlainText(), nullable=False),
        sa.Column("summary", PlainText(), nullable=False),
        sa.Column("context", JsonText(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("waiting_since", UtcDateTime(), nullable=False),
        sa.Column("first_claimed_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("agent_id", PlainText(), nullable=True),
        sa.Column("agent_name", PlainText(), nullable=False),
        sa.Column("for_agent", PlainText(), nullable=True),
        sa.Column("first_reply_at", UtcDateTime(), nullable=True),
        sa.Column("unanswered_since", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", PlainText(), nullable=True),
        sa.Column("label", PlainText(), nullable=True),
        sa.Column("contact", sa.LargeBinary(), nullable=True),
        sa.Column("learned_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_hand_offs_tenant_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_hand_offs_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_hand_offs")),
    )
    op.create_index(
        "uq_hand_offs_open",
        "hand_offs",
        ["tenant_id", "conversation_id"],
        unique=True,
        sqlite_where=sa.text("status <> 'closed'"),
        postgresql_where=sa.text("status <> 'closed'"),
    )
    for columns in (
        ["tenant_id", "status", "queued_at"],
        ["tenant_id", "queued_at"],
        ["tenant_id", "conversation_id", "queued_at"],
        ["status"],
        ["outcome", "learned_at"],
    ):
        op.create_index(op.f("ix_hand_offs_" + "_".join(columns)), "hand_offs", columns, unique=False)
    op.create_table(
        "hand_off_events",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("hand_off_id", PlainText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("agent_id", PlainText(), nullable=True),
        sa.Column("agent_name", PlainText(), nullable=False),
        sa.Column("text", PlainText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_hand_off_events_tenant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "hand_off_id"],
            ["hand_offs.tenant_id", "hand_offs.id"],
            name=op.f("fk_hand_off_events_tenant_id_hand_off_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_hand_off_events")),
    )
    op.create_index(
        op.f("ix_hand_off_events_tenant_id_hand_off_id_at"), "hand_off_events", ["tenant_id", "hand_off_id", "at"]
    )
    op.create_table(
        "agents",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("state", PlainText(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_agents_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_agents")),
    )
    op.execute(_WAITING)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("agents")
    op.drop_table("hand_off_events")
    op.drop_table("hand_offs")
    op.drop_column("turns", "author")
