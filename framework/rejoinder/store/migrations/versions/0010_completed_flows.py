"""How many flows came to their end in a turn, for reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column; of older turns nothing is known."""
    with op.batch_alter_table("turns") as turns:
        turns.add_column(sa.Column("flows_completed", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Remove it."""
    with op.batch_alter_table("turns") as turns:
        turns.drop_column("flows_completed")
