"""The route of charts: pictures for whoever may ask about companies, of their own tenant."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from rejoinder.errors import NotFoundError
from rejoinder.serving.guests import PluginContext
from rejoinder.serving.schemas.parts import in_utc

from rejoinder_finance_sentiment.conversation.chart import MOST_COMPANIES, draw, trends_of
from rejoinder_finance_sentiment.conversation.naming import Directories

__all__ = ["chart_router"]

_PICTURE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"image/png": {}}, "description": "The picture."}}

Keys = Annotated[
    list[str], Query(min_length=1, max_length=MOST_COMPANIES, description="Companies, by the key of their mentions.")
]
AsOf = Annotated[datetime | None, Query(description="As it was known at this moment; default: now.")]


def chart_router(directories: Directories) -> APIRouter:
    """Return the route.

    Args:
        directories: know what companies are called.
    """
    router = APIRouter()

    @router.get("/chart", response_class=Response, responses=_PICTURE, summary="Draw companies")
    async def finance_sentiment_chart(
        context: PluginContext,
        key: Keys,
        start: Annotated[datetime, Query(alias="from")],
        end: Annotated[datetime, Query(alias="to")],
        as_of: AsOf = None,
    ) -> Response:
        """A PNG of documents and mean sentiment by hour, day or week, by the length of the time."""
        settings = context.settings.conversation
        if context.monitoring is None or not settings.enabled or context.caller.role not in settings.roles:
            raise NotFoundError("there is no chart here")
        known = context.now() if as_of is None else in_utc(as_of, "query.as_of")
        stretch = in_utc(start, "query.from"), in_utc(end, "query.to"), known
        found = await trends_of(context.monitoring, key, *stretch)
        directory = await directories.of(context)
        picture = await asyncio.to_thread(draw, found, {one: directory.name(one) for one in key})
        return Response(picture, media_type="image/png", headers={"cache-control": "private, max-age=300"})

    return router
