"""Feeds and folders from which events are fetched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INDEX = "ix_sources_tenant_id_next_poll_at"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sources",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("location", PlainText(), nullable=False),
        sa.Column("options", JsonText(), nullable=False),
        sa.Column("time_zone", PlainText(), nullable=True),
        sa.Column("every_s", sa.Float(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_poll_at", UtcDateTime(), nullable=False),
        sa.Column("polled_at", UtcDateTime(), nullable=True),
        sa.Column("cursor", PlainText(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", PlainText(), nullable=True),
        sa.Column("taken", JsonText(), nullable=False),
        sa.Column("problems", JsonText(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_sources_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sources")),
    )
    op.create_index(op.f(_INDEX), "sources", ["tenant_id", "next_poll_at"], unique=False)


def downgrade() -> None:
    """Remove it."""
    op.drop_index(op.f(_INDEX), table_name="sources")
    op.drop_table("sources")
