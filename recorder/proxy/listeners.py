"""The two ports of a recorder: where clients reach it."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from recorder.errors import ProxyError
from recorder.session.settings import Settings

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where the proxy is reached, once it serves. `bundle`: whom its clients are to trust."""

    port: int
    base_url_port: int
    bundle: Path


def door_error(port: int, error: Exception) -> ProxyError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return ProxyError(f"expected port {port} to be free, found it taken; choose another (0 picks a free one)")
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return ProxyError(f"expected to listen on port {port}, found that it needs privileges; choose one above 1023")
    return ProxyError(f"expected to listen on port {port}, found {error}")


def with_ports(settings: Settings) -> Settings:
    """The settings with a free port in the place of each 0."""
    with ExitStack() as sockets:
        free = [sockets.enter_context(socket.socket()) for _ in range(2)]
        for candidate in free:
            candidate.bind((LOOPBACK, 0))
        first, second = (candidate.getsockname()[1] for candidate in free)
    return replace(settings, port=settings.port or first, base_url_port=settings.base_url_port or second)
