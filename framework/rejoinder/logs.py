"""What a process logs, and where: to standard error, a line each.

Libraries are heard from WARNING on only: they tell of each of their steps, and some set a level of their own. At DEBUG all is heard.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

__all__ = ["log_to_stderr"]

_OURS: Final = ("rejoinder", "uvicorn.access")
"""Loggers that are heard at the wanted level, with those below them; requests are logged only where `--access-log` asks for them."""


def log_to_stderr(level: str) -> None:
    """Log what is at this level or worse, unless logging was set up already.

    Args:
        level: "DEBUG", "INFO", "WARNING" or "ERROR".
    """
    handler = logging.StreamHandler(sys.stderr)
    if level != "DEBUG":
        handler.addFilter(_is_ours_or_a_warning)
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler])


def _is_ours_or_a_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or any(
        record.name == name or record.name.startswith(f"{name}.") for name in _OURS
    )
