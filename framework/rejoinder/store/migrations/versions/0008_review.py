"""Questions that people are asked to label, and clusters of unanswered ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "review_items",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("decision_id", PlainText(), nullable=False),
        sa.Column("picked_at", UtcDateTime(), nullable=False),
        sa.Column("state", PlainText(), nullable=False),
        sa.Column("reviewed_by", PlainText(), nullable=True),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_review_items_tenant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decision_id"],
            ["decisions.tenant_id", "decisions.id"],
            name=op.f("fk_review_items_tenant_id_decision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_review_items")),
        sa.UniqueConstraint("tenant_id", "decision_id", name=op.f("uq_review_items_tenant_id_decision_id")),
    )
    op.create_index(op.f("ix_review_items_tenant_id_picked_at"), "review_items", ["tenant_id", "picked_at"])
    op.create_table(
        "question_clusters",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("title", PlainText(), nullable=False),
        sa.Column("keywords", JsonText(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", PlainText(), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("encoder_hash", PlainText(), nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("label", PlainText(), nullable=True),
        sa.Column("decided_by", PlainText(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_question_clusters_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_question_clusters")),
    )
    op.create_index(op.f("ix_question_clusters_tenant_id_state"), "question_clusters", ["tenant_id", "state"])
    op.create_table(
        "question_cluster_members",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("cluster_id", PlainText(), nullable=False),
        sa.Column("decision_id", PlainText(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "cluster_id"],
            ["question_clusters.tenant_id", "question_clusters.id"],
            name=op.f("fk_question_cluster_members_tenant_id_cluster_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decision_id"],
            ["decisions.tenant_id", "decisions.id"],
            name=op.f("fk_question_cluster_members_tenant_id_decision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "cluster_id", "decision_id", name=op.f("pk_question_cluster_members")),
    )
    op.create_index(
        op.f("ix_question_cluster_members_tenant_id_decision_id"),
        "question_cluster_members",
        ["tenant_id", "decision_id"],
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("question_cluster_members")
    op.drop_table("question_clusters")
    op.drop_table("review_items")
