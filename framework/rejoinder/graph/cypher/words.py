"""The words of Cypher that the guard knows: functions that may be called, and words that are never a bare name."""

from __future__ import annotations

from typing import Final

__all__ = ["AGGREGATES", "FORBIDDEN", "FUNCTIONS", "QUANTIFIERS", "RESERVED"]

QUANTIFIERS: Final = {name.lower(): name for name in ("all", "any", "none", "single")}

AGGREGATES: Final = (
    "avg",
    "collect",
    "count",
    "max",
    "min",
    "percentileCont",
    "percentileDisc",
    "stDev",
    "stDevP",
    "sum",
)

FUNCTIONS: Final = {
    name.lower(): name
    for name in (
        *AGGREGATES,
        *("coalesce", "elementId", "endNode", "head", "id", "keys", "last", "length", "nodes", "nullIf", "properties"),
        *("range", "relationships", "reverse", "size", "startNode", "tail", "timestamp", "type"),
        *("toBoolean", "toBooleanOrNull", "toFloat", "toFloatOrNull", "toInteger", "toIntegerOrNull"),
        *("toString", "toStringOrNull", "toStringList", "toIntegerList", "toFloatList", "toBooleanList"),
        *("abs", "ceil", "exp", "floor", "isNaN", "log", "log10", "rand", "round", "sign", "sqrt"),
        *("acos", "asin", "atan", "atan2", "cos", "cot", "degrees", "e", "haversin", "pi", "radians", "sin", "tan"),
        *("isEmpty", "left", "lTrim", "replace", "right", "rTrim", "split", "substring", "toLower", "toUpper", "trim"),
        *("date", "datetime", "duration", "localdatetime", "localtime", "time"),
        *("date.truncate", "datetime.truncate", "localdatetime.truncate", "localtime.truncate", "time.truncate"),
        *("datetime.fromEpoch", "datetime.fromEpochMillis"),
        *("duration.between", "duration.inDays", "duration.inMonths", "duration.inSeconds"),
        *("point", "point.distance", "point.withinBBox", "vector.similarity.cosine", "vector.similarity.euclidean"),
    )
}
"""What may be called, by its name in small letters. Left out: `labels` (a tenant's label is no business of a query, `n.kind` is),
`exists(..)` (written `EXISTS { .. }`), `reduce` (ten words of it make a text of a terabyte), and whatever reads files or settings."""

_FORBIDDEN: Final = """
ADD ALTER CALL CREATE CYPHER DEALLOCATE DELETE DENY DETACH DRYRUN DROP ENABLE EXPLAIN FINISH FOREACH GRANT INSERT LOAD MERGE
NODETACH PERIODIC PROFILE REALLOCATE REMOVE RENAME REVOKE SET SHOW START STOP TERMINATE TRANSACTIONS USE USING YIELD
"""
_MEANINGFUL: Final = """
ALL ALLSHORTESTPATHS AND ANY AS ASC ASCENDING BY CASE COLLECT CONTAINS COUNT CSV DESC DESCENDING DIFFERENT DISTINCT ELSE END ENDS
EXISTS FALSE FILTER FOR FROM IN INF INFINITY IS LET LIMIT MANDATORY MATCH NAN NEXT NONE NOT NULL OF OFFSET ON OPTIONAL OR ORDER
REDUCE REPEATABLE RETURN SHORTEST SHORTESTPATH SINGLE SKIP STARTS THEN TRUE UNION UNIQUE UNWIND WHEN WHERE WITH XOR
"""

FORBIDDEN: Final = frozenset(_FORBIDDEN.split())
"""Words of clauses that write, administer, load or leave the tenant's graph, and `CALL`, which is let through before a subquery only."""

RESERVED: Final = FORBIDDEN | frozenset(_MEANINGFUL.split())
"""Words that mean something in some place: as a name they are written in backticks."""
