"""The pytest plugin: the fixture `rejoinder_host`, a host with only the plugins that a test names.

Registered under pytest's entry point, so it is there in every run of an environment that has Rejoinder: what it needs is
imported when a test asks for the fixture, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rejoinder.testing.host import HostUnderTest


@pytest.fixture
def rejoinder_host() -> Iterator[Callable[..., HostUnderTest]]:
    """A factory of started hosts; all are stopped and closed when the test ends.

    Give plugins by position (named after their class or module) or by keyword (named by it):

        def test_answers(rejoinder_host):
            host = rejoinder_host(MyPlugin(), tenant="acme", settings={"my": MySettings()})

    The methods of `host` are the hooks; `host.request()` makes the request that they ask for.
    """
    from rejoinder.testing.host import HostUnderTest

    hosts: list[HostUnderTest] = []

    def make(*plugins: object, **options: Any) -> HostUnderTest:
        host = HostUnderTest.of(*plugins, **options)
        hosts.append(host)
        return host

    yield make
    for host in reversed(hosts):
        host.finish()
