"""Exceptions of ours that mitmproxy only logs."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

_OURS = Path(__file__).parents[1]


class OwnErrors(logging.Handler):
    """Sees what no guard of ours can catch: mitmproxy logs an exception out of our code, and carries on.

    One that comes out of mitmproxy alone is its own business, and costs one connection.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._failed = failed

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
            if any(Path(file).is_relative_to(_OURS) for file in files):
                self._failed(error)
