"""What lists were filtered by, so that what another ranker would have earned in their place can be estimated; events by arrival.

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
    """Add the column, which of lists that are there nobody noted, and the index by which new behaviour is found."""
    op.add_column("decisions", sa.Column("filters", JsonText(), nullable=True))
    op.create_index(op.f("ix_events_tenant_id_received_at"), "events", ["tenant_id", "received_at"], unique=False)


def downgrade() -> None:
    """Remove them."""
    op.drop_index(op.f("ix_events_tenant_id_received_at"), table_name="events")
    with op.batch_alter_table("decisions") as decisions:
        decisions.drop_column("filters")
