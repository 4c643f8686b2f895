"""The one table of settings: what a recorder can be told, by which name, and what it is without being told.

The command line's options, the environment's variables, the keys of the settings file, mitmdump's options and the
table in the README are made from it. It loads nothing: every command reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    TEXT = auto()
    SEVERAL = auto()  # given again and again, or parted by commas and spaces
    FLAG = auto()
    FOLDER = auto()
    FILE = auto()  # that is written
    EXISTING_FILE = auto()
    NUMBER = auto()
    SECONDS = auto()
    PORT = auto()

    @property
    def is_path(self) -> bool:
        """In a settings file it is meant from that file's folder."""
        return self in (Kind.FOLDER, Kind.FILE, Kind.EXISTING_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`key`: the option's long name, and the file's. `help`: without the last full stop. `default`: as text, "" for
    none. `shown`: the default in words, where `default` does not say it. `flags`: the declaration on the command line,
    where it is more than `--key`. `mitmdump`: the name behind `--set`, "" if mitmdump has its own way.
    """

    key: str
    kind: Kind
    help: str
    default: str = ""
    shown: str = ""
    metavar: str = ""
    flags: tuple[str, ...] = ()
    mitmdump: str = ""

    @property
    def variable(self) -> str:
        return f"RECORDER_{self.key.replace('-', '_').upper()}"


_ROWS = (
    Setting(
        key="session",
        kind=Kind.TEXT,
        flags=("--session", "-s"),
        metavar="NAME",
        help="Session to record; a / makes folders",
        mitmdump="session",
    ),
    Setting(
        key="mode",
        kind=Kind.TEXT,
        metavar="MODE",
        default="record",
        help="record, replay, once (record if there is no cassette), new-episodes (record what is new) or passthrough",
        mitmdump="session_mode",
    ),
    Setting(
        key="cassette-dir",
        kind=Kind.FOLDER,
        default="cassettes",
        help="Folder of the cassettes",
        mitmdump="cassette_dir",
    ),
    Setting(
        key="host",
        kind=Kind.SEVERAL,
        metavar="HOST",
        default="openrouter.ai",
        help="Host to record; the first is behind the base URL",
        mitmdump="record_hosts",
    ),
    Setting(
        key="layout",
        kind=Kind.TEXT,
        metavar="LAYOUT",
        shown="go-vcr",
        help="Layout of a new cassette: go-vcr, seed or charm",
        mitmdump="layout",
    ),
    Setting(
        key="keep-header",
        kind=Kind.SEVERAL,
        metavar="NAME",
        help="Header to keep beside the usual ones, * for all, credentials replaced",
        mitmdump="keep_headers",
    ),
    Setting(
        key="certs",
        kind=Kind.FOLDER,
        shown="certs/ of the checkout, else the user's data folder",
        help="Folder of the CA",
    ),
    Setting(
        key="connect-to",
        kind=Kind.SEVERAL,
        metavar="HOST:PORT:ADDR:PORT",
        help="Connect to another address instead, as curl has it; URL and SNI stay",
    ),
    Setting(key="upstream-ca", kind=Kind.EXISTING_FILE, help="CA to trust upstream beside the public ones"),
    Setting(
        key="grace",
        kind=Kind.SECONDS,
        default="5.0",
        help="Seconds that streams under way may take to finish on stop",
    ),
    Setting(
        key="allow-opaque",
        kind=Kind.FLAG,
        help="Also record bodies that cannot be searched for secrets",
        mitmdump="allow_opaque",
    ),
    Setting(
        key="timing",
        kind=Kind.FLAG,
        help="Keep the times of chunks beside the cassette, for --speed recorded",
        mitmdump="timing",
    ),
    Setting(key="port", kind=Kind.PORT, default="8080", help="Proxy port; 0 picks a free one"),
    Setting(key="base-url-port", kind=Kind.PORT, default="8081", help="Base-URL port; 0 picks a free one"),
    Setting(
        key="base-url",
        kind=Kind.FLAG,
        flags=("--base-url/--no-base-url",),
        help="Also set the variables that SDKs take a base URL from",
    ),
    Setting(
        key="detach",
        kind=Kind.FLAG,
        flags=("--detach/--foreground", "-d"),
        shown="foreground",
        help="Run in the background",
    ),
    Setting(
        key="match",
        kind=Kind.SEVERAL,
        metavar="PART",
        default="method,url,body",
        help="What has to match: method, url, path, query, header:NAME, body, raw-body",
        mitmdump="match",
    ),
    Setting(
        key="ignore-json",
        kind=Kind.SEVERAL,
        metavar="PATH",
        help="Leave out of JSON bodies: $.a, $.b[*].id, $..id",
        mitmdump="ignore_json",
    ),
    Setting(
        key="reuse",
        kind=Kind.TEXT,
        metavar="WHAT",
        default="none",
        help="Play again when all has been played: none, last or all",
        mitmdump="reuse",
    ),
    Setting(
        key="on-miss",
        kind=Kind.TEXT,
        metavar="WHAT",
        default="error",
        help="What nothing answers: error (404), forward it upstream, or record it",
        mitmdump="on_miss",
    ),
    Setting(
        key="speed",
        kind=Kind.TEXT,
        metavar="SPEED",
        default="instant",
        help="instant, recorded, or a factor such as 2x",
        mitmdump="speed",
    ),
    Setting(
        key="tokens-per-second",
        kind=Kind.NUMBER,
        metavar="N",
        help="Stream at this pace instead",
        mitmdump="tokens_per_second",
    ),
    Setting(
        key="fault",
        kind=Kind.SEVERAL,
        metavar="FAULT",
        help="cut:after=3, stall:after=2,for=5s, status:429,retry-after=1 or reset; with id=N or rate=0.1,seed=7",
        mitmdump="fault",
    ),
    Setting(
        key="receipt",
        kind=Kind.FILE,
        help="Write what was served, missed and never played, as JSON",
        mitmdump="receipt",
    ),
    Setting(
        key="strict",
        kind=Kind.FLAG,
        help="Exit with 1 for a miss, and for an interaction that was never played",
        mitmdump="strict",
    ),
)
SETTINGS: Mapping[str, Setting] = {row.key: row for row in _ROWS}
"""By key, in the order of `recorder start --help`."""
