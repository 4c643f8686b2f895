"""Cassettes in the formats of other programs, out and in: pure functions between text and interactions. No I/O.

`har` and `vcrpy` go both ways; `jsonl`, `messages` and `parquet` go out only. What a format has no place for stands
beside it, in a field of ours that other programs pass over (`beside`); what others wrote becomes the exchange that it
was on the wire (`foreign`), so that it takes the way of whatever is recorded.
"""

from recorder.formats.exported_session import Session
from recorder.formats.wire_exchange import Found

__all__ = ["Found", "Session"]
