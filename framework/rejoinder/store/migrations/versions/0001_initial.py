"""All tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables, parents before children."""
    op.create_table(
        "tenants",
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("settings", JsonText(), nullable=False),
        sa.Column("plugins", JsonText(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "alerts",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("incident", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("severity", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key", PlainText(), nullable=False),
        sa.Column("explanation", PlainText(), nullable=False),
        sa.Column("evidence", JsonText(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_alerts_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("tenant_id", "incident", name=op.f("uq_alerts_tenant_id_incident")),
    )
    op.create_index(op.f("ix_alerts_tenant_id_at"), "alerts", ["tenant_id", "at"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("tenant_id", PlainText(), nullable=True),
        sa.Column("prefix", PlainText(), nullable=False),
        sa.Column("hash", PlainText(), nullable=False),
        sa.Column("role", PlainText(), nullable=False),
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_index(op.f("ix_api_keys_prefix"), "api_keys", ["prefix"], unique=False)
    op.create_index(op.f("ix_api_keys_tenant_id"), "api_keys", ["tenant_id"], unique=False)
    op.create_table(
        "documents",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("source", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("url", PlainText(), nullable=True),
        sa.Column("text", PlainText(), nullable=False),
        sa.Column("data", JsonText(), nullable=False),
        sa.Column("sha256", PlainText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_documents_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_documents")),
    )
    op.create_index(op.f("ix_documents_tenant_id_source"), "documents", ["tenant_id", "source"], unique=False)
    op.create_table(
        "events",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("user_id", PlainText(), nullable=True),
        sa.Column("item_id", PlainText(), nullable=True),
        sa.Column("text", PlainText(), nullable=True),
        sa.Column("data", JsonText(), nullable=False),
        sa.Column("status", PlainText(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", PlainText(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_events_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_tenant_id_at"), "events", ["tenant_id", "at"], unique=False)
    op.create_index(
        op.f("ix_events_tenant_id_status_at_id"), "events", ["tenant_id", "status", "at", "id"], unique=False
    )
    op.create_index(op.f("ix_events_tenant_id_user_id"), "events", ["tenant_id", "user_id"], unique=False)
    op.create_table(
        "examples",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("task", PlainText(), nullable=False),
        sa.Column("text", PlainText(), nullable=False),
        sa.Column("label", PlainText(), nullable=True),
        sa.Column("other", PlainText(), nullable=True),
        sa.Column("target", JsonText(), nullable=True),
        sa.Column("polarity", PlainText(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("source", PlainText(), nullable=False),
        sa.Column("decision_id", PlainText(), nullable=True),
        sa.Column("user_id", PlainText(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("held_back", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_examples_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_examples")),
    )
    op.create_index(op.f("ix_examples_tenant_id_decision_id"), "examples", ["tenant_id", "decision_id"], unique=False)
    op.create_index(
        op.f("ix_examples_tenant_id_task_active_at_id"),
        "examples",
        ["tenant_id", "task", "active", "at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_examples_tenant_id_user_id_task"), "examples", ["tenant_id", "user_id", "task"], unique=False
    )
    op.create_table(
        "items",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("text", PlainText(), nullable=False),
        sa.Column("data", JsonText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_items_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_items")),
    )
    op.create_index(op.f("ix_items_tenant_id_active_id"), "items", ["tenant_id", "active", "id"], unique=False)
    op.create_table(
        "model_versions",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("task", PlainText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", PlainText(), nullable=False),
        sa.Column("artefact", PlainText(), nullable=False),
        sa.Column("sha256", PlainText(), nullable=False),
        sa.Column("base_hash", PlainText(), nullable=False),
        sa.Column("data_fingerprint", PlainText(), nullable=False),
        sa.Column("code_version", PlainText(), nullable=False),
        sa.Column("settings", JsonText(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("metrics", JsonText(), nullable=False),
        sa.Column("parent_id", PlainText(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("promoted_at", UtcDateTime(), nullable=True),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_model_versions_tenant_id_parent_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_model_versions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_model_versions")),
        sa.UniqueConstraint("tenant_id", "task", "number", name=op.f("uq_model_versions_tenant_id_task_number")),
    )
    op.create_index(
        "uq_model_versions_live",
        "model_versions",
        ["tenant_id", "task"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "users",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("consent", sa.Boolean(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_users")),
    )
    op.create_table(
        "adaptation_runs",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("task", PlainText(), nullable=False),
        sa.Column("status", PlainText(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reason", PlainText(), nullable=False),
        sa.Column("lease_owner", PlainText(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", PlainText(), nullable=True),
        sa.Column("checkpoint", PlainText(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("model_version_id", PlainText(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_adaptation_runs_tenant_id_model_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_adaptation_runs_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_adaptation_runs")),
    )
    op.create_index(
        op.f("ix_adaptation_runs_status_lease_until"), "adaptation_runs", ["status", "lease_until"], unique=False
    )
    op.create_index(
        op.f("ix_adaptation_runs_tenant_id_task_created_at"),
        "adaptation_runs",
        ["tenant_id", "task", "created_at"],
        unique=False,
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("alert_id", PlainText(), nullable=False),
        sa.Column("receiver", PlainText(), nullable=False),
        sa.Column("status", PlainText(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("last_error", PlainText(), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alert_id"],
            ["alerts.tenant_id", "alerts.id"],
            name=op.f("fk_alert_deliveries_tenant_id_alert_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_alert_deliveries_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint(
            "tenant_id", "alert_id", "receiver", name=op.f("uq_alert_deliveries_tenant_id_alert_id_receiver")
        ),
    )
    op.create_index(
        op.f("ix_alert_deliveries_tenant_id_status_next_attempt_at"),
        "alert_deliveries",
        ["tenant_id", "status", "next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "conversations",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("user_id", PlainText(), nullable=False),
        sa.Column("channel", PlainText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("state", JsonText(), nullable=False),
        sa.Column("state_version", sa.Integer(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("mode", PlainText(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_conversations_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_conversations_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_conversations")),
    )
    op.create_index(
        op.f("ix_conversations_tenant_id_mode_updated_at"),
        "conversations",
        ["tenant_id", "mode", "updated_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_conversations_tenant_id_updated_at"), "conversations", ["tenant_id", "updated_at"], unique=False
    )
    op.create_index(
        op.f("ix_conversations_tenant_id_user_id_updated_at"),
        "conversations",
        ["tenant_id", "user_id", "updated_at"],
        unique=False,
    )
    op.create_table(
        "evaluations",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("model_version_id", PlainText(), nullable=False),
        sa.Column("data", PlainText(), nullable=False),
        sa.Column("metrics", JsonText(), nullable=False),
        sa.Column("correct", JsonText(), nullable=False),
        sa.Column("verdict", JsonText(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_evaluations_tenant_id_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_evaluations_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_evaluations")),
    )
    op.create_index(
        op.f("ix_evaluations_tenant_id_model_version_id_created_at"),
        "evaluations",
        ["tenant_id", "model_version_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "secret_slots",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("conversation_id", PlainText(), nullable=False),
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_secret_slots_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "conversation_id", "name", name=op.f("pk_secret_slots")),
    )
    op.create_index(op.f("ix_secret_slots_expires_at"), "secret_slots", ["expires_at"], unique=False)
    op.create_table(
        "turns",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("conversation_id", PlainText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("message_id", PlainText(), nullable=True),
        sa.Column("idempotency_key", PlainText(), nullable=True),
        sa.Column("request_hash", PlainText(), nullable=True),
        sa.Column("user_text", PlainText(), nullable=True),
        sa.Column("reply", JsonText(), nullable=True),
        sa.Column("action", PlainText(), nullable=False),
        sa.Column("trace", JsonText(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.Column("speaker", PlainText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_turns_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_turns_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_turns")),
        sa.UniqueConstraint(
            "tenant_id",
            "conversation_id",
            "idempotency_key",
            name=op.f("uq_turns_tenant_id_conversation_id_idempotency_key"),
        ),
        sa.UniqueConstraint(
            "tenant_id", "conversation_id", "number", name=op.f("uq_turns_tenant_id_conversation_id_number")
        ),
    )
    op.create_index(op.f("ix_turns_tenant_id_started_at"), "turns", ["tenant_id", "started_at"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("turn_id", PlainText(), nullable=True),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("task", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("input", PlainText(), nullable=False),
        sa.Column("user_id", PlainText(), nullable=True),
        sa.Column("candidates", JsonText(), nullable=False),
        sa.Column("chosen", JsonText(), nullable=False),
        sa.Column("label", PlainText(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("answer", PlainText(), nullable=True),
        sa.Column("model_versions", JsonText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "turn_id"],
            ["turns.tenant_id", "turns.id"],
            name=op.f("fk_decisions_tenant_id_turn_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_decisions_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_tenant_id_at"), "decisions", ["tenant_id", "at"], unique=False)
    op.create_index(op.f("ix_decisions_tenant_id_task_at"), "decisions", ["tenant_id", "task", "at"], unique=False)
    op.create_index(op.f("ix_decisions_tenant_id_turn_id"), "decisions", ["tenant_id", "turn_id"], unique=False)
    op.create_index(op.f("ix_decisions_tenant_id_user_id"), "decisions", ["tenant_id", "user_id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("decision_id", PlainText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("value", JsonText(), nullable=True),
        sa.Column("user_id", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("role", PlainText(), nullable=False),
        sa.Column("about", PlainText(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", PlainText(), nullable=True),
        sa.Column("request_hash", PlainText(), nullable=True),
        sa.Column("rewards", JsonText(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decision_id"],
            ["decisions.tenant_id", "decisions.id"],
            name=op.f("fk_feedback_tenant_id_decision_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_feedback_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("uq_feedback_tenant_id_idempotency_key")),
    )
    op.create_index(op.f("ix_feedback_tenant_id_at"), "feedback", ["tenant_id", "at"], unique=False)
    op.create_index(op.f("ix_feedback_tenant_id_decision_id"), "feedback", ["tenant_id", "decision_id"], unique=False)
    op.create_index(op.f("ix_feedback_tenant_id_user_id"), "feedback", ["tenant_id", "user_id"], unique=False)


def downgrade() -> None:
    """Remove all tables, children before parents; their indexes go with them."""
    for table in (
        "feedback",
        "decisions",
        "turns",
        "secret_slots",
        "evaluations",
        "conversations",
        "alert_deliveries",
        "adaptation_runs",
        "users",
        "model_versions",
        "items",
        "examples",
        "events",
        "documents",
        "api_keys",
        "alerts",
        "tenants",
    ):
        op.drop_table(table)
