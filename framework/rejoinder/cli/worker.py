"""`rejoinder worker`: carries out what the server, or a person, put into the queue."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from rejoinder.cli.output import JsonOption, say
from rejoinder.errors import InvalidInputError, SettingsError, did_you_mean
from rejoinder.learning.queue import CPU, GPU, QUEUES, can_queue, worker_arguments
from rejoinder.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="A worker: adapts models in the background.")

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_RESTART_S = 5.0


@app.command()
def worker(
    queue: Annotated[
        list[str] | None,
        typer.Option(
            "--queue",
            metavar="cpu|gpu",
            help="Runs that it takes, repeat for several; default: cpu, or both where workers.gpu_queue is off. With gpu, one process "
            "for each GPU.",
        ),
    ] = None,
    gpus: Annotated[
        str | None,
        typer.Option(
            "--gpus",
            metavar="0,1,...",
            help="GPUs to work on, for the queue gpu; default: CUDA_VISIBLE_DEVICES, else all.",
        ),
    ] = None,
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
    if not can_queue():
        raise SettingsError("workers need Celery, which is not installed: pip install 'rejoinder[workers]'")
    for one in queue or ():
        if one not in QUEUES:
            raise InvalidInputError(
                f"--queue: there is no queue {one!r}.{did_you_mean(one, QUEUES)} Choose from cpu and gpu"
            )
    queues: Sequence[str] = queue or ((CPU,) if loaded.settings.workers.gpu_queue else (CPU, GPU))
    if gpus is not None and GPU not in (queue or ()):
        raise InvalidInputError("--gpus: only runs of the queue gpu work on GPUs; add --queue gpu")
    places = _gpus(gpus) if queue and GPU in queue else [None]
    if len(places) > 1 and concurrency > 1:
        raise InvalidInputError(
            "--concurrency: with several GPUs there is one process for each, with one run at a time"
        )
    # The worker reads the settings for itself.
    environment = {**os.environ, **({} if loaded.file is None else {"REJOINDER_CONFIG": str(loaded.file)})}
    broker = "a folder" if loaded.settings.workers.broker_url is None else str(loaded.settings.workers.broker_url)
    on = "" if places == [None] else f" It works on the GPU{'s' * (len(places) > 1)} {', '.join(map(str, places))}."
    say(
        f"A worker waits for runs of {' and '.join(queues)}; the broker is {broker}.{on} Stop with Ctrl+C.",
        json=json,
        data={
            "broker": broker,
            "concurrency": concurrency,
            "queues": list(queues),
            "gpus": [one for one in places if one],
        },
    )
    sys.stdout.flush()
    level = log_level or loaded.settings.log_level
    if len(places) == 1:
        words = worker_arguments(queues, log_level=level, name=_name(places[0]), concurrency=concurrency)
        command = [sys.executable, "-m", "celery", "-A", "rejoinder_workers.app", *words]
        os.execve(command[0], command, _on(environment, places[0]))  # noqa: S606  # our own words
    else:
        _one_for_each(places, environment, queues, level)


def _name(gpu: str | None) -> str:
    return f"worker-{os.getpid()}" if gpu is None else f"gpu-{gpu}-{os.getpid()}"


def _gpus(named: str | None) -> list[str | None]:
    """Return the GPUs to work on, as CUDA_VISIBLE_DEVICES names them; [None] where there is none: then the CPU does the work.

    Nothing here touches CUDA, which this process's children initialise for themselves.
    """
    said = named if named is not None else os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [one.strip() for one in said.split(",") if one.strip()] or [None]
    program = shutil.which("nvidia-smi")
    if program is None:
        return [None]
    asked = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    count = sum(line.startswith("GPU ") for line in asked.stdout.splitlines())
    return [str(number) for number in range(count)] or [None]


def _on(environment: Mapping[str, str], gpu: str | None) -> dict[str, str]:
    return {**environment, **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})}


def _one_for_each(
    gpus: Sequence[str | None], environment: Mapping[str, str], queues: Sequence[str], log_level: str
) -> None:
    """Keep one worker process on each GPU, until interrupted; one that ends by itself is started again.

    Each ends when its standard input does, so that none is left behind when this process is killed.
    """
    stopping = False
    running: dict[str | None, subprocess.Popen[bytes]] = {}

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for process in running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        while not stopping:
            for gpu in gpus:
                if stopping or (gpu in running and running[gpu].poll() is None):
                    continue
                if gpu in running:
                    typer.echo(
                        f"the worker on GPU {gpu} ended with {running[gpu].returncode}; it is started again", err=True
                    )
                    time.sleep(_RESTART_S)
                words = worker_arguments(queues, log_level=log_level, name=_name(gpu))
                running[gpu] = subprocess.Popen(  # noqa: S603  # our own words
                    [sys.executable, "-m", "rejoinder_workers.local", *words],
                    env=_on(environment, gpu),
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                )
            time.sleep(0.2)
    finally:
        stop(0, None)
        for process in running.values():
            process.wait()
