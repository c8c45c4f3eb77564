"""Lines that somebody types, or that come through a pipe."""

from __future__ import annotations

import sys


def read_line(prompt: str = "", *, typed: bool) -> str | None:
    """Return the next line of standard input; None at its end.

    Args:
        prompt: shown before a line that is typed.
        typed: whether somebody sits at the keyboard: lines can be edited, and come without their end.
    """
    if not typed:
        return sys.stdin.readline() or None
    import readline  # noqa: F401  # makes the arrow keys work in input()

    try:
        return input(prompt)
    except EOFError:
        return None
