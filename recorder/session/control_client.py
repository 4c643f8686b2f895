"""What a program asks of a running recorder: to start one session among many, and to stop it.

Plain HTTP at the base-URL port: `PUT /~NAME` starts a session, `GET` tells how it stands, `DELETE` stops it.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote

from recorder.errors import RecorderError

SESSION_HEADER = "X-Recorder-Session"
"""Of any request: the session that it is for."""

MODE_HEADER = "X-Recorder-Mode"
"""Of a `PUT /~NAME`: the mode that the session is started in."""

_PATIENCE = 60.0  # seconds; a session that is stopped lets its streams finish first


def start(port: int, name: str, *, mode: str = "") -> dict[str, Any]:
    """Start session `name`, in another mode than the recorder's own if one is given. RecorderError if it cannot be."""
    return _ask(port, "PUT", name, {MODE_HEADER: mode} if mode else {})


def stop(port: int, name: str) -> dict[str, Any]:
    """Stop session `name`; what it came to. When this returns its cassette is whole, in order, and let go of."""
    return _ask(port, "DELETE", name, {})


def _ask(port: int, method: str, name: str, headers: dict[str, str]) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request(method, f"/~{quote(name, safe='')}", headers=headers)
        response = connection.getresponse()
        told: dict[str, Any] = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        raise RecorderError(f"expected a recorder at port {port}, found {error!r}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise RecorderError(str(told["error"]["message"]).removeprefix("recorder: "))
    return told
