"""Users of a channel and holders of tokens are different people, whatever their ids."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Channel
from rejoinder.serving.app import create_app
from rejoinder.serving.guests import ChannelEntry
from rejoinder.testing import EchoPlugin

from tests.support.application import opened

from .test_bad_input import assert_problem


class Fax:
    """A channel without pages of its own: what comes in is answered on the spot."""

    @hookimpl()
    def register_channel(self) -> Sequence[Channel]:
        router = APIRouter()

        @router.post("/incoming")
        async def incoming(message: dict[str, str], channel: ChannelEntry) -> str:
            turn = await channel.say(user_id=message["from"], text="hello", conversation_id=message.get("conversation"))
            return turn.conversation_id

        return [Channel(name="fax", router=router)]


class Desk:
    """A client of the server, and the shop's headers."""

    def __init__(self, client: httpx.AsyncClient, shop: str) -> None:
        self.client = client
        self.shop = {"authorization": f"Bearer {shop}"}

    async def token(self, user_id: str) -> httpx.Response:
        """Ask for a user's token."""
        return await self.client.post("/v1/tokens", headers=self.shop, json={"user_id": user_id})

    async def headers_of(self, user_id: str) -> dict[str, str]:
        """The headers of a user with a token."""
        return {"authorization": f"Bearer {(await self.token(user_id)).json()['token']}"}

    async def fax(self, user_id: str, **message: str) -> httpx.Response:
        """Say hello by fax."""
        return await self.client.post("/v1/channels/fax/acme/incoming", json={"from": user_id, **message})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path, {"fax": Fax(), "echo": EchoPlugin()}) as application:
        app = create_app(application)
        made = await application.tenants.create_key("customer", tenant="acme")
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot.test") as client,
        ):
            yield Desk(client, made.token)


async def test_a_token_does_not_open_the_conversation_of_a_channels_user_of_the_same_id(desk: Desk) -> None:
    conversation = (await desk.fax("42")).json()
    headers = await desk.headers_of("42")

    assert_problem(await desk.client.get(f"/v1/conversations/{conversation}", headers=headers), 404, "not-found")
    assert (await desk.client.get("/v1/conversations", headers=headers)).json()["conversations"] == []


async def test_a_channels_user_does_not_reach_the_conversation_of_a_token_of_the_same_id(desk: Desk) -> None:
    opened = await desk.client.post("/v1/conversations", headers=await desk.headers_of("42"))

    assert_problem(await desk.fax("42", conversation=opened.json()["id"]), 404, "not-found")


async def test_a_channels_user_goes_on_with_their_own(desk: Desk) -> None:
    conversation = (await desk.fax("42")).json()
    assert (await desk.fax("42", conversation=conversation)).json() == conversation


@pytest.mark.parametrize("user_id", ["fax:42", "later:42", "key:key_1", ":"])
async def test_no_token_is_issued_for_the_id_of_a_channels_user_or_a_key(desk: Desk, user_id: str) -> None:
    problem = assert_problem(await desk.token(user_id), 422, "invalid-input")
    assert "'<channel>:<id>'" in problem["detail"]
