"""What lists were filtered by, so that what another ranker would have earned in their place can be estimated.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of lists that are there nobody noted them."""
    op.add_column("decisions", sa.Column("filters", JsonText(), nullable=True))


def downgrade() -> None:
    """Remove it."""
    with op.batch_alter_table("decisions") as decisions:
        decisions.drop_column("filters")
