"""Events as a stream: where each came from, its place, how far it was read, near-duplicates, and what was observed in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OLD_INDEX = "ix_events_tenant_id_status_at_id"
_NEW_INDEX = "ix_events_tenant_id_status_position"

_NUMBER = """
    UPDATE events SET position = numbered.position, received_at = events.at, sha256 = events.id
    FROM (
        SELECT tenant_id, id, row_number() OVER (
            PARTITION BY tenant_id ORDER BY CASE WHEN status = 'new' THEN 1 ELSE 0 END, at, id
        ) AS position FROM events
    ) AS numbered
    WHERE numbered.tenant_id = events.tenant_id AND numbered.id = events.id
"""
"""Those that were read come first, so that one number says how far."""

_STREAMS = """
    INSERT INTO event_streams (tenant_id, written, read)
    SELECT tenant_id, count(*), sum(CASE WHEN status = 'new' THEN 0 ELSE 1 END) FROM events GROUP BY tenant_id
"""


def upgrade() -> None:
    """Make the columns, number the events that are there, and make the tables."""
    op.create_table(
        "event_streams",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_event_streams_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_event_streams")),
    )
    op.drop_index(op.f(_OLD_INDEX), table_name="events")
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("source", PlainText(), nullable=False, server_default=""))
        events.add_column(sa.Column("url", PlainText(), nullable=True))
        events.add_column(sa.Column("received_at", UtcDateTime(), nullable=True))
        events.add_column(sa.Column("sha256", PlainText(), nullable=True))
        events.add_column(sa.Column("position", sa.Integer(), nullable=True))
        events.add_column(sa.Column("duplicate_of", PlainText(), nullable=True))
    op.execute(_NUMBER)
    op.execute(_STREAMS)
    with op.batch_alter_table("events") as events:
        events.alter_column("source", server_default=None)
        for name, kind in (("received_at", UtcDateTime()), ("sha256", PlainText()), ("position", sa.Integer())):
            events.alter_column(name, existing_type=kind, nullable=False)
        events.create_unique_constraint(op.f("uq_events_tenant_id_position"), ["tenant_id", "position"])
        events.create_unique_constraint(op.f("uq_events_tenant_id_sha256"), ["tenant_id", "sha256"])
    op.create_index(op.f(_NEW_INDEX), "events", ["tenant_id", "status", "position"], unique=False)
    op.create_table(
        "event_bands",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("band", sa.BigInteger(), nullable=False),
        sa.Column("event_id", PlainText(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_id"],
            ["events.tenant_id", "events.id"],
            name=op.f("fk_event_bands_tenant_id_event_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "band", "event_id", name=op.f("pk_event_bands")),
    )
    op.create_index(op.f("ix_event_bands_tenant_id_event_id"), "event_bands", ["tenant_id", "event_id"], unique=False)
    op.create_index(
        op.f("ix_event_bands_tenant_id_received_at"), "event_bands", ["tenant_id", "received_at"], unique=False
    )
    op.create_table(
        "observations",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("event_id", PlainText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("type", PlainText(), nullable=False),
        sa.Column("key", PlainText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("value", JsonText(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_id"],
            ["events.tenant_id", "events.id"],
            name=op.f("fk_observations_tenant_id_event_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "event_id", "number", name=op.f("pk_observations")),
    )
    op.create_index(
        op.f("ix_observations_tenant_id_type_key_at"), "observations", ["tenant_id", "type", "key", "at"], unique=False
    )


def downgrade() -> None:
    """Remove them; folded events count as read again."""
    op.drop_index(op.f("ix_observations_tenant_id_type_key_at"), table_name="observations")
    op.drop_table("observations")
    op.drop_index(op.f("ix_event_bands_tenant_id_received_at"), table_name="event_bands")
    op.drop_index(op.f("ix_event_bands_tenant_id_event_id"), table_name="event_bands")
    op.drop_table("event_bands")
    op.execute("UPDATE events SET status = 'done' WHERE status = 'folded'")
    op.drop_index(op.f(_NEW_INDEX), table_name="events")
    with op.batch_alter_table("events") as events:
        events.drop_constraint(op.f("uq_events_tenant_id_sha256"), type_="unique")
        events.drop_constraint(op.f("uq_events_tenant_id_position"), type_="unique")
        for name in ("duplicate_of", "position", "sha256", "received_at", "url", "source"):
            events.drop_column(name)
    op.create_index(op.f(_OLD_INDEX), "events", ["tenant_id", "status", "at", "id"], unique=False)
    op.drop_table("event_streams")
