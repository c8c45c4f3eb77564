"""Lines of a stream of bytes, in bounded memory."""

from __future__ import annotations

from rejoinder.errors import InvalidInputError

__all__ = ["Lines"]


class Lines:
    """Puts together the lines of a stream that comes in pieces.

    Args:
        most_bytes: of one line; of a longer one nothing is kept but that it was too long.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._begun = bytearray()
        self._too_long = False
        self._number = 0

    def feed(self, piece: bytes) -> list[tuple[int, bytes | InvalidInputError]]:
        """Take the next piece; return the lines that end in it, each with its number from 0, without those that are blank."""
        *ended, rest = piece.split(b"\n")
        found = []
        for part in ended:
            self._append(part)
            found += self._end()
        self._append(rest)
        return found

    def close(self) -> list[tuple[int, bytes | InvalidInputError]]:
        """Return the last line, where it does not end with a line break."""
        return self._end()

    def _append(self, part: bytes) -> None:
        if self._too_long or len(self._begun) + len(part) > self._most:
            self._too_long = True
            self._begun.clear()
        else:
            self._begun += part

    def _end(self) -> list[tuple[int, bytes | InvalidInputError]]:
        line: bytes | InvalidInputError = bytes(self._begun).strip()
        if self._too_long:
            line = InvalidInputError(f"the line is larger than {self._most} bytes, the most that is taken at once")
        number, self._number = self._number, self._number + 1
        self._begun.clear()
        self._too_long = False
        return [(number, line)] if line else []
