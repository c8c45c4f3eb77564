"""When a server is ready."""

from __future__ import annotations

from typing import Any

from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Task
from rejoinder.serving.door import Door

from .conftest import Serve, Served
from .test_bad_input import assert_problem


class NoEncoder:
    """What is there where the models' libraries are not installed."""

    async def encode(self, text: str) -> None:
        raise ModelError("pip install 'rejoinder[models]'")


class Reads:
    @hookimpl()
    def register_tasks(self) -> list[Task]:
        return [Task(name="intent", learner=object)]


async def warmed_up(served: Served) -> None:
    application: Any = served.application
    application.encoder = NoEncoder()
    door: Door = served.app.state.door
    door.warm_up()
    await door.close()
    door.closing.clear()


async def test_where_a_plugin_brings_a_model_the_server_needs_the_encoder(serve: Serve) -> None:
    served = await serve(Reads())
    await warmed_up(served)
    assert_problem(await served.client.get("/v1/ready"), 503, "models-unavailable")


async def test_where_no_plugin_brings_a_model_it_does_not(served: Served) -> None:
    await warmed_up(served)
    assert (await served.client.get("/v1/ready")).status_code == 200
