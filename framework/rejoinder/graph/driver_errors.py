"""What the Neo4j driver raises, as errors of ours: nothing else in Rejoinder sees its classes."""

from __future__ import annotations

from typing import Final

from neo4j import exceptions as foreign

from rejoinder.errors import GraphError, GraphQueryError, GraphUnavailableError

__all__ = ["MAPPED", "is_lost", "is_passing", "is_refused_login", "is_timeout", "mapped"]

MAPPED: Final[dict[type[Exception], tuple[type[GraphError], str]]] = {
    foreign.ServiceUnavailable: (GraphUnavailableError, "the graph server cannot be reached"),
    foreign.RoutingServiceUnavailable: (GraphUnavailableError, "no server of the graph cluster can be reached"),
    foreign.WriteServiceUnavailable: (GraphUnavailableError, "no server of the graph cluster takes writes now"),
    foreign.ReadServiceUnavailable: (GraphUnavailableError, "no server of the graph cluster takes reads now"),
    foreign.IncompleteCommit: (GraphUnavailableError, "the connection broke during a commit: it may be written or not"),
    foreign.SessionExpired: (GraphUnavailableError, "the graph server closed the connection"),
    foreign.ConnectionPoolError: (GraphUnavailableError, "no connection to the graph server is free"),
    foreign.ConnectionAcquisitionTimeoutError: (
        GraphUnavailableError,
        "no connection to the graph server is free: raise graph.pool_size",
    ),
    foreign.TransientError: (GraphUnavailableError, "the graph server cannot do this now"),
    foreign.DatabaseUnavailable: (GraphUnavailableError, "the graph database is not available now"),
    foreign.NotALeader: (GraphUnavailableError, "the graph server does not take writes now"),
    foreign.ForbiddenOnReadOnlyDatabase: (GraphError, "the graph database is read-only: make it writable"),
    foreign.AuthError: (GraphError, "the graph server refused user or password: check graph.url"),
    foreign.TokenExpired: (GraphError, "the graph server's token has expired: check graph.url"),
    foreign.Forbidden: (GraphQueryError, "this is not allowed in the graph"),
    foreign.ConstraintError: (GraphError, "this breaks a constraint of the graph"),
    foreign.CypherSyntaxError: (GraphQueryError, "this is not Cypher"),
    foreign.CypherTypeError: (GraphQueryError, "a value in this Cypher has the wrong type"),
    foreign.ClientError: (GraphQueryError, "the graph server refused this Cypher"),
    foreign.DatabaseError: (GraphError, "the graph server failed"),
    foreign.Neo4jError: (GraphError, "the graph server failed"),
    foreign.SessionError: (GraphError, "a session of the graph was used wrongly"),
    foreign.TransactionError: (GraphError, "a transaction of the graph was used wrongly"),
    foreign.TransactionNestingError: (GraphError, "a transaction of the graph was opened inside another"),
    foreign.ResultError: (GraphError, "a result of the graph was used wrongly"),
    foreign.ResultFailedError: (GraphError, "a result of the graph failed while it was read"),
    foreign.ResultConsumedError: (GraphError, "a result of the graph was read too late"),
    foreign.ResultNotSingleError: (GraphError, "a result of the graph has not exactly one row"),
    foreign.BrokenRecordError: (GraphError, "a row of the graph cannot be understood"),
    foreign.ConfigurationError: (GraphError, "the connection to the graph server is set up wrongly: check graph.url"),
    foreign.AuthConfigurationError: (GraphError, "user and password of the graph server are set up wrongly"),
    foreign.CertificateConfigurationError: (GraphError, "the certificate of the graph server is set up wrongly"),
    foreign.UnsupportedServerProduct: (GraphError, "this is no Neo4j 5 server or newer: check graph.url"),
    foreign.DriverError: (GraphError, "the connection to the graph server failed"),
}
"""Every class of the driver, what it becomes, and what is said."""

_PASSING = (foreign.TransientError, foreign.ConstraintError)
_PASSING_WORDS = ("DeadlockDetected", "ConcurrentModification")
_TIMEOUT_CODES = ("Transaction.TransactionTimedOut", "Transaction.Terminated")
_MOST_CHARS = 500


def mapped(error: Exception) -> GraphError:
    """Return the error of ours for one of the driver's."""
    if is_timeout(error):
        return GraphQueryError(f"the graph query took longer than allowed: {_text(error)}")
    kind, said = next(MAPPED[one] for one in type(error).__mro__ if one in MAPPED)
    return kind(f"{said}: {_text(error)}")


def is_lost(error: Exception) -> bool:
    """Say whether the server, or the way to it, is gone."""
    return isinstance(error, (foreign.ServiceUnavailable, foreign.SessionExpired))


def is_passing(error: Exception) -> bool:
    """Say whether the same transaction may succeed when it is tried again.

    Two transactions that MERGE one key at a time break a constraint on both servers; the loser finds the node at its next try.
    """
    if is_timeout(error):
        return False
    return isinstance(error, _PASSING) or (
        isinstance(error, foreign.Neo4jError)
        and any(word in f"{error.code} {error.message}" for word in _PASSING_WORDS)
    )


def is_refused_login(error: GraphError) -> bool:
    """Say whether an error of ours comes from a user that the server does not know, or not with this password."""
    return isinstance(error.__cause__, foreign.AuthError)


def is_timeout(error: Exception) -> bool:
    """Say whether the server ended the query because of its time."""
    return isinstance(error, foreign.Neo4jError) and any(code in str(error.code) for code in _TIMEOUT_CODES)


def _text(error: Exception) -> str:
    text = (error.message if isinstance(error, foreign.Neo4jError) else None) or str(error) or type(error).__name__
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"
