"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse

from rejoinder import __version__
from rejoinder.errors import RejoinderError
from rejoinder.serving import console, docs, guests, socket
from rejoinder.serving.door import Door
from rejoinder.serving.guards import AccessGuard, BodyLimit, Failures
from rejoinder.serving.openapi import describe
from rejoinder.serving.problems import ProblemError, answer_problem
from rejoinder.serving.responses import JsonRoute
from rejoinder.serving.routes import (
    alert_rules,
    alerts,
    conversations,
    documents,
    events,
    examples,
    feedback,
    hand_offs,
    health,
    items,
    keys,
    learning,
    metrics,
    models,
    new_topics,
    recommendations,
    reports,
    review,
    runs,
    sources,
    tenants,
    trends,
    users,
)

if TYPE_CHECKING:
    from rejoinder.application import Application

__all__ = ["create_app"]

Opener = Callable[[], "AbstractAsyncContextManager[Application]"]


def create_app(application: Application | Opener, *, cors_origins: Sequence[str] | None = None) -> FastAPI:
    """Return the ASGI application that serves an application.

    Args:
        application: an open one, which stays open at the end; or what opens one, and closes it when the server ends, e.g.
            `partial(Application.open, load_settings())`.
        cors_origins: origins of web pages that may call from a browser; None: those of the open application's settings.
    Raises:
        PluginSpecError: what a plugin registered is no router (with an opener: when the server starts).
    """
    opener = application if callable(application) else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if opener is not None:
            async with opener() as opened, _open_door(app, opened):
                yield
        else:
            async with _open_door(app, app.state.door.application):
                yield

    if cors_origins is None:
        cors_origins = () if callable(application) else application.settings.server.cors_origins
    app = FastAPI(
        title="Rejoinder",
        version=__version__,
        lifespan=lifespan,
        middleware=_middleware(cors_origins),
        generate_unique_id_function=_operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = JsonRoute
    for error in (RejoinderError, ProblemError, HTTPException, RequestValidationError):
        app.add_exception_handler(error, answer_problem)
    for module in (
        conversations,
        feedback,
        hand_offs,
        reports,
        users,
        keys,
        tenants,
        models,
        runs,
        learning,
        review,
        examples,
        documents,
        events,
        sources,
        trends,
        new_topics,
        alerts,
        alert_rules,
        items,
        recommendations,
        health,
        guests,
        socket,
        console,
    ):
        app.include_router(module.router, prefix="/v1")
    app.include_router(docs.router)
    app.include_router(metrics.router)
    app.add_api_route("/", _home, include_in_schema=False)
    if not callable(application):
        app.state.door = Door(application)
        guests.mount_guests(app, application.host)
    describe(app)
    return app


@asynccontextmanager
async def _open_door(app: FastAPI, application: Application) -> AsyncIterator[None]:
    if getattr(app.state, "door", None) is None:
        app.state.door = Door(application)
        guests.mount_guests(app, application.host)
    application.eraser.resume_beside()
    app.state.door.watch_hand_offs()
    try:
        yield
    finally:
        await app.state.door.close()


def _middleware(cors_origins: Sequence[str]) -> list[Middleware]:
    """Return the guards, outermost first."""
    guards = [Middleware(Failures), Middleware(AccessGuard), Middleware(BodyLimit)]
    if not cors_origins:
        return guards
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Rejoinder-Tenant"],
        expose_headers=["Retry-After", "Location"],
        max_age=600,
    )
    return [cors, *guards]


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _home() -> RedirectResponse:
    return RedirectResponse("/docs")
