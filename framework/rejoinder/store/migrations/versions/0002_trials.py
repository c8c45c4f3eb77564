"""Trials of candidates on real messages, what was decided about versions, and scores that are no yes or no."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables and the column."""
    with op.batch_alter_table("evaluations") as evaluations:
        evaluations.add_column(sa.Column("scores", JsonText(), nullable=False, server_default="{}"))
    with op.batch_alter_table("evaluations") as evaluations:
        evaluations.alter_column("scores", server_default=None)
    op.create_table(
        "model_decisions",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("task", PlainText(), nullable=False),
        sa.Column("model_version_id", PlainText(), nullable=False),
        sa.Column("action", PlainText(), nullable=False),
        sa.Column("by", PlainText(), nullable=False),
        sa.Column("reason", PlainText(), nullable=False),
        sa.Column("details", JsonText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_model_decisions_tenant_id_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_model_decisions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_model_decisions")),
    )
    op.create_index(
        op.f("ix_model_decisions_tenant_id_task_at"), "model_decisions", ["tenant_id", "task", "at"], unique=False
    )
    op.create_table(
        "model_trials",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("task", PlainText(), nullable=False),
        sa.Column("model_version_id", PlainText(), nullable=False),
        sa.Column("against_id", PlainText(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("counts", JsonText(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("canary_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", PlainText(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "against_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_model_trials_tenant_id_against_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_model_trials_tenant_id_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_model_trials_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_model_trials")),
    )
    op.create_index(
        "uq_model_trials_open",
        "model_trials",
        ["tenant_id", "task"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )


def downgrade() -> None:
    """Remove the two tables and the column."""
    op.drop_table("model_trials")
    op.drop_table("model_decisions")
    with op.batch_alter_table("evaluations") as evaluations:
        evaluations.drop_column("scores")
