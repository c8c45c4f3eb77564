"""Passages of documents with their vectors, and the revision of a tenant's documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables and the column."""
    with op.batch_alter_table("documents") as documents:
        documents.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("documents") as documents:
        documents.alter_column("revision", server_default=None)
    op.create_table(
        "passages",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("document_id", PlainText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("start_char", sa.Integer(), nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        sa.Column("headings", JsonText(), nullable=False),
        sa.Column("kind", PlainText(), nullable=False),
        sa.Column("sha256", PlainText(), nullable=False),
        sa.Column("encoder_hash", PlainText(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "document_id"],
            ["documents.tenant_id", "documents.id"],
            name=op.f("fk_passages_tenant_id_document_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "document_id", "number", name=op.f("pk_passages")),
    )
    op.create_index(op.f("ix_passages_tenant_id_sha256"), "passages", ["tenant_id", "sha256"], unique=False)
    op.create_table(
        "documents_revisions",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_documents_revisions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_documents_revisions")),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("documents_revisions")
    op.drop_index(op.f("ix_passages_tenant_id_sha256"), table_name="passages")
    op.drop_table("passages")
    with op.batch_alter_table("documents") as documents:
        documents.drop_column("revision")
