"""Where dialogues are run: over the real application in this process, or at a server. Both are talked to over its HTTP API."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.errors import AccessError, InvalidInputError, RejoinderError, StoreUnavailableError
from rejoinder.testing.dialogues.pretended_api import ApiServer, api_server
from rejoinder.testing.dialogues.script import Script

if TYPE_CHECKING:
    import httpx

    from rejoinder.settings import LoadedSettings

__all__ = ["Bot", "bot_at", "bot_inside", "running_bot"]

_TIMEOUT_S = 90.0
_MOST_WARM_UPS = 60
_WARM_UP_PAUSE_S = 0.5
_QUICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Bot:
    """A tenant that can be talked to.

    Attributes:
        key: the headers of somebody who may issue tokens and look at conversations in the tenant.
        api: the pretended API that it calls, if the script has one.
    """

    client: httpx.AsyncClient
    key: Mapping[str, str]
    api: ApiServer | None = None

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        """Return the JSON of an answer.

        Raises:
            AccessError: the key is refused.
            RejoinderError: what the server says went wrong.
            StoreUnavailableError: it does not answer.
        """
        return await _ask(self.client, method, path, self.key if headers is None else headers, body)


@asynccontextmanager
async def running_bot(
    script: Script, *, loaded: LoadedSettings | None = None, url: str | None = None, key: str | None = None
) -> AsyncIterator[Bot]:
    """Start what a script needs: its pretended API, and a tenant with its settings, here or at a server.

    Args:
        loaded: the deployment's settings, where no `url` is given; None: those of the working directory.
        url: of a server that runs; with it, its `key`: an operator's, or that of a tenant, which is then used as it is.
    Raises:
        InvalidInputError: the script wants settings or an API, and the key is a tenant's own.
        RejoinderError: the application cannot be opened, or the server refuses.
    """
    async with AsyncExitStack() as stack:
        api = stack.enter_context(api_server()) if script.api is not None else None
        opened = bot_inside(script, api, loaded) if url is None else bot_at(url, key or "", script, api)
        bot = await stack.enter_async_context(opened)
        await _warm_up(bot)
        yield bot


@asynccontextmanager
async def bot_inside(
    script: Script, api: ApiServer | None = None, loaded: LoadedSettings | None = None
) -> AsyncIterator[Bot]:
    """Open the real application over an empty store of its own, with a tenant as the script wants it. Raises as `running_bot`."""
    import httpx

    from rejoinder.application import Application
    from rejoinder.serving.app import create_app
    from rejoinder.settings import load_settings

    loaded = loaded or load_settings()
    with tempfile.TemporaryDirectory(prefix="rejoinder-dialogues-") as folder:
        async with Application.open(_apart(loaded, Path(folder))) as application:
            app = create_app(application)
            operator = await application.tenants.create_key("operator", tenant=None, name="dialogues")
            transport = httpx.ASGITransport(app=app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://inside", timeout=_TIMEOUT_S) as client,
            ):
                yield await _tenant(client, operator.token, script, api, f"test-{secrets.token_hex(4)}")


@asynccontextmanager
async def bot_at(url: str, key: str, script: Script, api: ApiServer | None = None) -> AsyncIterator[Bot]:
    """Talk to a server. An operator's key makes a tenant for the run, which is disabled at the end. Raises as `running_bot`."""
    import httpx

    try:
        client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S)
    except httpx.InvalidURL as error:
        raise InvalidInputError(f"--url: {url!r} is no URL: {error}") from error
    async with client:
        keyed = {"authorization": f"Bearer {key}"}
        try:
            await _ask(client, "GET", "/v1/tenants", keyed)
        except AccessError:
            if script.settings or api is not None or script.plugins is not None:
                raise InvalidInputError(
                    "the script has `settings`, `plugins` or an `api`: give an operator's key, so that a tenant can be made for it"
                ) from None
            yield Bot(client, keyed)
            return
        tenant = f"test-{secrets.token_hex(4)}"
        bot = await _tenant(client, key, script, api, tenant)
        try:
            yield bot
        finally:
            await _ask(client, "PATCH", f"/v1/tenants/{tenant}", keyed, {"disabled": True})


def _apart(loaded: LoadedSettings, folder: Path) -> LoadedSettings:
    """Return settings with an empty store in a folder, and leave to call this machine, where the pretended API is."""
    settings = loaded.settings
    hosts = (*settings.security.api_hosts, "127.0.0.1")
    changed = {
        "data_dir": folder,
        "store": settings.store.model_copy(update={"url": None}),
        "security": settings.security.model_copy(update={"api_hosts": hosts}),
        "models": settings.models.model_copy(update={"artefacts": None}),
    }
    return replace(loaded, settings=settings.model_copy(update=changed), tenants_dir=folder / "tenants")


async def _tenant(client: httpx.AsyncClient, key: str, script: Script, api: ApiServer | None, tenant: str) -> Bot:
    operator = {"authorization": f"Bearer {key}", "rejoinder-tenant": tenant}
    settings = dict(script.settings)
    if api is not None and script.api is not None:
        settings = _with(settings, script.api.setting.split("."), api.url)
    body = {"id": tenant, "settings": settings, "plugins": list(script.plugins) if script.plugins is not None else None}
    await _ask(client, "POST", "/v1/tenants", {"authorization": f"Bearer {key}"}, body)
    made = await _ask(client, "POST", "/v1/keys", operator, {"role": "admin", "name": "dialogues"})
    return Bot(client, {"authorization": f"Bearer {made['key']}"}, api)


def _with(settings: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Return settings with the value at a path changed."""
    first, *rest = path
    return {**settings, first: _with(settings.get(first, {}), rest, value) if rest else value}


async def _warm_up(bot: Bot) -> None:
    """Talk until models are loaded: the first texts take far longer than all others."""
    issued = await bot.ask("POST", "/v1/tokens", body={"user_id": "dialogues-warm-up"})
    user = {"authorization": f"Bearer {issued['token']}"}
    opened = await bot.ask("POST", "/v1/conversations", user)
    loop = asyncio.get_running_loop()
    for attempt in range(_MOST_WARM_UPS):
        began = loop.time()
        turn = await bot.ask("POST", f"/v1/conversations/{opened['id']}/messages", user, {"text": f"hello {attempt}"})
        story = await bot.ask("GET", f"/v1/conversations/{opened['id']}/turns/{turn['id']}")
        understood = all(call["outcome"] in ("result", "nothing") for call in story["trace"])
        if understood and loop.time() - began < _QUICK_S:
            return
        await asyncio.sleep(_WARM_UP_PAUSE_S)


async def _ask(
    client: httpx.AsyncClient, method: str, path: str, headers: Mapping[str, str], body: Any = None
) -> dict[str, Any]:
    import httpx

    try:
        response = await client.request(method, path, headers=dict(headers), json=body)
    except httpx.TimeoutException as error:
        raise StoreUnavailableError(f"{client.base_url} gave no answer in {_TIMEOUT_S:.0f} s; try again") from error
    except (httpx.TransportError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise StoreUnavailableError(
            f"{client.base_url} cannot be reached: {error}; is `rejoinder serve` running?"
        ) from error
    try:
        told = response.json() if response.content else {}
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise StoreUnavailableError(f"{client.base_url} is no Rejoinder server: it answered {response.status_code}")
    if response.is_success:
        return told
    detail = str(told.get("detail", response.reason_phrase))
    raise (AccessError if response.status_code in (401, 403) else RejoinderError)(f"{method} {path}: {detail}")
