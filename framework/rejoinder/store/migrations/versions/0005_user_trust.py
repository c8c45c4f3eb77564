"""How far users' words are trusted, and their feedback by time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OLD = "ix_feedback_tenant_id_user_id"
_NEW = "ix_feedback_tenant_id_user_id_at"


def upgrade() -> None:
    """Make the columns, and the index that counts a user's feedback of a day."""
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("agreed", sa.Float(), nullable=False, server_default="0"))
        users.add_column(sa.Column("disputed", sa.Float(), nullable=False, server_default="0"))
    with op.batch_alter_table("users") as users:
        users.alter_column("agreed", server_default=None)
        users.alter_column("disputed", server_default=None)
    op.drop_index(op.f(_OLD), table_name="feedback")
    op.create_index(op.f(_NEW), "feedback", ["tenant_id", "user_id", "at"], unique=False)


def downgrade() -> None:
    """Remove both."""
    op.drop_index(op.f(_NEW), table_name="feedback")
    op.create_index(op.f(_OLD), "feedback", ["tenant_id", "user_id"], unique=False)
    with op.batch_alter_table("users") as users:
        users.drop_column("disputed")
        users.drop_column("agreed")
