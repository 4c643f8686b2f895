"""mitmproxy's test context, of which nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mitmproxy.test import taddons


@contextmanager
def context(*addons: object) -> Iterator[taddons.context]:
    """Inside an event loop. A master would go on handling the log's records, on a loop that is closed by then."""
    made = taddons.context(*addons)
    try:
        with made:
            yield made
    finally:
        made.master._legacy_log_events.uninstall()
