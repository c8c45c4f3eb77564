"""Whose words an example holds and where it came from, what versions were trained on, and erasures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SUBJECTS = """
    UPDATE examples SET subject_id = (
        SELECT user_id FROM decisions WHERE decisions.tenant_id = examples.tenant_id AND decisions.id = examples.decision_id
    ) WHERE decision_id IS NOT NULL
"""
_INDEXES = {
    "ix_examples_tenant_id_subject_id": ["tenant_id", "subject_id"],
    "ix_examples_tenant_id_task_imported_at": ["tenant_id", "task", "imported_at"],
}


def upgrade() -> None:
    """Make columns and tables; what was imported until now came when it says, and says whose words it holds."""
    with op.batch_alter_table("examples") as examples:
        examples.add_column(sa.Column("subject_id", PlainText(), nullable=True))
        examples.add_column(sa.Column("imported_at", UtcDateTime(), nullable=True))
        examples.add_column(sa.Column("origin", PlainText(), nullable=True))
    for name, columns in _INDEXES.items():
        op.create_index(op.f(name), "examples", columns, unique=False)
    op.execute(_SUBJECTS)
    op.execute("UPDATE examples SET imported_at = at WHERE source = 'import'")
    with op.batch_alter_table("model_versions") as versions:
        versions.add_column(sa.Column("erased_at", UtcDateTime(), nullable=True))
    op.create_table(
        "version_examples",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("model_version_id", PlainText(), nullable=False),
        sa.Column("example_ids", JsonText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("fk_version_examples_tenant_id_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "model_version_id", name=op.f("pk_version_examples")),
    )
    op.create_table(
        "erasures",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("id", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", PlainText(), nullable=False),
        sa.Column("by", PlainText(), nullable=False),
        sa.Column("counts", JsonText(), nullable=False),
        sa.Column("example_ids", JsonText(), nullable=False),
        sa.Column("tasks", JsonText(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_erasures_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_at"), "erasures", ["at"], unique=False)


def downgrade() -> None:
    """Remove tables and columns."""
    op.drop_table("erasures")
    op.drop_table("version_examples")
    with op.batch_alter_table("model_versions") as versions:
        versions.drop_column("erased_at")
    for name in _INDEXES:
        op.drop_index(op.f(name), table_name="examples")
    with op.batch_alter_table("examples") as examples:
        for column in ("subject_id", "imported_at", "origin"):
            examples.drop_column(column)
