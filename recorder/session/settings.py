"""What a recorder is told: every setting as a checked value, and the one place that says what a wrong one is.

The commands and `mitmdump --set` give text; the functions here make values of it, or raise `UsageError` with one line.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.errors import UsageError
from recorder.session.settings_table import SETTINGS

if TYPE_CHECKING:  # every command has settings; few need the format, the scrubber or the matcher, which load longest
    from recorder.cassette import Layout
    from recorder.replay.policy import Playing
    from recorder.scrub import Rule


class Mode(StrEnum):
    """What a session does with a request, with go-vcr's meanings."""

    RECORD = "record"  # everything is recorded
    REPLAY = "replay"  # everything is answered from the cassette, and nothing goes upstream
    ONCE = "once"  # `record` if there is no cassette, else `replay`
    NEW_EPISODES = "new-episodes"  # what is known is replayed, the rest recorded
    PASSTHROUGH = "passthrough"  # nothing is recorded, nothing is replayed


"""Seconds that streams under way are given to finish on stop."""

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(
    rf"(?:(?P<scheme>https?)://)?(?P<name>\[[0-9A-Fa-f:.]+\]|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?/?"
)
_CONNECT_TO = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]*):(?P<port>[0-9]{0,5})"
    r":(?P<to_host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(?P<to_port>[0-9]{1,5})"
)
# RFC 9110, section 5.1: a field name is a token.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host that is recorded. Without `port`, every port of it; a `name` of `*.example.com` is every name below it."""

    name: str
    port: int | None = None
    scheme: str = "https"

    def matches(self, name: str, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        name = name.lower().rstrip(".")
        if self.name.startswith("*."):
            return name.endswith(self.name[1:])
        return name == self.name

    @property
    def pattern(self) -> str:
        """The same rule as an expression over `host:port`, which is what mitmproxy's `allow_hosts` takes."""
        name = r"[^:]+" + re.escape(self.name[1:]) if self.name.startswith("*.") else re.escape(self.name)
        return rf"^\[?{name}\.?\]?:{self.port or '[0-9]+'}$"

    @property
    def base_url(self) -> str:
        """`scheme://authority`, the target of the base-URL door."""
        authority = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{authority}" + (f":{self.port}" if self.port else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectTo:
    """Connections meant for `host:port` go to `to_host:to_port`; an empty host or port stands for any, as in curl."""

    host: str
    port: int | None
    to_host: str
    to_port: int

    def matches(self, host: str, port: int) -> bool:
        return self.host in ("", host.lower().rstrip(".")) and self.port in (None, port)


def _default(key: str) -> str:
    return SETTINGS[key].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One recorder's settings. `session` is that of requests which name none; None: they are refused.

    `layout` None: the layout that a cassette has, and go-vcr's for a new one. `playing` None: as by default. `timing`:
    whether the times of chunks are kept beside the cassette.
    """

    session: str | None = None
    cassette_dir: Path = Path(_default("cassette-dir"))
    hosts: tuple[Host, ...] = (Host(name=_default("host")),)
    layout: Layout | None = None
    keep_headers: tuple[str, ...] = ()
    port: int = int(_default("port"))
    base_url_port: int = int(_default("base-url-port"))
    certs: Path = Path("certs")
    connect_to: tuple[ConnectTo, ...] = field(default=())
    upstream_ca: Path | None = None
    grace: float = float(_default("grace"))
    allow_opaque: bool = False
    rules: tuple[Rule, ...] = ()
    mode: Mode = Mode.RECORD
    playing: Playing | None = None
    timing: bool = False

    def records(self, name: str, port: int) -> bool:
        return any(host.matches(name, port) for host in self.hosts)

    @property
    def is_offline(self) -> bool:
        """Whether no upstream may be asked, but for a session that is in another mode than the recorder."""
        return self.mode is Mode.REPLAY and (self.playing is None or self.playing.on_miss == "error")

    def offline_reason(self, host: str) -> str:
        """Why a connection to `host`, which is not recorded, is refused."""
        hosts = ", ".join(host.name for host in self.hosts)
        return f"in replay no connection is opened, and {host} is none of the recorded hosts ({hosts}); see --host"


def parse_mode(text: str) -> Mode:
    try:
        return Mode(text or "record")
    except ValueError:
        raise UsageError(f"expected a mode ({', '.join(Mode)}), found {text!r}") from None


def parse_host(text: str) -> Host:
    match = _HOST.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"expected a host (openrouter.ai, *.example.com, host:8443, http://host:8000), found {text!r}")
    port = _port(match["port"], text) if match["port"] else None
    return Host(name=_name(match["name"], text), port=port, scheme=match["scheme"] or "https")


def parse_hosts(text: str) -> tuple[Host, ...]:
    """Hosts in one text, parted by commas or spaces."""
    hosts = tuple(parse_host(part) for part in re.split(r"[,\s]+", text) if part)
    if not hosts:
        raise UsageError("expected at least one host to record, found none")
    if hosts[0].name.startswith("*."):
        raise UsageError(f"expected one host first, to which the base-URL port leads, found {hosts[0].name!r}")
    return hosts


def parse_layout(text: str | None) -> Layout | None:
    """A layout by its name; "" and None are none in particular."""
    if not text:
        return None
    from recorder.cassette import LAYOUTS  # noqa: PLC0415 - see above

    try:
        return LAYOUTS[text]
    except KeyError:
        raise UsageError(f"expected a layout ({', '.join(LAYOUTS)}), found {text!r}") from None


def parse_headers(text: str) -> tuple[str, ...]:
    """Names of headers in one text, parted by commas or spaces."""
    names = tuple(part for part in re.split(r"[,\s]+", text) if part)
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"expected the name of a header to keep, found {name!r}")
    return names


def parse_connect_tos(text: str) -> tuple[ConnectTo, ...]:
    """Rules in one text, parted by commas or spaces."""
    return tuple(parse_connect_to(part) for part in re.split(r"[,\s]+", text) if part)


def parse_connect_to(text: str) -> ConnectTo:
    match = _CONNECT_TO.fullmatch(text)
    if match is None:
        raise UsageError(f"expected HOST:PORT:ADDR:PORT (as curl's --connect-to), found {text!r}")
    return ConnectTo(
        host=_name(match["host"], text),
        port=_port(match["port"], text) if match["port"] else None,
        to_host=_name(match["to_host"], text),
        to_port=_port(match["to_port"], text),
    )


def _port(digits: str, text: str) -> int:
    port = int(digits)
    if not 1 <= port <= 65535:
        raise UsageError(f"expected a port from 1 to 65535, found {digits} in {text!r}")
    return port


def _name(host: str, text: str) -> str:
    """A host's name as connections have it: lower case; an IPv6 address in its short form, without the brackets."""
    if not host.startswith("["):
        return host.lower()
    try:
        return ipaddress.IPv6Address(host.strip("[]")).compressed
    except ValueError:
        raise UsageError(f"expected an IPv6 address in brackets, found {text!r}") from None
