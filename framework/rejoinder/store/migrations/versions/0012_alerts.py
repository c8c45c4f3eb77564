"""Alerts: what detectors remember, what they say in figures, which are told as one, and what people say of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rejoinder.store.columns import JsonText, PlainText, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OPTIONAL = (
    ("part_of", PlainText()),
    ("acknowledged_at", UtcDateTime()),
    ("acknowledged_by", PlainText()),
    ("mark", PlainText()),
    ("marked_at", UtcDateTime()),
    ("marked_by", PlainText()),
)


def upgrade() -> None:
    """Make them. What was read before counts as looked through."""
    op.create_table(
        "detector_states",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("key", PlainText(), nullable=False),
        sa.Column("data", JsonText(), nullable=False),
        sa.Column("offset", PlainText(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_detector_states_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_detector_states")),
    )
    op.create_table(
        "alert_thresholds",
        sa.Column("tenant_id", PlainText(), nullable=False),
        sa.Column("shift", sa.Float(), nullable=False),
        sa.Column("marks", sa.Integer(), nullable=False),
        sa.Column("marked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_alert_thresholds_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_alert_thresholds")),
    )
    with op.batch_alter_table("event_streams") as streams:
        streams.add_column(sa.Column("detected", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE event_streams SET detected = read")
    with op.batch_alter_table("event_streams") as streams:
        streams.alter_column("detected", existing_type=sa.Integer(), server_default=None)
    with op.batch_alter_table("alerts") as alerts:
        for name, kind in _OPTIONAL:
            alerts.add_column(sa.Column(name, kind, nullable=True))
        alerts.add_column(sa.Column("data", JsonText(), nullable=False, server_default="{}"))
        alerts.add_column(sa.Column("raised_at", UtcDateTime(), nullable=True))
        alerts.add_column(sa.Column("marked_shift", sa.Float(), nullable=False, server_default="0"))
    op.execute("UPDATE alerts SET raised_at = at")
    with op.batch_alter_table("alerts") as alerts:
        alerts.alter_column("raised_at", existing_type=UtcDateTime(), nullable=False)
        alerts.alter_column("data", existing_type=JsonText(), server_default=None)
        alerts.alter_column("marked_shift", existing_type=sa.Float(), server_default=None)


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("alerts") as alerts:
        for name in ("marked_shift", "raised_at", "data", *(name for name, _ in reversed(_OPTIONAL))):
            alerts.drop_column(name)
    with op.batch_alter_table("event_streams") as streams:
        streams.drop_column("detected")
    op.drop_table("alert_thresholds")
    op.drop_table("detector_states")
