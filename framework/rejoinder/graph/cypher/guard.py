"""Reads Cypher that a user, a plugin or a model wrote, and writes it anew so that it only reads, and only one tenant's entities.

Nothing of the query's text reaches a server: it is parsed by the grammar below, a part of Cypher that only reads, and written again
from words of ours, names (in backticks where they are a word of Cypher too), numbers and parameters; texts become parameters.
What the grammar does not know is refused. Every node gets the label of the tenant's entities, so that nothing else can be matched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rejoinder.errors import GraphQueryError
from rejoinder.graph.cypher.tokens import Kind, Token, refusal, tokens_of
from rejoinder.graph.cypher.words import AGGREGATES, FORBIDDEN, FUNCTIONS, QUANTIFIERS, RESERVED

__all__ = ["ENTITY", "Guarded", "guarded"]

ENTITY: Final = "Entity"
"""The one label that a query may name; it stands for the label of the tenant's entities."""

_MAX_DEPTH: Final = 40
_MAX_CLAUSES: Final = 40
_MAX_HOPS: Final = 15
"""Longest path of variable length."""
_BIGGEST: Final = 2**63 - 1

_CLAUSES: Final = "MATCH, OPTIONAL MATCH, UNWIND, WITH, CALL { .. }, RETURN"
_COMPARISONS: Final = ("=", "<>", "<=", ">=", "<", ">", "=~", "+", "-", "*", "/", "%", "^", "||")
_BINARY_WORDS: Final = ("AND", "OR", "XOR", "IN", "CONTAINS")
_CONSTANTS: Final = ("TRUE", "FALSE", "NULL")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A query that only reads one tenant's entities.

    Attributes:
        text: what to send to the server.
        parameters: the caller's, and the texts of the query.
        columns: names of the result's columns as the query's author knows them, in order; None: as the server names them
            (`RETURN *`).
    """

    text: str
    parameters: Mapping[str, Any]
    columns: tuple[str, ...] | None


def guarded(cypher: str, parameters: Mapping[str, Any] | None = None, *, label: str = ENTITY, max_rows: int) -> Guarded:
    """Check a query and write it anew.

    Args:
        cypher: `MATCH`, `OPTIONAL MATCH`, `WHERE`, `UNWIND`, `WITH`, `CALL { .. }`, `RETURN`, `UNION`, `ORDER BY`, `SKIP`, `LIMIT`.
            Nodes have no label or `:Entity`.
        parameters: values of `$name`.
        label: of the tenant's entities on the server.
        max_rows: the result is cut after one row more than this, if its last clause has no smaller limit.
    Raises:
        GraphQueryError: the query writes, calls what it may not, or is no Cypher that is understood here; the text says where (line and
            column), what stands there, and what is allowed.
    """
    return _Reader(cypher, dict(parameters or {}), label, max_rows).query()


class _Reader:
    """Reads tokens by recursive descent; what it reads is written to `_out` at once."""

    def __init__(self, cypher: str, parameters: dict[str, Any], label: str, max_rows: int) -> None:
        self._cypher = cypher
        self._tokens = tokens_of(cypher)
        self._at = 0
        self._out: list[str] = []
        self._given = parameters
        self._made: dict[str, Any] = {}
        self._label = label
        self._max_rows = max_rows
        self._depth = 0
        self._clauses = 0

    # tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _peek(self, ahead: int) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _is(self, *signs: str, ahead: int = 0) -> bool:
        token = self._peek(ahead)
        return token.kind is Kind.SIGN and token.value in signs

    def _word(self, *words: str, ahead: int = 0) -> bool:
        return self._peek(ahead).keyword in words

    def _step(self) -> Token:
        token = self._next
        self._at += token.kind is not Kind.END
        return token

    def _take(self, *expected: str, write: bool = True) -> Token:
        """Read one of some signs or keywords, and write it."""
        token = self._next
        if not (self._is(*expected) or token.keyword in expected):
            raise self._refused(" or ".join(expected))
        if write:
            self._write(token.keyword or token.value)
        return self._step()

    def _took(self, *expected: str, write: bool = True) -> bool:
        if self._is(*expected) or self._next.keyword in expected:
            self._take(*expected, write=write)
            return True
        return False

    def _write(self, piece: str) -> None:
        self._out.append(piece)

    def _refused(self, allowed: str, token: Token | None = None) -> GraphQueryError:
        token = token or self._next
        found = str(token)
        if token.keyword in FORBIDDEN:
            return refusal(
                self._cypher,
                token.start,
                f"found {token.keyword}, which may not be used: only reading is allowed; here: {allowed}",
            )
        return refusal(self._cypher, token.start, f"found {found}, allowed here: {allowed}")

    # names and values

    def _at_name(self, ahead: int = 0) -> bool:
        return self._peek(ahead).kind in (Kind.WORD, Kind.QUOTED)

    def _name(self, what: str, *, reserved: bool = False) -> str:
        """Read a name and return it as it is written; reserved: a word of Cypher will do, as what stands before makes it a name."""
        token = self._next
        if token.kind is not Kind.QUOTED and not (
            token.kind is Kind.WORD and (reserved or token.keyword not in RESERVED)
        ):
            raise self._refused(f"{what} (a word of Cypher in backticks)")
        self._step()
        return _quoted(token.value)

    def _parameter(self) -> Any:
        token = self._step()
        if token.value not in self._given:
            known = ", ".join(f"${name}" for name in sorted(self._given)) or "none"
            raise refusal(self._cypher, token.start, f"the parameter ${token.value} has no value; given: {known}")
        self._write(f"${token.value}")
        return self._given[token.value]

    def _text(self) -> None:
        name = f"_{len(self._made)}"
        self._made[name] = self._step().value
        self._write(f"${name}")

    def _number(self) -> None:
        self._write(_number(self._cypher, self._step()))

    def _whole(self, what: str) -> int:
        """Read a whole number, without writing it."""
        token = self._next
        if token.kind is not Kind.NUMBER or not token.value.isdecimal():
            raise self._refused(what)
        return int(_number(self._cypher, self._step()))

    def _map(self) -> None:
        self._take("{")
        self._list("}", self._entry)
        self._take("}")

    def _entry(self) -> None:
        self._write(self._name("a key", reserved=True))
        self._take(":")
        self._expression()

    def _list(self, end: str, one: Callable[[], object]) -> None:
        """Read things between commas until a sign that ends them, which stays; there may be none."""
        if not self._is(end):
            self._many(one)

    def _many(self, one: Callable[[], object]) -> None:
        one()
        while self._took(","):
            one()

    # the query

    def query(self) -> Guarded:
        columns = self._union(top=True)
        if self._next.kind is not Kind.END:
            allowed = "the end of the query (one statement only)" if self._is(";") else "UNION, or the end of the query"
            raise self._refused(allowed)
        return Guarded(" ".join(self._out), {**self._given, **self._made}, columns)

    def _union(self, *, top: bool = False) -> tuple[str, ...] | None:
        begin = self._at
        distinct = top and self._has_distinct_union(begin)
        columns = self._single(top=top, limited=top and not distinct)
        while self._took("UNION"):
            self._took("ALL")
            self._single(top=top, limited=top and not distinct)
        return columns

    def _has_distinct_union(self, begin: int) -> bool:
        """Say whether a UNION outside of all brackets drops duplicates: then a part must not be cut."""
        depth = 0
        for token, after in zip(self._tokens[begin:], self._tokens[begin + 1 :], strict=False):
            if token.kind is Kind.SIGN:
                depth += (token.value in ("(", "[", "{")) - (token.value in (")", "]", "}"))
            elif token.keyword == "UNION" and not depth and after.keyword != "ALL":
                return True
        return False

    def _single(self, *, top: bool, limited: bool) -> tuple[str, ...] | None:
        while True:
            if self._word("MATCH", "OPTIONAL"):
                self._match()
            elif self._word("UNWIND"):
                self._clause()
                self._take("UNWIND")
                self._expression()
                self._take("AS")
                self._write(self._name("a variable"))
            elif self._word("WITH"):
                self._clause()
                self._take("WITH")
                self._projection(named=False)
                if self._took("WHERE"):
                    self._expression()
            elif self._word("CALL"):
                self._call()
            elif self._word("RETURN"):
                self._take("RETURN")
                return self._projection(named=top, limited=limited)
            else:
                raise self._refused(_CLAUSES)

    def _clause(self) -> None:
        """Count a clause that begins here."""
        self._clauses += 1
        if self._clauses > _MAX_CLAUSES:
            raise refusal(self._cypher, self._next.start, f"a query has at most {_MAX_CLAUSES} clauses")

    def _match(self) -> None:
        self._clause()
        self._took("OPTIONAL")
        self._take("MATCH")
        self._many(self._path)
        if self._took("WHERE"):
            self._expression()

    def _call(self) -> None:
        if not self._is("{", "(", ahead=1):
            raise self._refused("CALL { .. } with a subquery; procedures are not called")
        self._clause()
        self._take("CALL")
        if self._took("("):
            self._list(")", lambda: self._write(self._name("a variable")))
            self._take(")")
        self._subquery()

    def _subquery(self) -> None:
        self._take("{")
        with _Deeper(self):
            self._union()
        self._take("}")
        if self._word("IN") and self._word("TRANSACTIONS", "CONCURRENT", ahead=1):
            raise self._refused("a subquery in the query's own transaction")

    def _projection(self, *, named: bool, limited: bool = False) -> tuple[str, ...] | None:
        """Read what WITH or RETURN gives; named: give columns without a name one of ours, and return the author's."""
        self._took("DISTINCT")
        columns: list[str] | None = []
        if self._took("*"):
            columns = None
            if self._took(","):
                self._many(lambda: self._item(False, []))
        else:
            names: list[str] = []
            self._many(lambda: self._item(named, names))
            columns = names
        if self._took("ORDER"):
            self._take("BY")
            self._many(self._sort_item)
        for word in ("SKIP", "OFFSET"):
            if self._word(word):
                self._take(word, write=False)
                self._write("SKIP")
                self._count(None)
        if self._took("LIMIT"):
            self._count(self._max_rows + 1 if limited else None)
        elif limited:
            self._write(f"LIMIT {self._max_rows + 1}")
        return None if columns is None else tuple(columns)

    def _item(self, named: bool, columns: list[str]) -> None:
        begin = self._next.start
        variable = self._next.value if self._at_name() else ""
        single = self._at + 1
        self._expression()
        end = self._tokens[self._at - 1].end
        if self._took("AS"):
            columns.append(self._next.value)
            self._write(self._name("a name for the column"))
        elif variable and self._at == single and variable.upper() not in _CONSTANTS:
            columns.append(variable)
        else:
            if named:
                self._write(f"AS _c{len(columns)}")
            columns.append(self._cypher[begin:end])

    def _sort_item(self) -> None:
        self._expression()
        self._took("ASC", "ASCENDING", "DESC", "DESCENDING")

    def _count(self, most: int | None) -> None:
        """Read the number of SKIP or LIMIT, and write it; most: or this, if that is less."""
        token = self._next
        if token.kind is Kind.PARAMETER:
            value = self._parameter()
            self._out.pop()
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _BIGGEST:
                raise refusal(
                    self._cypher, token.start, f"${token.value} is {value!r:.60}, allowed here: a whole number from 0"
                )
        else:
            value = self._whole("a whole number or a parameter")
        self._write(str(value if most is None else min(value, most)))

    # paths

    def _path(self) -> None:
        if self._at_name() and self._is("=", ahead=1):
            self._write(self._name("a variable"))
            self._take("=")
        if self._word("SHORTESTPATH", "ALLSHORTESTPATHS"):
            self._shortest()
        else:
            self._chain()

    def _shortest(self) -> None:
        word = self._step().keyword
        self._write("shortestPath" if word == "SHORTESTPATH" else "allShortestPaths")
        self._take("(")
        self._chain()
        self._take(")")

    def _chain(self) -> None:
        """Read nodes with relations between them."""
        self._node()
        while self._at_relation():
            self._relation()
            self._node()

    def _at_relation(self, ahead: int = 0) -> bool:
        ahead += self._is("<", ahead=ahead)
        return self._is("-", ahead=ahead) and self._is("-", "[", ahead=ahead + 1)

    def _at_path(self, ahead: int = 0) -> bool:
        """Say whether something in parentheses, and then a relation, stands there."""
        if not self._is("(", ahead=ahead):
            return False
        depth = 0
        while self._peek(ahead).kind is not Kind.END:
            depth += self._is("(", "[", "{", ahead=ahead) - self._is(")", "]", "}", ahead=ahead)
            ahead += 1
            if not depth:
                return self._at_relation(ahead)
        return False

    def _node(self) -> None:
        if not self._is("("):
            raise self._refused("a node: (name:Entity {property: value})")
        self._step()
        name = ""
        if self._at_name() and not self._word("WHERE", "IS"):
            name = self._name("a variable")
        if self._is(":"):
            self._step()
            self._entity_label()
        self._write(f"({name}:{self._label}")
        self._inside()
        if not self._is(")"):
            raise self._refused(f"a node has a variable, the label {ENTITY}, properties and WHERE, and ends with )")
        self._take(")")

    def _entity_label(self) -> None:
        """Read a label, without writing it."""
        token = self._next
        if (
            token.kind not in (Kind.WORD, Kind.QUOTED)
            or token.value != ENTITY
            or self._is("|", "&", "!", "%", ":", ahead=1)
        ):
            raise self._refused(
                f"the label {ENTITY} alone, or none; the kind of an entity is its property: {{kind: 'movie'}}"
            )
        self._step()

    def _inside(self) -> None:
        """Read properties and WHERE of a node or relation."""
        if self._is("{"):
            self._map()
        elif self._next.kind is Kind.PARAMETER:
            raise self._refused("properties one by one, such as {name: $name}")
        if self._took("WHERE"):
            self._expression()

    def _relation(self) -> None:
        left = self._took("<", write=False)
        self._take("-", write=False)
        self._write("<-" if left else "-")
        if self._took("["):
            self._out[-2:] = [self._out[-2] + "["]
            if self._at_name() and not self._word("WHERE", "IS"):
                self._write(self._name("a variable"))
            if self._took(":"):
                self._write(self._name("the name of a relation", reserved=True))
                while self._took("|"):
                    self._took(":", write=False)
                    self._write(self._name("the name of a relation", reserved=True))
            if self._is("*"):
                self._hops()
            self._inside()
            if not self._is("]"):
                raise self._refused(
                    "a relation has a variable, names (:a|b), hops (*1..3), properties and WHERE, and ends with ]"
                )
            self._take("]")
        self._take("-", write=False)
        right = self._took(">", write=False)
        if left and right:
            raise refusal(self._cypher, self._tokens[self._at - 1].start, "a relation points one way, or neither: -[]-")
        self._out[-1] += "->" if right else "-"

    def _hops(self) -> None:
        begin = self._step()
        low = self._whole("a number of hops") if self._next.kind is Kind.NUMBER else None
        high = low
        if self._took("..", write=False):
            high = self._whole("a number of hops") if self._next.kind is Kind.NUMBER else None
        if high is None or high > _MAX_HOPS:
            raise refusal(
                self._cypher,
                begin.start,
                f"a relation of variable length has an upper bound of at most {_MAX_HOPS}: *1..3",
            )
        self._write(f"*{high}" if low == high else f"*{1 if low is None else low}..{high}")

    # expressions

    def _expression(self) -> None:
        with _Deeper(self):
            while True:
                while self._took("NOT"):
                    pass
                self._took("-", "+")
                self._atom()
                self._after()
                if not self._operator():
                    return

    def _operator(self) -> bool:
        if self._word("STARTS", "ENDS"):
            self._step_word()
            self._take("WITH")
            return True
        if self._word(*_BINARY_WORDS):
            self._step_word()
            return True
        if self._next.kind is Kind.SIGN and self._next.value in _COMPARISONS:
            if self._at_relation():
                raise self._refused("an operator; what looks like a relation stands between two nodes: (a)-[]-(b)")
            self._write(self._step().value)
            return True
        return False

    def _step_word(self) -> None:
        self._write(self._step().keyword)

    def _after(self) -> None:
        """Read what may follow a value: properties, an index, a label, IS NULL."""
        while True:
            if self._took("."):
                self._write(self._name("the name of a property", reserved=True))
            elif self._is("["):
                self._index()
            elif self._took(":"):
                self._entity_label()
                self._write(self._label)
            elif self._took("IS"):
                self._took("NOT")
                self._take("NULL")
            else:
                return

    def _index(self) -> None:
        self._take("[")
        if not self._is(".."):
            self._expression()
        if self._took("..") and not self._is("]"):
            self._expression()
        self._take("]")

    def _atom(self) -> None:
        token = self._next
        if token.kind is Kind.NUMBER:
            self._number()
        elif token.kind is Kind.TEXT:
            self._text()
        elif token.kind is Kind.PARAMETER:
            self._parameter()
        elif self._is("["):
            self._square()
        elif self._is("{"):
            self._map()
        elif self._is("("):
            self._round()
        elif self._at_name():
            self._named(token)
        else:
            raise self._refused("a value")

    def _named(self, token: Token) -> None:
        if token.keyword in _CONSTANTS:
            self._step_word()
        elif token.keyword == "CASE":
            self._case()
        elif token.keyword in ("EXISTS", "COUNT", "COLLECT") and self._is("{", ahead=1):
            self._step_word()
            self._asked()
        elif token.keyword in ("SHORTESTPATH", "ALLSHORTESTPATHS"):
            self._shortest()
        elif self._is("(", ahead=1) or self._is_namespaced():
            self._function()
        else:
            self._variable()

    def _variable(self) -> None:
        self._write(self._name("a value"))
        if self._is("{"):
            self._take("{")
            self._list("}", self._projected)
            self._take("}")

    def _projected(self) -> None:
        """Read one entry of a map projection: .name, .*, key: value, or variable."""
        if self._took("."):
            if self._took("*"):
                return
            token = self._next
            name = self._name("the name of a property", reserved=True)
            if name != token.value:
                raise refusal(self._cypher, token.start, f"found .{name}, allowed here: `key: variable.{name}`")
            self._write(name)
        elif self._is(":", ahead=1):
            self._entry()
        else:
            self._write(self._name("a variable, .property, .* or key: value"))

    def _is_namespaced(self) -> bool:
        """Say whether words with dots between them, and then "(", begin here: a function, and no property."""
        ahead = 0
        while self._at_name(ahead) and self._is(".", ahead=ahead + 1):
            ahead += 2
        return ahead > 0 and self._at_name(ahead) and self._is("(", ahead=ahead + 1)

    def _function(self) -> None:
        begin = self._next
        parts = [self._step().value]
        while self._took(".", write=False):
            parts.append(self._step().value)
        called = ".".join(parts).lower()
        if called in QUANTIFIERS:
            self._write(QUANTIFIERS[called])
            self._take("(")
            self._drawn()
            self._take("WHERE")
            self._expression()
            self._take(")")
            return
        if called not in FUNCTIONS:
            if begin.keyword in FORBIDDEN:
                raise self._refused("a value", begin)
            raise refusal(
                self._cypher,
                begin.start,
                f"the function {'.'.join(parts)[:60]!r} may not be called; allowed: {', '.join(FUNCTIONS.values())}",
            )
        self._write(FUNCTIONS[called])
        self._take("(")
        if called == "count" and self._took("*"):
            self._take(")")
            return
        if FUNCTIONS[called] in AGGREGATES:
            self._took("DISTINCT")
        self._list(")", self._expression)
        self._take(")")

    def _drawn(self) -> None:
        """Read `variable IN list`."""
        self._write(self._name("a variable"))
        self._take("IN")
        self._expression()

    def _case(self) -> None:
        self._take("CASE")
        if not self._word("WHEN"):
            self._expression()
        if not self._word("WHEN"):
            raise self._refused("WHEN")
        while self._took("WHEN"):
            self._many(self._expression)
            self._take("THEN")
            self._expression()
        if self._took("ELSE"):
            self._expression()
        self._take("END")

    def _asked(self) -> None:
        """Read { .. } of EXISTS, COUNT and COLLECT: a query, or a path with WHERE."""
        self._take("{")
        with _Deeper(self):
            if self._is("(") or (self._at_name() and self._is("=", ahead=1)):
                self._many(self._path)
                if self._took("WHERE"):
                    self._expression()
            else:
                self._inner_query()
        self._take("}")

    def _inner_query(self) -> None:
        """Read the query of EXISTS or COUNT, the last clause of which may be a MATCH."""
        while self._word("MATCH", "OPTIONAL"):
            self._match()
            if self._is("}"):
                return
        self._union()

    def _square(self) -> None:
        """Read a list, a comprehension of a list, or one of paths."""
        self._take("[")
        if self._next_is_drawn():
            self._drawn()
            if self._took("WHERE"):
                self._expression()
            if self._took("|"):
                self._expression()
        elif self._at_path() or (self._at_name() and self._is("=", ahead=1) and self._at_path(2)):
            if self._at_name():
                self._write(self._name("a variable"))
                self._take("=")
            self._chain()
            if self._took("WHERE"):
                self._expression()
            self._take("|")
            self._expression()
        else:
            self._list("]", self._expression)
        self._take("]")

    def _next_is_drawn(self) -> bool:
        return self._at_name() and self._word("IN", ahead=1)

    def _round(self) -> None:
        """Read a path, or an expression in parentheses."""
        if self._at_path():
            self._chain()
            return
        self._take("(")
        self._expression()
        self._take(")")


class _Deeper:
    """Counts how deep expressions and subqueries lie in one another."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        self._reader._depth += 1
        if self._reader._depth > _MAX_DEPTH:
            raise refusal(
                self._reader._cypher, self._reader._next.start, f"this lies more than {_MAX_DEPTH} brackets deep"
            )

    def __exit__(self, *_: object) -> None:
        self._reader._depth -= 1


def _quoted(name: str) -> str:
    """A name as it is written: in backticks only where it must be, since ArcadeDB takes them for a part of a few names."""
    return name if _PLAIN.fullmatch(name) and name.upper() not in RESERVED else f"`{name}`"


def _number(cypher: str, token: Token) -> str:
    text = token.value
    if not text.isdecimal() and text[:2].lower() not in ("0x", "0o"):
        value = float(text)
        if value == float("inf"):
            raise refusal(cypher, token.start, f"{text[:40]} is too big for a number")
        return repr(value)
    whole = int(text) if text.isdecimal() else int(text, 0)
    if whole > _BIGGEST:
        raise refusal(cypher, token.start, f"{text[:40]} is too big for a whole number, allowed: up to {_BIGGEST}")
    return str(whole)
