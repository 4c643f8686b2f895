"""Which session a request is for, and which host: what the client says by header, path or proxy user.

The header `X-Recorder-Session` goes before the path `/~NAME/…` at the base-URL door, and that before the user in the
proxy's URL (`http://NAME:x@127.0.0.1:8080`). At the base-URL door `/@HOST/…` leads to another recorded host than the
first. What was meant for us is taken off: the upstream and the cassette do not see it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from mitmproxy import http
from mitmproxy.proxy.mode_specs import ReverseMode

from recorder.errors import UsageError
from recorder.session.control_client import SESSION_HEADER
from recorder.session.settings import Host, parse_host
from recorder.storage.session_paths import check_name
from recorder.wire.ports import DEFAULT_PORTS

_USER_HEADER = "Proxy-Authorization"
_NO_TEXT = "surrogateescape"  # what is no UTF-8 is not to become a name, or no name: `check_name` refuses it


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request leads. `session`: None if it names none. `host`: None for the door's own.

    `control`: it is for the recorder itself (`/~NAME` and nothing behind it).
    """

    session: str | None = None
    host: Host | None = None
    control: bool = False


def proxy_user(headers: http.Headers) -> str | None:
    """The user in the proxy's URL, as a client sends it; None if there is none. The password means nothing."""
    scheme, _, credentials = headers.get(_USER_HEADER, "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials, validate=True).decode(errors=_NO_TEXT)
    except binascii.Error:
        return None
    return unquote(decoded.partition(":")[0], errors=_NO_TEXT) or None


def take(flow: http.HTTPFlow, hosts: Iterable[Host], *, user: str | None) -> Route:
    """Read the request's route and take off it what is not for the upstream. `user`: of the CONNECT before it.

    Raises UsageError for a session's name that cannot be one, and for a host that is not recorded.
    """
    request = flow.request
    named = request.headers.pop(SESSION_HEADER, None)
    if request.first_line_format == "absolute":  # such a request is for the proxy, and so is this header of it
        user = proxy_user(request.headers) or user
        request.headers.pop(_USER_HEADER, None)
    route = Route()
    if isinstance(flow.client_conn.proxy_mode, ReverseMode):
        route, request.path = _from_path(request.path, hosts)
        if route.host is not None:
            request.scheme = route.host.scheme
            request.host = route.host.name
            request.port = route.host.port or DEFAULT_PORTS[route.host.scheme]
    said = (each for each in (named, route.session, user) if each is not None)
    name = next(said, None)
    return replace(route, session=None if name is None else check_name(name))


def _from_path(path: str, hosts: Iterable[Host]) -> tuple[Route, str]:
    """The route that `/~NAME` and `/@HOST` at the start of a path say, and the rest of it."""
    route = Route()
    while path.startswith(("/~", "/@")):
        part, slash, rest = path[2:].partition("/")
        if path[1] == "~" and route.session is None:
            route = replace(route, session=unquote(part, errors=_NO_TEXT), control=not slash)
        elif path[1] == "@" and route.host is None:
            route = replace(route, host=_recorded(unquote(part), hosts))
        else:
            break
        path = f"/{rest}"
    return route, path


def _recorded(text: str, hosts: Iterable[Host]) -> Host:
    hosts = tuple(hosts)
    wanted = parse_host(text)
    for host in hosts:
        port = wanted.port or host.port or DEFAULT_PORTS[host.scheme]
        if host.matches(wanted.name, port):
            return replace(wanted, port=port, scheme=host.scheme)
    recorded = ", ".join(host.name for host in hosts)
    raise UsageError(f"expected a recorded host behind /@ ({recorded}), found {text!r}; record it with --host")
