"""Charts of companies: their documents by bucket of time, and the mean sentiment."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from rejoinder.monitoring.tenant_monitoring import TenantMonitoring
from rejoinder.monitoring.trends import Trends
from rejoinder.payloads import Card
from rejoinder.store.trends import Stretch

from rejoinder_finance_sentiment.conversation.figures import MENTION, bucket_for

__all__ = ["MOST_COMPANIES", "chart_card", "draw", "trends_of"]

MOST_COMPANIES: Final = 6
_PATH: Final = "/v1/plugins/finance_sentiment/chart"


async def chart_card(
    monitoring: TenantMonitoring, names: Mapping[str, str], start: datetime, end: datetime, as_of: datetime, title: str
) -> Card:
    """Return a card with a chart's data, and the address of its picture, which shows the same.

    Args:
        names: of companies by key.
    """
    found = await trends_of(monitoring, list(names), start, end, as_of)
    asked = {"key": list(names), "from": start.isoformat(), "to": end.isoformat(), "as_of": as_of.isoformat()}
    series = [
        {
            "key": one.key,
            "name": names[one.key],
            "buckets": [
                {
                    "start": bucket.start.isoformat(),
                    "count": bucket.count,
                    "negative": bucket.negative,
                    "sentiment": bucket.sentiment,
                }
                for bucket in one.buckets
            ],
        }
        for one in found.trends
    ]
    data = {"kind": "chart", "bucket": found.bucket, "time_zone": found.time_zone, "series": series, **asked}
    return Card(title=title, image_url=f"{_PATH}?{urlencode(asked, doseq=True)}", data=data)


def draw(trends: Trends, names: Mapping[str, str]) -> bytes:
    """Return the chart as a PNG: above how many documents (of one company also how many negative ones), below the mean sentiment."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from rejoinder.handoff.hours import time_zone_of

    zone = time_zone_of(trends.time_zone)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = [bucket.start.astimezone(zone) for bucket in trends.trends[0].buckets]
    edges = [*steps, trends.end.astimezone(zone)]
    for one in trends.trends:
        counts = [bucket.count for bucket in one.buckets]
        above.step(edges, [*counts, counts[-1]], where="post", label=_plain(names.get(one.key, one.key)))
        means = [float("nan") if bucket.sentiment is None else bucket.sentiment for bucket in one.buckets]
        below.plot(steps, means, marker="o", markersize=3, linewidth=1)
    if len(trends.trends) == 1:
        bad = [bucket.negative for bucket in trends.trends[0].buckets]
        above.fill_between(edges, [*bad, bad[-1]], step="post", alpha=0.5, color="tab:red", label="negative")
    above.set_ylabel(f"documents by {trends.bucket}")
    above.set_ylim(bottom=0)
    above.legend(loc="upper left", fontsize="small")
    below.set_ylabel("mean sentiment")
    below.set_ylim(-1.05, 1.05)
    below.axhline(0, color="grey", linewidth=0.5)
    locator = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return picture.getvalue()


def _plain(text: str) -> str:
    """Return a name as it is drawn: `$` would begin a formula, and `_` at its beginning would hide it."""
    return text.replace("$", r"\$").lstrip("_") or "?"


async def trends_of(
    monitoring: TenantMonitoring, keys: Sequence[str], start: datetime, end: datetime, as_of: datetime
) -> Trends:
    """Return what a chart of companies shows.

    Raises:
        InvalidInputError: the end does not lie after the start, or the time is too long.
    """
    return await monitoring.trends(MENTION, keys, Stretch(start, end, as_of), bucket_for(start, end))
