"""Slot values that redaction would mask: the state holds a placeholder, the raw value is kept encrypted and expires."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from rejoinder.context import Clock, Request, utc_now
from rejoinder.host import Host
from rejoinder.payloads import ConversationState, EffectResult, Entity, Json, Reply, Slot
from rejoinder.store.database import Database
from rejoinder.store.secret_slots import delete_expired_secrets, get_secrets, put_secret
from rejoinder.wire import from_json, to_json

if TYPE_CHECKING:
    from rejoinder.tenants.secrets import Vault

SLOTS = "slots"
"""What the vault is told that slot values are for."""
_HIDDEN = "[HIDDEN]"


class SensitiveSlots:
    """Hides sensitive slot values from the stored state, and gives them back to the next turn.

    Args:
        vault: encrypts, with a key of each tenant's own.
        ttl_s: seconds after which a raw value is gone, > 0.
    """

    def __init__(self, database: Database, host: Host, vault: Vault, *, ttl_s: int, clock: Clock = utc_now) -> None:
        self._database = database
        self._host = host
        self._vault = vault
        self._ttl = timedelta(seconds=ttl_s)
        self._clock = clock

    async def hide(self, before: ConversationState, state: ConversationState, request: Request) -> ConversationState:
        """Return the state as it may be stored; raw values that are new are put away encrypted.

        Raises:
            RedactionError: a value could not be looked at; nothing may be stored.
        """
        slots = {name: await self._hidden(slot, before.slots.get(name), request) for name, slot in state.slots.items()}
        stored = frozenset(before.entities)
        entities = tuple([one if one in stored else await self._masked(one, request) for one in state.entities])
        effects = tuple([await self._without_secrets(result, request) for result in state.effects])
        question = state.question
        if question is not None and question.text:
            secrets = _secrets(state, slots)
            question = replace(question, text=await self._without(secrets, question.text, request))
        return replace(state, slots=slots, entities=entities, effects=effects, question=question)

    async def secrets(
        self, told: Sequence[Slot], raw: ConversationState, hidden: ConversationState, request: Request
    ) -> dict[str, str]:
        """Return what stands in the store for each text that `hide` hid, or that was secret earlier in the turn.

        Args:
            told: the slots as they were before the turn and at any time in it.

        Raises:
            RedactionError: a value could not be looked at; nothing may be stored.
        """
        secrets: dict[str, str] = {}
        for slot in told:
            if slot.name in raw.slots and raw.slots[slot.name].value == slot.value:
                continue
            for text in _texts(slot.value):
                shown = _HIDDEN if slot.sensitive else await self._host.redact_text(text, "store", request)
                if shown != text:
                    secrets[text] = shown
        return secrets | _secrets(raw, hidden.slots)

    async def retold(self, reply: Reply, secrets: Mapping[str, str], request: Request) -> Reply:
        """Return a reply as it may be stored where `hide` had something to hide, or there are secrets: the composer may have said them.

        Elsewhere a reply stays as it is: the numbers in it are the bot's own, such as whom to call.

        Raises:
            RedactionError: it could not be looked at; nothing may be stored.
        """
        return from_json(Reply, await self._without(secrets, to_json(reply), request))

    @staticmethod
    def heard(text: str, secrets: Mapping[str, str]) -> str:
        """Return a redacted message as it may be stored: without the secrets that it told, however these were spaced and capitalised."""
        for secret in sorted(secrets, key=len, reverse=True):
            signs = r"[\s-]*".join(re.escape(sign) for sign in re.sub(r"[\s-]", "", secret))
            if signs:
                shown = secrets[secret].replace("\\", r"\\")
                text = re.sub(rf"(?<!\w){signs}(?!\w)", shown, text, flags=re.IGNORECASE)
        return text

    async def reveal(self, tenant: str, conversation_id: str, state: ConversationState) -> ConversationState:
        """Return the state with raw values again; a slot whose value expired is gone."""
        if not any(slot.sensitive for slot in state.slots.values()):
            return state
        kept = await get_secrets(self._database, tenant, conversation_id, at=self._clock())
        slots = {}
        for name, slot in state.slots.items():
            if not slot.sensitive:
                slots[name] = slot
            elif name in kept:
                slots[name] = replace(slot, value=orjson.loads(self._vault.decrypt(SLOTS, tenant, kept[name])))
        return replace(state, slots=slots)

    async def _hidden(self, slot: Slot, before: Slot | None, request: Request) -> Slot:
        is_fixed = not isinstance(slot.value, list | dict)  # others may have been changed in place
        if slot == before and is_fixed and not slot.sensitive:  # stored like this by an earlier turn
            return slot
        is_text = isinstance(slot.value, str)
        text = slot.value if is_text else orjson.dumps(slot.value).decode()
        shown = await self._host.redact_text(text, "store", request)
        if shown == text and not slot.sensitive:
            return slot
        if before is None or before.value != slot.value:
            await delete_expired_secrets(self._database, request.tenant, at=self._clock())
            await put_secret(
                self._database,
                request.tenant,
                request.session_id or "",
                slot.name,
                ciphertext=self._vault.encrypt(SLOTS, request.tenant, orjson.dumps(slot.value)),
                expires_at=self._clock() + self._ttl,
            )
        return replace(slot, value=shown if is_text and shown != text else _HIDDEN, sensitive=True)

    async def _masked(self, entity: Entity, request: Request) -> Entity:
        return replace(entity, value=await self._host.redact_text(entity.value, "store", request))

    async def _without_secrets(self, result: EffectResult, request: Request) -> EffectResult:
        """Return an effect's result as it may be stored: only this turn's composer sees the whole."""
        value, error = result.value, result.error
        if value is not None:
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            shown = await self._host.redact_text(text, "store", request)
            if shown != text:
                value = shown if isinstance(value, str) else _HIDDEN
        if error is not None:
            error = await self._host.redact_text(error, "store", request)
        return replace(result, value=value, error=error)

    async def _without(self, secrets: Mapping[str, str], value: Json, request: Request) -> Json:
        """Return what JSON can say with no secret in any of its texts; names of fields stay."""
        if isinstance(value, str):
            for secret in sorted(secrets, key=len, reverse=True):
                value = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", secrets[secret].replace("\\", r"\\"), value)
            return await self._host.redact_text(value, "store", request)
        if isinstance(value, list):
            return [await self._without(secrets, one, request) for one in value]
        if isinstance(value, dict):
            return {name: await self._without(secrets, one, request) for name, one in value.items()}
        return value


def _secrets(raw: ConversationState, hidden: Mapping[str, Slot]) -> dict[str, str]:
    """Return what stands in the store for each text of a secret value."""
    return {
        text: str(hidden[name].value)
        for name, slot in raw.slots.items()
        if hidden[name].sensitive
        for text in _texts(slot.value)
    }


def _texts(value: Json) -> Iterator[str]:
    """Yield the texts and numbers in a slot's value, as a reply would repeat them."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif value is not None and not isinstance(value, bool) and str(value).strip():
        yield str(value)
