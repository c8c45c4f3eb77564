"""Rules by which users want to be told of what is said of a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import PlainText, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEXES = ("user_id", "key")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "alert_rules",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("user_id", PlainText(), nullable=False),
        sa.Column("key", PlainText(), nullable=False),
        sa.Column("name", PlainText(), nullable=False),
        sa.Column("measure", PlainText(), nullable=False),
        sa.Column("comparison", PlainText(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("window_hours", sa.Float(), nullable=False),
        sa.Column("least_documents", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_alert_rules_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert_rules")),
    )
    for column in _INDEXES:
        op.create_index(op.f(f"ix_alert_rules_tenant_id_{column}"), "alert_rules", ["tenant_id", column], unique=False)


def downgrade() -> None:
    """Remove it."""
    for column in reversed(_INDEXES):
        op.drop_index(op.f(f"ix_alert_rules_tenant_id_{column}"), table_name="alert_rules")
    op.drop_table("alert_rules")
