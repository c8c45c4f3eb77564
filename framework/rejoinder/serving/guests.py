"""Routes, channels and pages of plugins.

    /v1/plugins/<plugin>/...               routes: the caller needs a key or token, as everywhere
    /v1/plugins/<plugin>/pages/<path>      pages of the console
    /v1/channels/<channel>/<tenant>/...    channels: called by other services, which the channel itself authenticates

A route asks for what it needs by type:

    @router.get("/parcels")
    async def parcels(context: PluginContext) -> list[str]: ...

    @router.post("/incoming")
    async def incoming(channel: ChannelEntry) -> None:
        turn = await channel.say(user_id="u1", text="hello", conversation_id=..., key=...)
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.requests import HTTPConnection

from rejoinder.context import Context
from rejoinder.errors import InvalidInputError, NotFoundError, PluginSpecError
from rejoinder.payloads import Caller, Page
from rejoinder.serving.access import Access, Entry, May
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.problems import ProblemError, responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.pages import PageList

if TYPE_CHECKING:
    from rejoinder.conversation import Turn
    from rejoinder.host import Host

__all__ = ["CHANNELS", "PLUGINS", "ROUTE_S", "ChannelEntry", "Guest", "PluginContext", "mount_guests"]

PLUGINS = "/v1/plugins/"
CHANNELS = "/v1/channels/"
ROUTE_S = 30.0
"""Seconds in which a plugin's route must begin to answer."""
_PAGE_S = 10.0

_CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""A channel's name is part of an address, and of its users' ids, which a colon ends."""
_TAKEN = frozenset({"key", "agent"})
"""What ids of API keys and agents begin with."""

_logger = logging.getLogger("rejoinder.serving")


@dataclass(frozen=True, slots=True)
class Guest:
    """The plugin whose route is called, for which tenant and caller; `channel` is the channel's name, or ""."""

    plugin: str
    tenant: str
    caller: Caller
    channel: str = ""


async def plugin_guest(door: Door, access: Access, path: str) -> Guest:
    """Return the plugin that a path belongs to.

    Raises:
        NotFoundError: the tenant does not have it.
        InvalidInputError: an operator named no tenant.
    """
    plugin = path.removeprefix(PLUGINS).partition("/")[0]
    tenant = access.tenant()
    if plugin not in (await door.application.tenants.resolved(tenant)).plugins:
        raise NotFoundError(f"there is no plugin {plugin!r} here")
    return Guest(plugin, tenant, access.principal.caller())


async def channel_guest(door: Door, path: str) -> Guest:
    """Return the plugin whose channel a path belongs to.

    Raises:
        NotFoundError: there is no such channel or tenant, or the tenant does not have the plugin.
    """
    name, _, rest = path.removeprefix(CHANNELS).partition("/")
    tenant = rest.partition("/")[0]
    missing = NotFoundError("there is no such channel here")
    owner = next(
        (plugin for plugin, one in door.application.host.registered("register_channel") if one.name == name), None
    )
    if owner is None:
        raise missing
    try:
        profile = await door.application.tenants.resolved(tenant)
    except (NotFoundError, InvalidInputError):
        raise missing from None
    if owner not in profile.plugins:
        raise missing
    return Guest(owner, tenant, Caller(id=f"channel:{name}", role="ingest"), name)


def mount_guests(app: FastAPI, host: Host) -> None:
    """Add what plugins registered.

    Raises:
        PluginSpecError: something is no FastAPI router, a channel's name cannot be used, or two channels have one name.
    """
    channels: dict[str, str] = {}
    for plugin, routes in host.registered("register_routes"):
        router = routes.router() if inspect.isroutine(routes.router) else routes.router
        _refuse_other(plugin, "register_routes", router)
        app.include_router(router, prefix=f"{PLUGINS}{plugin}", tags=[plugin])
    for plugin, channel in host.registered("register_channel"):
        _refuse_other(plugin, "register_channel", channel.router)
        if channel.name in _TAKEN or not _CHANNEL_NAME.fullmatch(channel.name):
            raise PluginSpecError(
                f"plugin {plugin!r}: a channel may not be called {channel.name!r}: use 1 to 64 small letters, digits, - and _, "
                f"a letter or digit first, and not 'key' or 'agent', which stand for others",
                plugin=plugin,
            )
        if channel.name in channels:
            raise PluginSpecError(
                f"plugins {channels[channel.name]!r} and {plugin!r} both bring a channel {channel.name!r}; disable one of them",
                plugin=plugin,
            )
        channels[channel.name] = plugin
        app.include_router(
            channel.router, prefix=f"{CHANNELS}{channel.name}/{{tenant}}", tags=[f"channel {channel.name}"]
        )


