"""Hosts with plugins written inline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rejoinder.context import Request
from rejoinder.host import Host, Plugins
from rejoinder.testing import make_request

HostOf = Callable[..., Host]


@pytest.fixture
def host_of() -> Iterator[HostOf]:
    """A factory of hosts: `host_of(a=PluginA(), b=PluginB(), options={...})`."""
    hosts: list[Host] = []

    def make(*, options: dict[str, Any] | None = None, **plugins: object) -> Host:
        registry = Plugins()
        for name, plugin in plugins.items():
            registry.register(plugin, name, f"{name}-distribution 1.0")
        host = Host(registry, **(options or {}))
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """A factory of requests with all plugins of a host enabled."""

    def make(host: Host, **changes: Any) -> Request:
        return make_request(**{"plugins": host.plugin_names, **changes})

    return make


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hanging `def` plugins wait for; set when the test ends, so that no thread outlives it for long."""
    event = threading.Event()
    yield event
    event.set()
