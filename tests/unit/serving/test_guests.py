"""Routes, channels and pages of plugins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel
from rejoinder.context import Context
from rejoinder.errors import PluginSpecError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Channel, Page, Routes
from rejoinder.serving import guards
from rejoinder.serving.guests import ChannelEntry, PluginContext

from .conftest import Serve, Served, Socket, bearer
from .test_bad_input import assert_problem


class Parcel(BaseModel):
    number: int


class Parcels:
    """A plugin with everything that a server mounts."""

    @hookimpl()
    def register_routes(self) -> Sequence[Routes]:
        router = APIRouter()

        @router.get("/whose")
        async def whose(context: PluginContext) -> dict[str, str]:
            return {"tenant": context.tenant, "plugin": context.plugin, "caller": context.caller.id}

        @router.post("/parcels")
        async def add(parcel: Parcel) -> Parcel:
            return parcel

        @router.get("/fails")
        async def fails() -> None:
            raise ZeroDivisionError("inside")

        @router.get("/hangs")
        async def hangs() -> None:
            await asyncio.sleep(60)

        @router.websocket("/talk")
        async def talk(socket: WebSocket, context: PluginContext) -> None:
            await socket.accept()
            await socket.send_json({"tenant": context.tenant})
            await socket.close()

        return [Routes(router=router)]

    @hookimpl()
    def register_channel(self) -> Sequence[Channel]:
        router = APIRouter()

        @router.post("/incoming")
        async def incoming(message: dict[str, str], channel: ChannelEntry) -> Any:
            turn = await channel.say(user_id=message["from"], text=message["text"])
            return {"tenant": channel.tenant, "parts": turn.reply.parts}

        return [Channel(name="letters", router=router)]

    @hookimpl()
    def register_pages(self) -> Sequence[Page]:
        def wrong() -> str:
            return 3  # type: ignore[return-value]  # on purpose

        return [
            Page(path="/late", title="Late parcels", html=self.page),
            Page(path="plain", title="Plain", html=lambda: "<p>plain</p>"),
            Page(path="wrong", title="Wrong", html=wrong),
        ]

    def page(self, context: Context) -> str:
        return f"<h1>{context.tenant}</h1>"


@pytest.fixture
async def parcels(serve: Serve) -> Served:
    return await serve(named={"parcels": Parcels()})


async def test_a_route_gets_the_context_of_its_plugin(parcels: Served) -> None:
    response = await parcels.client.get("/v1/plugins/parcels/whose", headers=bearer("ana"))
    assert response.json() == {"tenant": "test", "plugin": "parcels", "caller": "ana"}


async def test_a_route_needs_a_key(parcels: Served) -> None:
    assert_problem(await parcels.client.get("/v1/plugins/parcels/whose"), 401, "authentication")


@pytest.mark.parametrize("path", ["whose", "nothing", "pages/late", "hangs"])
async def test_a_tenant_without_the_plugin_finds_nothing(parcels: Served, path: str) -> None:
    response = await parcels.client.get(f"/v1/plugins/parcels/{path}", headers=bearer("stranger"))
    assert_problem(response, 404, "not-found")


async def test_not_even_a_broken_body_tells_that_there_is_a_plugin(parcels: Served) -> None:
    headers = bearer("stranger", content_type="application/json")
    response = await parcels.client.post("/v1/plugins/parcels/parcels", headers=headers, content=b"{")
    assert_problem(response, 404, "not-found")


async def test_a_route_has_the_servers_errors(parcels: Served) -> None:
    response = await parcels.client.post("/v1/plugins/parcels/parcels", headers=bearer("ana"), json={"number": "x"})
    assert assert_problem(response, 422, "invalid-input")["errors"][0]["field"] == "body.number"
    assert_problem(await parcels.client.get("/v1/plugins/parcels/fails", headers=bearer("ana")), 500, "internal")


async def test_a_route_that_hangs_is_given_up(parcels: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "ROUTE_S", 0.05)
    assert_problem(await parcels.client.get("/v1/plugins/parcels/hangs", headers=bearer("ana")), 504, "timeout")


@pytest.mark.parametrize(("who", "code"), [("stranger", 4404), ("wrong", 4401)])
async def test_a_plugins_socket_is_closed_to_others(parcels: Served, who: str, code: int) -> None:
    assert await Socket(parcels.app, "/v1/plugins/parcels/talk", bearer(who)).closed() == code


async def test_a_plugins_socket_gets_its_context(parcels: Served) -> None:
    socket = Socket(parcels.app, "/v1/plugins/parcels/talk", bearer("ana"))
    assert await socket.receive() == {"tenant": "test"}
    assert await socket.closed() == 1000


async def test_plugins_routes_are_in_the_openapi_document(parcels: Served) -> None:
    document = (await parcels.client.get("/openapi.json")).json()
    assert "/v1/plugins/parcels/parcels" in document["paths"]
    assert "/v1/channels/letters/{tenant}/incoming" in document["paths"]


async def test_a_channel_talks_for_its_users(parcels: Served) -> None:
    body = {"from": "ana", "text": "hello"}
    response = await parcels.client.post("/v1/channels/letters/acme/incoming", json=body)
    assert response.json() == {"tenant": "acme", "parts": ["You said: hello"]}
    assert parcels.application.conversations.all["acme", "conv_1"].user_id == "letters:ana"


@pytest.mark.parametrize("name", ["key", "two words", "a:b", "a/b", "Letters", ""])
async def test_a_channel_whose_users_could_be_taken_for_others_is_refused(serve: Serve, name: str) -> None:
    class Odd:
        @hookimpl()
        def register_channel(self) -> Sequence[Channel]:
            return [Channel(name=name, router=APIRouter())]

    with pytest.raises(PluginSpecError, match=f"'odd'.*{name!r}" if name else "odd"):
        await serve(named={"odd": Odd()})


@pytest.mark.parametrize(
    "path", ["letters/other/incoming", "letters/nobody/incoming", "faxes/acme/incoming", "letters"]
)
async def test_a_channel_is_not_found_where_there_is_none(parcels: Served, path: str) -> None:
    response = await parcels.client.post(f"/v1/channels/{path}", json={"from": "ana", "text": "hello"})
    assert_problem(response, 404, "not-found")


async def test_pages_are_listed_and_shown(parcels: Served) -> None:
    listed = (await parcels.client.get("/v1/pages", headers=bearer("admin"))).json()["pages"]
    assert listed[0] == {"plugin": "parcels", "title": "Late parcels", "path": "/v1/plugins/parcels/pages/late"}
    shown = await parcels.client.get(listed[0]["path"], headers=bearer("admin"))
    assert (shown.text, shown.headers["content-type"]) == ("<h1>test</h1>", "text/html; charset=utf-8")
    assert (await parcels.client.get(listed[1]["path"], headers=bearer("admin"))).text == "<p>plain</p>"


async def test_a_page_of_the_wrong_type_is_the_plugins_fault(parcels: Served) -> None:
    assert_problem(
        await parcels.client.get("/v1/plugins/parcels/pages/wrong", headers=bearer("admin")), 500, "internal"
    )


async def test_customers_see_no_pages(parcels: Served) -> None:
    assert_problem(await parcels.client.get("/v1/plugins/parcels/pages/late", headers=bearer("ana")), 403, "access")


async def test_what_is_no_router_is_refused_at_the_start(serve: Serve) -> None:
    class Wrong:
        @hookimpl()
        def register_routes(self) -> Sequence[Routes]:
            return [Routes(router="/parcels")]

    with pytest.raises(PluginSpecError, match=r"'wrong'.* str, expected fastapi.APIRouter"):
        await serve(Wrong())


async def test_a_router_may_be_made_where_it_is_served(serve: Serve) -> None:
    class Late:
        @hookimpl()
        def register_routes(self) -> Sequence[Routes]:
            def made() -> APIRouter:
                router = APIRouter()

                @router.get("/here")
                async def here() -> dict[str, bool]:
                    return {"here": True}

                return router

            return [Routes(router=made)]

    served = await serve(named={"parcels": Late()})
    assert (await served.client.get("/v1/plugins/parcels/here", headers=bearer("ana"))).json() == {"here": True}


async def test_two_channels_of_one_name_are_refused_at_the_start(serve: Serve) -> None:
    with pytest.raises(PluginSpecError, match="'letters'"):
        await serve(named={"one": Parcels(), "two": Parcels()})
