"""`rejoinder models doctor`: what encoder would be used, and why."""

from __future__ import annotations

from rejoinder.cli.output import JsonOption, show_record
from rejoinder.settings import load_settings

__all__ = ["doctor"]


def doctor(json: JsonOption = False) -> None:
    """Say which encoder, backend and device the settings lead to, and why; try it on two texts. Exit code 1: none can be used."""
    from rejoinder.models.encoding.doctor import diagnose

    settings = load_settings().settings.encoder
    found = diagnose(settings.name, threads=settings.threads, **settings.loading).as_json()
    if not json:
        possible = found.pop("possible")
        for name, why_not in possible.items():
            found[f"{name} possible"] = "yes" if why_not is None else f"no: {why_not}"
    show_record(found, json=json)
