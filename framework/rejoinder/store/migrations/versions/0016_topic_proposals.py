"""Topic proposals: groups of documents of no declared topic, and what people decided on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "topic_proposals",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("keywords", JsonText(), nullable=False),
        sa.Column("event_ids", JsonText(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", PlainText(), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("encoder_hash", PlainText(), nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("topic", PlainText(), nullable=True),
        sa.Column("decided_by", PlainText(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_topic_proposals_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_topic_proposals")),
    )
    op.create_index(op.f("ix_topic_proposals_tenant_id_state"), "topic_proposals", ["tenant_id", "state"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("topic_proposals")
