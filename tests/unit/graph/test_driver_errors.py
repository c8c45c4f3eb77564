"""Every error of the driver becomes one of ours, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from neo4j import exceptions as foreign
from rejoinder.errors import GraphError, GraphQueryError, GraphUnavailableError
from rejoinder.graph.driver_errors import MAPPED, is_lost, is_passing, mapped


def _with_subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _with_subclasses(one)


_ALL = [one for root in (foreign.Neo4jError, foreign.DriverError) for one in _with_subclasses(root)]


def _server_error(code: str, message: str = "no") -> Exception:
    error: Exception = foreign.Neo4jError._hydrate_neo4j(code=code, message=message)
    return error


@pytest.mark.parametrize("kind", [one for one in _ALL if one.__module__ == foreign.__name__])
def test_every_class_of_the_driver_is_mapped(kind: type[Exception]) -> None:
    assert kind in MAPPED, f"the driver has a new error {kind.__name__}: add it to MAPPED"


def test_only_what_a_retry_may_cure_is_unavailable() -> None:
    unavailable = {kind.__name__ for kind, (ours, _) in MAPPED.items() if ours is GraphUnavailableError}
    assert unavailable == {
        "ServiceUnavailable",
        "RoutingServiceUnavailable",
        "WriteServiceUnavailable",
        "ReadServiceUnavailable",
        "IncompleteCommit",
        "SessionExpired",
        "ConnectionPoolError",
        "ConnectionAcquisitionTimeoutError",
        "TransientError",
        "DatabaseUnavailable",
        "NotALeader",
    }


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("Neo.ClientError.Statement.SyntaxError", GraphQueryError),
        ("Neo.ClientError.Security.Forbidden", GraphQueryError),
        ("Neo.ClientError.Transaction.TransactionTimedOut", GraphQueryError),
        ("Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration", GraphQueryError),
        ("Neo.ClientError.Transaction.Terminated", GraphQueryError),
        ("Neo.ClientError.Schema.ConstraintValidationFailed", GraphError),
        ("Neo.ClientError.Security.Unauthorized", GraphError),
        ("Neo.TransientError.Transaction.DeadlockDetected", GraphUnavailableError),
    ],
)
def test_codes_of_the_server(code: str, ours: type[GraphError]) -> None:
    assert type(mapped(_server_error(code))) is ours


def test_a_time_limit_is_not_tried_again_but_a_deadlock_is() -> None:
    assert not is_passing(_server_error("Neo.ClientError.Transaction.TransactionTimedOut"))
    assert is_passing(_server_error("Neo.TransientError.Transaction.DeadlockDetected"))
    assert is_passing(_server_error("Neo.DatabaseError.General.UnknownError", "DeadlockDetected"))


def test_a_broken_connection_is_lost_and_wrong_cypher_is_not() -> None:
    assert is_lost(foreign.ServiceUnavailable("gone"))
    assert not is_lost(_server_error("Neo.ClientError.Statement.SyntaxError"))


def test_a_long_text_is_cut() -> None:
    assert len(str(mapped(_server_error("Neo.ClientError.Statement.SyntaxError", "x" * 1_000_000)))) < 1000
