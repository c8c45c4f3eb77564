"""Tenants as the server and the command line use them: one façade over settings, plugins, keys and tokens."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from rejoinder.context import Clock, utc_now
from rejoinder.errors import (
    AccessError,
    AuthenticationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RejoinderError,
    SettingsError,
    did_you_mean,
)
from rejoinder.events.settings import SECTION as EVENTS
from rejoinder.events.settings import TenantEventSettings
from rejoinder.fields import seal_secrets
from rejoinder.handoff.settings import SECTION as HELP_DESK
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.learning.tenant_gate import SECTION as GATE
from rejoinder.learning.tenant_gate import tenant_gate
from rejoinder.monitoring.settings import SECTION as ALERTS
from rejoinder.monitoring.settings import AlertSettings
from rejoinder.payloads import Domain
from rejoinder.privacy.settings import SECTION, PrivacySettings
from rejoinder.settings import LoadedSettings
from rejoinder.store import tenants as tenant_rows
from rejoinder.store.database import Database
from rejoinder.store.tables import Tenant
from rejoinder.tenants.keys import CACHE_S, KeyRecord, Keys, NewKey, is_key
from rejoinder.tenants.principal import Principal
from rejoinder.tenants.secrets import Vault
from rejoinder.tenants.settings import TenantSettings, TenantSettingsResolver
from rejoinder.tenants.tokens import NOT_AUTHENTICATED, IssuedToken, TokenRole, Tokens
from rejoinder.wording import SECTION as WORDING
from rejoinder.wording import WordingSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Checked", "PluginCatalogue", "Tenants", "make_resolver"]

_log = logging.getLogger(__name__)


class PluginCatalogue(Protocol):
    """What must be known of the plugins that are loaded; `rejoinder.host.Host` is one."""

    @property
    def plugin_names(self) -> Collection[str]:
        """Their names."""

    @property
    def settings_models(self) -> Mapping[str, type[BaseModel]]:
        """The settings model of each that has one."""

    @property
    def domains(self) -> Sequence[Domain]:
        """The domains that they bring."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at the settings of tenants found.

    Attributes:
        skipped: by tenant and plugin, why the tenant cannot use the plugin.
        tenants: those that were looked at.
    """

    problems: list[str] = field(default_factory=list)
    skipped: dict[str, dict[str, str]] = field(default_factory=dict)
    tenants: list[str] = field(default_factory=list)


def make_resolver(
    plugins: PluginCatalogue, loaded: LoadedSettings, vault: Vault | None = None
) -> TenantSettingsResolver:
    """Return the resolver of a deployment.

    Raises:
        SettingsError: `[tenant_defaults]` are wrong.
    """
    return TenantSettingsResolver(
        plugins.settings_models,
        plugins.plugin_names,
        defaults=loaded.tenant_defaults,
        folder=loaded.tenants_dir,
        sections={
            SECTION: PrivacySettings,
            GATE: tenant_gate(loaded.settings.gate),
            HELP_DESK: HelpDeskSettings,
            EVENTS: TenantEventSettings,
            ALERTS: AlertSettings,
            WORDING: WordingSettings,
        },
        disabled=loaded.settings.plugins.disabled,
        unseal=(vault or Vault(loaded.settings)).unseal,
        domains=plugins.domains,
    )


class Tenants:
    """All tenants of a deployment.

    Args:
        plugins: the plugins that are loaded; asked for when settings or plugins of a tenant are first needed.
        loaded: the deployment's settings.
        clock: decides what is expired.
        monotonic: decides how old what is cached is, in seconds.
    """

    def __init__(
        self,
        database: Database,
        plugins: PluginCatalogue,
        loaded: LoadedSettings,
        *,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._plugins = plugins
        self._loaded = loaded
        self._clock = clock
        self._monotonic = monotonic
        self._rows: dict[str, tuple[float, Tenant]] = {}
        self._last_good: dict[str, tuple[TenantSettings, str]] = {}
        self._generation = 0
        self.vault = Vault(loaded.settings)
        self.keys = Keys(database, clock=clock, monotonic=monotonic)
        self.tokens = Tokens(self.vault, ttl_s=loaded.settings.security.token_ttl_s, clock=clock)

    @cached_property
    def resolver(self) -> TenantSettingsResolver:
        """Turns a tenant's layers into settings."""
        return make_resolver(self._plugins, self._loaded, self.vault)

    # --- tenants ---------------------------------------------------------------------------------------------------

    async def create(
        self,
        tenant: str,
        *,
        name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        plugins: Sequence[str] | None = None,
    ) -> Tenant:
        """Add a tenant.

        Args:
            tenant: its id: 1 to 63 small letters, digits and inner hyphens.
            name: what people call it; None: its id.
            settings: nested by plugin.
            plugins: the plugins that it has; None: all that are loaded, now and later.
        Raises:
            ConflictError: there is such a tenant.
            InvalidInputError: the id has another form.
            SettingsError: a setting or plugin is wrong; nothing was stored.
        """
        stored: dict[str, Any] = {}
        if settings:
            for plugin, table in settings.items():
                self.resolver.refuse_unknown_table(plugin)
                stored[plugin] = self._seal(tenant, (plugin,), table)
        if settings or plugins is not None:
            for plugin in plugins or ():
                self.resolver.refuse_unknown(plugin)
            self._refuse_change(tenant, ({}, None), (stored, plugins), (), enabling=tuple(plugins or ()))
        return await tenant_rows.create_tenant(
            self._database, tenant, name=name or tenant, settings=stored, plugins=plugins, at=self._clock()
        )

    async def list(self) -> list[Tenant]:
        """Return all tenants by id, disabled ones too."""
        return await tenant_rows.list_tenants(self._database)

    async def get(self, tenant: str) -> Tenant:
        """Return a tenant as it is stored.

        Raises:
            NotFoundError: there is none; the text has the closest one.
        """
        try:
            return await tenant_rows.get_tenant(self._database, tenant)
        except NotFoundError:
            names = [one.id for one in await self.list()]
            raise NotFoundError(f"there is no tenant {tenant!r}.{did_you_mean(tenant, names)}") from None

    async def rename(self, tenant: str, name: str) -> Tenant:
        """Change what people call a tenant.

        Raises:
            NotFoundError: there is no such tenant.
        """
        return await self._update(tenant, name=name)

    async def disable(self, tenant: str, *, disabled: bool = True) -> Tenant:
        """Refuse a tenant's keys and tokens from now on (other processes: within 2 s), or, with False, accept them again.

        Raises:
            NotFoundError: there is no such tenant.
        """
        return await self._update(tenant, disabled=disabled)

    # --- settings --------------------------------------------------------------------------------------------------

    async def resolved(self, tenant: str) -> TenantSettings:
        """Return a tenant's settings, typed and checked. A change takes hold at once here, and in other processes within 2 s.

        When somebody broke the tenant's file while it was served, the settings before go on; the error is logged, and
        `rejoinder settings check` tells it too.

        Raises:
            NotFoundError: there is no such tenant.
            SettingsError: something is wrong, and there are no settings before; the text names every place.
        """
        row = await self._row(tenant)
        try:
            found = self.resolver.resolve(tenant, row.settings, row.plugins)
        except SettingsError as error:
            before = self._last_good.get(tenant)
            if before is None:
                raise
            if before[1] != str(error):
                _log.error("tenant %s keeps the settings it had: %s", tenant, error)  # a text for people
                self._last_good[tenant] = (before[0], str(error))
            return before[0]
        self._last_good[tenant] = (found, "")
        return found

    async def served(self, tenant: str) -> TenantSettings:
        """Return the settings of a tenant that is not disabled; otherwise as `resolved`.

        Raises:
            NotFoundError: there is no such tenant, or it is disabled.
        """
        if (await self._row(tenant)).disabled:
            raise NotFoundError(f"tenant {tenant!r} is disabled; `rejoinder tenant enable {tenant}` ends that")
        return await self.resolved(tenant)

    async def check(self, tenant: str | None = None) -> Checked:
        """Look at the settings of one tenant or all, and at files of tenants that are not there.

        Raises:
            NotFoundError: there is no such tenant.
        """
        rows = [await self.get(tenant)] if tenant is not None else await self.list()
        found = Checked()
        if tenant is None:
            names = [row.id for row in rows]
            found.problems.extend(
                f"{file}: there is no tenant {file.stem!r}.{did_you_mean(file.stem, names)}"
                for file in self.resolver.files()
                if file.stem not in names
            )
        for row in rows:
            found.tenants.append(row.id)
            try:
                resolved = self.resolver.resolve(row.id, row.settings, row.plugins)
            except RejoinderError as error:
                found.problems.extend(str(error).splitlines())
                continue
            found.problems.extend(self.resolver.problems(row.id, row.settings, row.plugins)[0])
            if resolved.skipped:
                found.skipped[row.id] = dict(resolved.skipped)
        return found

    async def set_setting(self, tenant: str, key: str | tuple[str, ...], value: Any) -> TenantSettings:
        """Store one setting with a tenant. A secret is stored encrypted.

        Args:
            key: `plugin.key`, or `plugin.table.key`; as a tuple of these parts where one may hold a dot.
            value: what JSON can say.
        Raises:
            NotFoundError: there is no such tenant.
            SettingsError: there is no such key, or the value does not fit; nothing was stored.
        """
        path = self._path(key)
        sealed = self._seal(tenant, path, _json_of(path, value))

        def put(stored: dict[str, Any]) -> None:
            _table_at(stored, path[:-1])[path[-1]] = sealed

        return await self._change_settings(tenant, path, put)

    async def add_setting(
        self, tenant: str, path: tuple[str, ...], value: Any, *, beside: Mapping[str, Any]
    ) -> TenantSettings:
        """Store one entry of a table of settings that has none of this name: of several at once, one is first.

        Args:
            path: `(plugin, table, name)`.
            value: what JSON can say, and no secret.
            beside: what the table has beside it where the tenant stores no such table.
        Raises:
            ConflictError: the tenant stores an entry of this name.
            NotFoundError: there is no such tenant.
            SettingsError: there is no such key, or the value does not fit; nothing was stored.
        """
        path = self._path(path)
        value, beside = _json_of(path, value), _json_of(path, dict(beside))

        def put(stored: dict[str, Any]) -> None:
            table = _table_at(stored, path[:-1])
            table |= {} if table else beside
            if path[-1] in table:
                raise ConflictError(f"the tenant has a setting {'.'.join(path)!r} already")
            table[path[-1]] = value

        return await self._change_settings(tenant, path, put)

    async def unset_setting(self, tenant: str, key: str) -> TenantSettings:
        """Remove one stored setting, so that the layers below decide.

        Raises:
            NotFoundError: there is no such tenant, or nothing is stored under this key.
            SettingsError: a plugin that the tenant has would lack a required setting; nothing was changed.
        """
        path = tuple(key.split("."))

        def remove(stored: dict[str, Any]) -> None:
            tables = [stored]
            for part in path[:-1]:
                inner = tables[-1].get(part)
                tables.append(inner if isinstance(inner, dict) else {})
            if path[-1] not in tables[-1]:
                raise NotFoundError(f"tenant {tenant!r} has no stored setting {key!r}; nothing was changed")
            del tables[-1][path[-1]]
            for table, part in zip(reversed(tables[:-1]), reversed(path[:-1]), strict=True):
                if not table[part]:
                    del table[part]

        return await self._change_settings(tenant, path, remove)

    # --- plugins ---------------------------------------------------------------------------------------------------

    async def enable_plugin(self, tenant: str, plugin: str) -> Tenant:
        """Give a tenant a plugin.

        Raises:
            NotFoundError: there is no such tenant.
            SettingsError: there is no such plugin, or a setting that it requires is missing; nothing was changed.
        """
        self.resolver.refuse_unknown(plugin)
        async with self._database.write() as session:
            row = await tenant_rows.get_tenant(session, tenant)
            plugins = None if row.plugins is None else sorted({*row.plugins, plugin})
            self._refuse_change(
                tenant, (row.settings, row.plugins), (row.settings, plugins), (plugin,), enabling=(plugin,)
            )
            row = await tenant_rows.update_tenant(session, tenant, plugins=plugins)
        self._forget(tenant)
        return row

    async def disable_plugin(self, tenant: str, plugin: str) -> Tenant:
        """Take a plugin from a tenant. From then on the tenant has exactly the plugins that are listed with it.

        Raises:
            NotFoundError: there is no such tenant.
            SettingsError: there is no such plugin.
        """
        async with self._database.write() as session:
            row = await tenant_rows.get_tenant(session, tenant)
            if plugin not in (row.plugins or ()):
                self.resolver.refuse_unknown(plugin)
            have = self.resolver.plugin_names if row.plugins is None else row.plugins
            row = await tenant_rows.update_tenant(session, tenant, plugins=sorted(set(have) - {plugin}))
        self._forget(tenant)
        return row

    async def use_all_plugins(self, tenant: str) -> Tenant:
        """Give a tenant all plugins of the deployment, now and later.

        Raises:
            NotFoundError: there is no such tenant.
        """
        return await self._update(tenant, default_plugins=True)

    # --- keys and tokens -------------------------------------------------------------------------------------------

    async def create_key(
        self, role: str, *, tenant: str | None, name: str = "", expires_at: datetime | None = None
    ) -> NewKey:
        """Make an API key; see `Keys.create`."""
        return await self.keys.create(role, tenant=tenant, name=name, expires_at=expires_at)

    async def list_keys(self, tenant: str | None) -> Sequence[KeyRecord]:
        """Return a tenant's keys (None: the operators'), oldest first."""
        return await self.keys.list(tenant)

    async def revoke_key(self, key_id: str, *, tenant: str | None) -> KeyRecord:
        """Make a key and the tokens that it issued worthless; see `Keys.revoke`."""
        return await self.keys.revoke(key_id, tenant=tenant)

    async def issue_token(
        self,
        issuer: Principal,
        user_id: str,
        *,
        tenant: str | None = None,
        locale: str = "en",
        time_zone: str = "UTC",
        ttl_s: int | None = None,
        role: TokenRole = "customer",
        name: str = "",
    ) -> IssuedToken:
        """Make a token for an end user, or an agent; see `Tokens.issue`.

        Raises:
            AccessError: the issuer may not, or the tenant is disabled.
            InvalidInputError: an argument cannot be used.
            NotFoundError: an operator named a tenant that is not there.
        """
        issued = self.tokens.issue(
            issuer, user_id, tenant=tenant, locale=locale, time_zone=time_zone, ttl_s=ttl_s, role=role, name=name
        )
        named = tenant or issuer.tenant
        if named is not None and (await self._row(named)).disabled:
            raise AccessError(f"tenant {named!r} is disabled")
        return issued

    async def authenticate(self, credential: str, *, tenant: str | None = None) -> Principal:
        """Return whose API key or user's token this is.

        Args:
            tenant: the tenant that the request is for, when it names one; operators reach every tenant.
        Raises:
            AuthenticationError: it is unknown, expired, revoked, tampered with, or of another or a disabled tenant; the text does
                not tell which.
        """
        if is_key(credential):
            principal = await self.keys.authenticate(credential)
            if tenant is not None and principal.tenant not in (None, tenant):
                raise AuthenticationError(NOT_AUTHENTICATED)
            return principal
        principal = self.tokens.verify(credential, tenant=tenant)
        await self.keys.refuse_revoked(principal.key_id, principal.tenant or "")
        return principal

    # --- within ----------------------------------------------------------------------------------------------------

    async def _row(self, tenant: str) -> Tenant:
        until, row = self._rows.get(tenant, (0.0, None))
        if row is not None and until > self._monotonic():
            return row
        generation, started = self._generation, self._monotonic()
        row = await self.get(tenant)
        if generation == self._generation:
            self._rows[tenant] = (started + CACHE_S, row)
        return row

    async def _update(self, tenant: str, **changes: Any) -> Tenant:
        row = await tenant_rows.update_tenant(self._database, tenant, **changes)
        self._forget(tenant)
        return row

    def _forget(self, tenant: str) -> None:
        self._generation += 1
        self._rows.pop(tenant, None)
        self._last_good.pop(tenant, None)
        self.keys.forget()

    async def _change_settings(
        self, tenant: str, path: tuple[str, ...], change: Callable[[dict[str, Any]], None]
    ) -> TenantSettings:
        async with self._database.write() as session:
            row = await tenant_rows.get_tenant(session, tenant)
            stored = copy.deepcopy(dict(row.settings))
            change(stored)
            self._refuse_change(tenant, (row.settings, row.plugins), (stored, row.plugins), path)
            await tenant_rows.update_tenant(session, tenant, settings=stored)
        self._forget(tenant)
        return await self.resolved(tenant)

    def _refuse_change(
        self,
        tenant: str,
        before: tuple[Mapping[str, Any], Sequence[str] | None],
        after: tuple[Mapping[str, Any], Sequence[str] | None],
        path: tuple[str, ...],
        *,
        enabling: Collection[str] = (),
    ) -> None:
        """Refuse a change that would make something wrong or a plugin unusable. What was wrong before and has nothing to do with
        the change is no hindrance: otherwise two mistakes could never be mended."""
        was, was_skipped = self.resolver.problems(tenant, *before)
        wrong, skipped = self.resolver.problems(tenant, *after)
        key = ".".join(path)
        refused = [text for text in wrong if text not in was or (key and f": {key}" in text)]
        refused += [why for plugin, why in skipped.items() if plugin in enabling or plugin not in was_skipped]
        if refused:
            raise SettingsError("\n".join(refused))

    def _path(self, key: str | tuple[str, ...]) -> tuple[str, ...]:
        path = key if isinstance(key, tuple) else tuple(key.split("."))
        plugin = path[0]
        self.resolver.refuse_unknown_table(plugin)
        if plugin not in self.resolver.models:
            raise SettingsError(f"the plugin {plugin!r} has no settings")
        if len(path) < 2 or not all(path):
            raise SettingsError(f"{'.'.join(path)!r} names no setting; write {plugin}.<key>")
        return path

    def _seal(self, tenant: str, path: tuple[str, ...], value: Any) -> Any:
        """Encrypt what is secret of a value that is to be stored under a path."""
        model = self.resolver.models.get(path[0])
        if model is None:
            return value
        return seal_secrets(model, path[1:], value, lambda secret: self.vault.seal(secret, tenant))


def _json_of(path: tuple[str, ...], value: Any) -> Any:
    try:
        return orjson.loads(orjson.dumps(value))
    except (TypeError, ValueError):
        what = type(value).__name__
        raise InvalidInputError(f"{'.'.join(path)}: got {what}, expected what JSON can say") from None


def _table_at(stored: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return a table within stored settings; what is no table yet becomes one."""
    for part in path:
        if not isinstance(stored.get(part), dict):
            stored[part] = {}
        stored = stored[part]
    return stored
