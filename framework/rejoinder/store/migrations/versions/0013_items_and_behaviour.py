"""Items that a process can keep up to date in memory, with their vectors; events of a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import PlainText

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ITEMS_INDEX = "ix_items_tenant_id_revision"
_SUM_INDEX = "ix_items_tenant_id_sha256"
_EVENTS_INDEX = "ix_events_tenant_id_session_id"


def upgrade() -> None:
    """Add the columns; items that are there are the first revision."""
    op.create_table(
        "items_revisions",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_items_revisions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_items_revisions")),
    )
    op.execute("INSERT INTO items_revisions SELECT DISTINCT tenant_id, 1, 0 FROM items")
    with op.batch_alter_table("items") as items:
        items.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
        items.add_column(sa.Column("sha256", PlainText(), nullable=False, server_default=""))
        items.add_column(sa.Column("encoder_hash", PlainText(), nullable=False, server_default=""))
        items.add_column(sa.Column("vector", sa.LargeBinary(), nullable=True))
    op.execute(sa.text("UPDATE items SET vector = :none").bindparams(sa.bindparam("none", b"", sa.LargeBinary())))
    with op.batch_alter_table("items") as items:
        for name, kind in (("revision", sa.Integer()), ("sha256", PlainText()), ("encoder_hash", PlainText())):
            items.alter_column(name, existing_type=kind, server_default=None)
        items.alter_column("vector", existing_type=sa.LargeBinary(), nullable=False)
    op.create_index(op.f(_ITEMS_INDEX), "items", ["tenant_id", "revision"], unique=False)
    op.create_index(op.f(_SUM_INDEX), "items", ["tenant_id", "sha256"], unique=False)
    op.add_column("events", sa.Column("session_id", PlainText(), nullable=True))
    op.create_index(op.f(_EVENTS_INDEX), "events", ["tenant_id", "session_id"], unique=False)


def downgrade() -> None:
    """Remove them."""
    op.drop_index(op.f(_EVENTS_INDEX), table_name="events")
    with op.batch_alter_table("events") as events:
        events.drop_column("session_id")
    op.drop_index(op.f(_SUM_INDEX), table_name="items")
    op.drop_index(op.f(_ITEMS_INDEX), table_name="items")
    with op.batch_alter_table("items") as items:
        for name in ("vector", "encoder_hash", "sha256", "revision"):
            items.drop_column(name)
    op.drop_table("items_revisions")
