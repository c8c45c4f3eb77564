"""`rejoinder worker`: carries out what the server, or a person, put into the queue."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from rejoinder.cli.output import JsonOption, say
from rejoinder.errors import SettingsError
from rejoinder.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="A worker: adapts models in the background.")

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


@app.command()
def worker(
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, max=64, help="Runs carried out at the same time.")
    ] = 1,
    log_level: Annotated[
        Level | None, typer.Option("--log-level", help="What is logged: this and worse; default: log_level.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The settings file; default: rejoinder.toml here, if there is one.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Carry out adaptation runs until it is interrupted; what was begun is finished first. Start as many as you like."""
    loaded = load_settings(config)
    if importlib.util.find_spec("celery") is None:
        raise SettingsError("workers need Celery, which is not installed: pip install 'rejoinder[workers]'")
    # The worker reads the settings for itself.
    environment = {**os.environ, **({} if loaded.file is None else {"REJOINDER_CONFIG": str(loaded.file)})}
    broker = "a folder" if loaded.settings.workers.broker_url is None else str(loaded.settings.workers.broker_url)
    say(
        f"A worker waits for runs; the broker is {broker}. Stop with Ctrl+C.",
        json=json,
        data={"broker": broker, "concurrency": concurrency},
    )
    sys.stdout.flush()
    command = _command(concurrency, log_level or loaded.settings.log_level)
    os.execve(command[0], command, environment)  # noqa: S606  # our own words


def _command(concurrency: int, log_level: str) -> list[str]:
    """Return the command line of the worker. Threads share one encoder, where processes would load one each."""
    pool = ["--pool", "solo"] if concurrency == 1 else ["--pool", "threads", "--concurrency", str(concurrency)]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "rejoinder_workers.app",
        "worker",
        *pool,
        *quiet,
        "--loglevel",
        log_level,
    ]
