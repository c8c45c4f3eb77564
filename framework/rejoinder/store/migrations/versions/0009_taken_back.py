"""When examples were taken back from learning, for processes that have learned them to hear of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEX = "ix_examples_tenant_id_taken_back_at"


def upgrade() -> None:
    """Make the column and its index."""
    with op.batch_alter_table("examples") as examples:
        examples.add_column(sa.Column("taken_back_at", UtcDateTime(), nullable=True))
    op.create_index(op.f(_INDEX), "examples", ["tenant_id", "taken_back_at"], unique=False)


def downgrade() -> None:
    """Remove both."""
    op.drop_index(op.f(_INDEX), table_name="examples")
    with op.batch_alter_table("examples") as examples:
        examples.drop_column("taken_back_at")
