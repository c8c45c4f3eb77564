"""A tenant's stream as hooks see it: trends, documents, alerts and rules, of this tenant only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Final

from rejoinder.handoff.hours import time_zone_of
from rejoinder.handoff.settings import help_desk_of
from rejoinder.monitoring.settings import alerts_of
from rejoinder.monitoring.trends import BucketKind, Trends, make_trends
from rejoinder.store.alert_rules import add_alert_rule, list_alert_rules, remove_alert_rule
from rejoinder.store.alerts import acknowledge_alert, get_alert_row, list_alert_rows
from rejoinder.store.tables import AlertRow, AlertRule
from rejoinder.store.trends import Document, Stretch, busiest_keys, documents_about, topics_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rejoinder.monitoring.rules import Condition
    from rejoinder.store.database import Database

__all__ = ["TenantMonitoring"]

_MOST_RULES: Final = 1000


class TenantMonitoring:
    """What was observed in one tenant's stream, and what came of it; every method raises StoreUnavailableError where the store is away.

    Args:
        settings: the tenant's, by table.
    """

    def __init__(self, database: Database, tenant: str, settings: Mapping[str, object]) -> None:
        self._database = database
        self._settings = settings
        self.tenant = tenant

    @property
    def time_zone(self) -> tzinfo:
        """The tenant's time zone, `help_desk.time_zone`: whose days and weeks are meant."""
        return time_zone_of(self.time_zone_name)

    @property
    def time_zone_name(self) -> str:
        """The name of the tenant's time zone in the IANA database."""
        return help_desk_of(self._settings).time_zone

    @property
    def receivers(self) -> tuple[str, ...]:
        """Who gets this tenant's alerts, beside the event stream."""
        return alerts_of(self._settings).receivers

    async def keys(self, kind: str, stretch: Stretch, *, limit: int) -> list[str]:
        """Return the keys of observations of a type that most documents of a stretch have, most frequent first."""
        return await busiest_keys(self._database, self.tenant, kind, stretch, limit=limit)

    async def trends(self, kind: str, keys: Sequence[str], stretch: Stretch, bucket: BucketKind) -> Trends:
        """Return the trends of keys in exactly this stretch; the first bucket may begin before it.

        Raises:
            InvalidInputError: see `rejoinder.monitoring.trends.make_trends`.
        """
        return await make_trends(
            self._database,
            self.tenant,
            kind=kind,
            keys=keys,
            start=stretch.start,
            end=stretch.end,
            as_of=stretch.as_of,
            bucket=bucket,
            time_zone=self.time_zone_name,
        )

    async def documents(self, kind: str, key: str, stretch: Stretch) -> list[Document]:
        """Return the documents of a stretch in which a key was observed, oldest first."""
        return await documents_about(self._database, self.tenant, kind, key, stretch)

    async def counts_in(self, kind: str, documents: Sequence[Document]) -> dict[str, int]:
        """Return in how many of these documents each key of a type was observed."""
        return await topics_of(self._database, self.tenant, kind, [one.id for one in documents])

    async def alerts(self, *, key: str | None = None, open_only: bool = False, limit: int = 100) -> list[AlertRow]:
        """Return alerts, newest first, those left out that are parts of others; `open_only`: those that nobody sees to."""
        return await list_alert_rows(
            self._database, self.tenant, key=key, open_only=open_only, whole_only=True, limit=limit
        )

    async def alert(self, alert_id: str) -> AlertRow:
        """Return an alert.

        Raises:
            NotFoundError: the tenant has no such alert.
        """
        return await get_alert_row(self._database, self.tenant, alert_id)

    async def acknowledge(self, alert_id: str, *, by: str, at: datetime) -> AlertRow:
        """Note that somebody sees to an alert, and return it; who did so first stays noted.

        Raises:
            NotFoundError: the tenant has no such alert.
        """
        await acknowledge_alert(self._database, self.tenant, alert_id, by=by, at=at)
        return await get_alert_row(self._database, self.tenant, alert_id)

    async def rules(self, user_id: str) -> list[AlertRule]:
        """Return the rules of a user, oldest first."""
        return await list_alert_rules(self._database, self.tenant, user_id=user_id, limit=_MOST_RULES)

    async def add_rule(
        self, rule_id: str, user_id: str, key: str, name: str, condition: Condition, *, at: datetime
    ) -> AlertRule:
        """Keep a rule of a user; one with an id that is known changes nothing.

        Raises:
            ConflictError: the user has as many rules as the tenant's `alerts.rules_per_user` allows.
        """
        return await add_alert_rule(
            self._database,
            self.tenant,
            rule_id=rule_id,
            user_id=user_id,
            key=key,
            name=name,
            condition=condition.model_dump(),
            at=at,
            most=alerts_of(self._settings).rules_per_user,
        )

    async def remove_rule(self, rule_id: str, user_id: str) -> None:
        """Remove a rule of a user.

        Raises:
            NotFoundError: the user has no such rule.
        """
        await remove_alert_rule(self._database, self.tenant, rule_id, user_id=user_id)
