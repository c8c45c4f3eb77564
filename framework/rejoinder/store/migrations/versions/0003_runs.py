"""Runs by queue, one at a time for each task of a tenant, and when schedules were last kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import PlainText, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make column, indexes and table; runs under way begin again, since two of one task may be among them."""
    op.execute(
        "UPDATE adaptation_runs SET status = 'queued', lease_owner = NULL, lease_until = NULL WHERE status = 'running'"
    )
    with op.batch_alter_table("adaptation_runs") as runs:
        runs.add_column(sa.Column("queue", PlainText(), nullable=False, server_default="cpu"))
    with op.batch_alter_table("adaptation_runs") as runs:
        runs.alter_column("queue", server_default=None)
    op.create_index(
        op.f("ix_adaptation_runs_tenant_id_started_at"), "adaptation_runs", ["tenant_id", "started_at"], unique=False
    )
    op.create_index(
        "uq_adaptation_runs_running",
        "adaptation_runs",
        ["tenant_id", "task"],
        unique=True,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "schedules",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_schedules_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_schedules")),
    )


def downgrade() -> None:
    """Remove table, indexes and column."""
    op.drop_table("schedules")
    op.drop_index("uq_adaptation_runs_running", table_name="adaptation_runs")
    op.drop_index(op.f("ix_adaptation_runs_tenant_id_started_at"), table_name="adaptation_runs")
    with op.batch_alter_table("adaptation_runs") as runs:
        runs.drop_column("queue")
