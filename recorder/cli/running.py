"""The one running session that a command means."""

from __future__ import annotations

from recorder.errors import RecorderError
from recorder.session import registry


def the_one(entries: list[registry.Running], name: str | None) -> registry.Running:
    """The running session of that name; without a name, the only one."""
    if name is not None:
        return registry.find(entries, name)
    if len(entries) == 1:
        return entries[0]
    names = ", ".join(entry.title for entry in entries) or "none is running"
    raise RecorderError(f"expected the name of a session, found none ({names})")