def _refuse_other(plugin: str, hook: str, router: object) -> None:
    if not isinstance(router, APIRouter):
        raise PluginSpecError(
            f"plugin {plugin!r}: {hook} gave a router of type {type(router).__name__}, expected fastapi.APIRouter",
            plugin=plugin,
        )


# --- what routes may ask for ---------------------------------------------------------------------------------------


def _guest(connection: HTTPConnection) -> Guest:
    guest = connection.scope.get("rejoinder.guest")
    if not isinstance(guest, Guest):
        raise NotFoundError("this is no plugin's route")
    return guest


async def _context(connection: HTTPConnection) -> Context:
    guest = _guest(connection)
    door: Door = connection.app.state.door
    request = await door.application.models.request_for(guest.tenant, guest.caller)
    return request.context(guest.plugin)


PluginContext = Annotated[Context, Depends(_context)]
"""The request as the plugin sees it: tenant, settings, caller, models."""


@dataclass(frozen=True, slots=True)
class _ChannelEntry:
    """A channel's way to the bot."""

    tenant: str
    name: str
    context: Context
    door: Door

    async def say(self, *, user_id: str, text: str, conversation_id: str | None = None, key: str | None = None) -> Turn:
        """Say something as a user, in a new conversation unless one is named; raises as `Conversations.turn`.

        Args:
            user_id: the channel's name for the user, who is `<channel>:<user_id>` to the bot: users of other channels and holders of
                tokens, whose ids have no colon, never meet theirs.
        """
        caller = Caller(id=f"{self.name}:{user_id}")
        conversations = self.door.application.conversations
        if conversation_id is None:
            conversation_id = await conversations.create(self.tenant, caller, channel=self.name)
        return await conversations.turn(self.tenant, conversation_id, caller, text, idempotency_key=key)


async def _channel(connection: HTTPConnection) -> _ChannelEntry:
    guest = _guest(connection)
    return _ChannelEntry(guest.tenant, guest.channel, await _context(connection), connection.app.state.door)


ChannelEntry = Annotated[_ChannelEntry, Depends(_channel)]
"""A channel's way to the bot: `await channel.say(user_id=..., text=...)`."""


# --- pages ---------------------------------------------------------------------------------------------------------

router = APIRouter(tags=["console"], route_class=JsonRoute)

Viewer = Annotated[Entry, Depends(May("read_analytics"))]


@router.get("/pages", response_model=PageList, responses=responses_for("not-found"), summary="List plugins' pages")
async def list_pages(entry: Viewer, door: TheDoor) -> Response:
    """Pages that the tenant's plugins bring to the console."""
    plugins = (await door.application.tenants.resolved(entry.tenant)).plugins
    pages = [(plugin, page) for plugin, page in _pages(door) if plugin in plugins]
    listed = [
        {"plugin": plugin, "title": page.title, "path": f"{PLUGINS}{plugin}/pages/{page.path.strip('/')}"}
        for plugin, page in pages
    ]
    return json_response({"pages": listed})


@router.get(
    "/plugins/{plugin}/pages/{path:path}",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **responses_for("not-found", "timeout"),
    },
    summary="Show a plugin's page",
)
async def show_page(plugin: str, path: str, entry: Viewer, request: Request, door: TheDoor) -> Response:
    """The page's HTML. A page takes `context` or nothing."""
    page = next((one for name, one in _pages(door) if name == plugin and one.path.strip("/") == path.strip("/")), None)
    if page is None:
        raise NotFoundError(f"the plugin {plugin!r} has no page {path!r}")
    arguments = [await _context(request)] if "context" in inspect.signature(page.html).parameters else []
    try:
        html = await asyncio.wait_for(asyncio.to_thread(page.html, *arguments), _PAGE_S)
    except TimeoutError as error:
        raise ProblemError("timeout", f"the page gave no answer in {_PAGE_S:.0f} s") from error
    if not isinstance(html, str):
        raise TypeError(f"plugin {plugin!r}: the page {path!r} gave {type(html).__name__}, expected str")
    headers = {"content-security-policy": "sandbox allow-scripts", "cache-control": "no-store"}
    return Response(html, 200, headers, "text/html")


def _pages(door: Door) -> Iterable[tuple[str, Page]]:
    pages: list[tuple[str, Any]] = door.application.host.registered("register_pages")
    return pages
