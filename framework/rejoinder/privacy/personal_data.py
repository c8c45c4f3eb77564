"""All that is stored of a user, to be given to them: records, each of which says what it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import orjson

from rejoinder.context import Clock, utc_now
from rejoinder.handoff.lobby import CONTACT
from rejoinder.host import Host
from rejoinder.privacy.plugin_tables import rows_of
from rejoinder.privacy.sensitive_slots import SLOTS
from rejoinder.store.database import Database
from rejoinder.store.personal_data import KINDS, personal_rows
from rejoinder.store.secret_slots import get_secrets

if TYPE_CHECKING:
    from rejoinder.tenants.secrets import Vault

_PAGE: Final = 200


async def personal_data(
    database: Database, host: Host, vault: Vault, tenant: str, user_id: str, *, clock: Clock = utc_now
) -> AsyncIterator[dict[str, Any]]:
    """Yield `{"record": <what it is>, ...}`: the user, their conversations, turns, decisions, feedback, examples, events and hand-offs,
    then rows of plugins; what is kept encrypted is decrypted. Nothing of somebody unknown."""
    for kind in KINDS:
        after = ""
        while True:
            page = await personal_rows(database, tenant, user_id, kind, after=after, limit=_PAGE)
            for row in page:
                if kind == "conversation":
                    secrets = await get_secrets(database, tenant, row["id"], at=clock())
                    row["sensitive"] = {
                        name: orjson.loads(vault.decrypt(SLOTS, tenant, secret)) for name, secret in secrets.items()
                    }
                elif kind == "hand_off" and row["contact"] is not None:
                    row["contact"] = vault.decrypt(CONTACT, tenant, row["contact"]).decode()
                yield {"record": kind, **row}
            if len(page) < _PAGE:
                break
            after = page[-1]["id"]
    async with database.read() as session:
        for table, row in await rows_of(session, host, tenant, user_id):
            yield {"record": table, **row}
