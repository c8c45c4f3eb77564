"""Cypher text to tokens, stricter than any server: what could be read in two ways is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rejoinder.errors import GraphQueryError

__all__ = ["Kind", "Token", "refusal", "tokens_of"]

MAX_CHARACTERS: Final = 20_000


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted name"
    TEXT = "text"
    NUMBER = "number"
    PARAMETER = "parameter"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its kind, its meaning (of a text what it says, of a name without backticks), and characters [start, end) of the query."""

    kind: Kind
    value: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in capitals, or "" for what is no word."""
        return self.value.upper() if self.kind is Kind.WORD else ""

    def __str__(self) -> str:
        """Return how a refusal names it."""
        return "the end of the query" if self.kind is Kind.END else f"{self.kind.value} {self.value[:60]!r}"


_PATTERN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<comment>//[^\n\r]*|/\*.*?\*/)
  | (?P<NUMBER>(?:0[xX][0-9a-fA-F]+|0o[0-7]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_]))
  | (?P<WORD>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<QUOTED>`[^`\\'"/{}\x00-\x1f\x7f]{1,128}`(?!`))
  | (?P<TEXT>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | (?P<PARAMETER>\$(?:[A-Za-z][A-Za-z0-9_]*|`[A-Za-z][A-Za-z0-9_]*`))
  | (?P<SIGN>\.\.|<=|>=|<>|=~|\|\||/(?!\*)|[()\[\]{},.:;+\-*%^=<>|!&$])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"', "`": "`"}
_UNICODE_ESCAPE: Final = re.compile(r"\\u")


def tokens_of(cypher: str) -> list[Token]:
    r"""Return the tokens of a query without blanks and comments, the last of kind END.

    Raises:
        GraphQueryError: a character that Cypher needs nowhere outside of texts and backticks, a text or comment that does not end,
            a \u escape (Cypher replaces it before it looks for the ends of texts), or more than 20,000 characters.
    """
    if len(cypher) > MAX_CHARACTERS:
        raise GraphQueryError(
            f"the query has {len(cypher)} characters, {MAX_CHARACTERS} are allowed: pass long values as parameters"
        )
    escape = _UNICODE_ESCAPE.search(cypher)
    if escape is not None:
        raise refusal(cypher, escape.start(), r"a \u escape is refused: write the character itself")
    tokens = []
    at = 0
    while at < len(cypher):
        match = _PATTERN.match(cypher, at)
        if match is None:
            raise refusal(cypher, at, _unreadable(cypher[at:]))
        group = match.lastgroup or ""
        if group not in ("space", "comment"):
            tokens.append(_token(cypher, Kind[group], match))
        at = match.end()
    tokens.append(Token(Kind.END, "", len(cypher), len(cypher)))
    return tokens


def refusal(cypher: str, at: int, reason: str) -> GraphQueryError:
    """Return the error for a query that is refused because of what begins at a character."""
    line = cypher.count("\n", 0, at) + 1
    column = at - cypher.rfind("\n", 0, at)
    return GraphQueryError(f"query refused at line {line}, column {column}: {reason}")


def _token(cypher: str, kind: Kind, match: re.Match[str]) -> Token:
    value = match.group()
    if kind is Kind.TEXT:
        value = _said(cypher, match.start() + 1, value[1:-1])
    elif kind is Kind.QUOTED:
        value = value[1:-1]
    elif kind is Kind.PARAMETER:
        value = value[1:].strip("`")
    return Token(kind, value, match.start(), match.end())


def _said(cypher: str, start: int, body: str) -> str:
    """What a text says, its escapes resolved."""
    said = []
    at = 0
    while at < len(body):
        if body[at] == "\\":
            if body[at + 1] not in _ESCAPES:
                raise refusal(
                    cypher, start + at, f"{body[at : at + 2]!r} is no escape of Cypher; write \\\\ for a backslash"
                )
            said.append(_ESCAPES[body[at + 1]])
            at += 2
        else:
            said.append(body[at])
            at += 1
    return "".join(said)


def _unreadable(rest: str) -> str:
    if rest.startswith("/*"):
        return "this comment does not end"
    if rest[0] in "'\"":
        return "this text does not end"
    if rest[0] == "`":
        return "a name in backticks has 1 to 128 characters, none of them a control character or one of ` \\ ' \" / { }"
    if rest[0].isdigit():
        return f"{rest[:20]!r} is no number"
    if rest[0] == "$":
        return "the name of a parameter begins with a letter and has letters, digits and _"
    return f"{rest[0]!r} is refused outside of texts and backticks"
