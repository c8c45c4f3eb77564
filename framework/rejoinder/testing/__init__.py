"""The public kit for plugin authors: contract checks for every hook, a host fixture, and deterministic doubles.

    from rejoinder.testing import check_plugin

    def test_contract():
        check_plugin(MyPlugin())

Installed as a pytest plugin, it also brings the fixture `rejoinder_host`. Importing this package is light: each name is
imported when it is first used, so that it costs a pytest run nothing that does not use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rejoinder.testing.contract import CheckResult, ContractError, check_plugin, run_checks
    from rejoinder.testing.doubles import EchoPlugin, FixedClock, HashEncoder, HashModels
    from rejoinder.testing.examples import ExampleCall, example_arguments
    from rejoinder.testing.host import HostUnderTest, make_request

__all__ = [
    "CheckResult",
    "ContractError",
    "EchoPlugin",
    "ExampleCall",
    "FixedClock",
    "HashEncoder",
    "HashModels",
    "HostUnderTest",
    "check_plugin",
    "example_arguments",
    "make_request",
    "run_checks",
]

_HOMES = {
    "CheckResult": "contract",
    "ContractError": "contract",
    "EchoPlugin": "doubles",
    "ExampleCall": "examples",
    "FixedClock": "doubles",
    "HashEncoder": "doubles",
    "HashModels": "doubles",
    "HostUnderTest": "host",
    "check_plugin": "contract",
    "example_arguments": "examples",
    "make_request": "host",
    "run_checks": "contract",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
