"""The CA that the proxy ends TLS with: its folder, made on first use, and the bundle that clients are given.

mitmproxy makes the folder 0755; one that holds a CA's key is the user's alone: 0700, the keys 0600.

Who trusts whom: clients trust our CA, and for what is tunnelled unopened they need every root that they trusted before,
so the bundle holds the public roots, those of the system, and those that the user's own variables name (a company's
CA). We trust upstream the public roots and `--upstream-ca`, nothing else.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi
from mitmproxy.certs import CertStore

from recorder.errors import ProxyError

logger = logging.getLogger(__name__)

_BASENAME = "mitmproxy"  # mitmproxy's own, so that `mitmdump --set confdir=certs` uses the same CA
_KEY_SIZE = 2048  # bits; mitmproxy's default
_LOCK = ".lock"
_NO_CA_YET = {".gitkeep", ".gitignore", ".DS_Store", _LOCK}
"""What a folder may hold that is to get a CA, beside what a first start has begun."""
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""By which a client is told whom to trust: those that `recorder env` sets."""
# Where a system keeps its roots in one file; the first that is there is its own. From Go's crypto/x509, root_linux.go
# and root_bsd.go; macOS has /etc/ssl/cert.pem.
_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`ca`: our CA's certificate, for clients that add to their trust store. `bundle`: all roots and our CA, for those
    that replace it. `upstream`: whom we trust ourselves, None for mitmproxy's own choice (the public roots)."""

    folder: Path
    ca: Path
    bundle: Path
    upstream: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a CA is known by. `sha256`: its fingerprint, as browsers show it. `expires`: seconds since the epoch."""

    sha256: str
    expires: float


def identify(ca: Path) -> Identity:
    """The first certificate of a file."""
    der = next(_certificates(ca.read_bytes()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=der)
    until = context.get_ca_certs()[0]["notAfter"]
    assert isinstance(until, str)
    digest = hashlib.sha256(der).hexdigest().upper()
    return Identity(sha256=":".join(re.findall("..", digest)), expires=ssl.cert_time_to_seconds(until))


def roots(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files of roots beside the public ones that this user's clients trust so far."""
    system = next((path for path in map(Path, _SYSTEM) if path.is_file()), None)
    named = [Path(environ[name]) for name in VARIABLES if environ.get(name)]
    return tuple(dict.fromkeys([system, *named] if system else named))


def prepare(folder: Path, *, upstream_ca: Path | None = None, roots: Iterable[Path] = ()) -> Trust:
    """Make what is missing of the CA and the bundles in `folder`; `ProxyError` if that cannot be done.

    `roots`: files whose certificates clients are to trust too. One of them may be the very bundle that is made here, in
    a shell that `recorder env` has set up: what it held stays.
    """
    more = _pem(upstream_ca) if upstream_ca else b""
    try:
        folder = folder.absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_ours(folder)
        folder.chmod(0o700)
        with (folder / _LOCK).open("w") as lock:  # two recorders that start at once make one CA
            fcntl.flock(lock, fcntl.LOCK_EX)
            store = CertStore.from_store(folder, _BASENAME, _KEY_SIZE)
            for key in (f"{_BASENAME}-ca.pem", f"{_BASENAME}-ca.p12"):
                if (folder / key).exists():  # of a CA that the user brought there may be only the first
                    (folder / key).chmod(0o600)
            own = store.default_ca.to_pem()
            public = Path(certifi.where()).read_bytes()
            ca = _write(folder / f"{_BASENAME}-ca-cert.pem", own)
            bundle = _write(folder / "bundle.pem", b"\n".join((public, own, *_beyond(public + own, roots))))
            upstream = _write(folder / "upstream-bundle.pem", public + b"\n" + more) if more else None
    except (OSError, ValueError) as error:
        raise ProxyError(f"expected to keep the CA in {folder}, found {error}; choose a folder with --certs") from error
    return Trust(folder=folder, ca=ca, bundle=bundle, upstream=upstream)


def _beyond(known: bytes, files: Iterable[Path]) -> Iterator[bytes]:
    """The certificates in `files` that are not among the known ones, each once."""
    seen = set(_certificates(known))
    for file in files:
        try:
            found = list(_certificates(file.read_bytes()))
        except (OSError, ValueError) as error:
            logger.warning("recorder: expected certificates in %s, found %s; clients will not trust them", file, error)
            continue
        for der in found:
            if der not in seen:
                seen.add(der)
                yield ssl.DER_cert_to_PEM_cert(der).encode()


def _certificates(pem: bytes) -> Iterator[bytes]:
    """The certificates in a file of them, whatever else stands there."""
    return (ssl.PEM_cert_to_DER_cert(match.decode("ascii")) for match in _CERTIFICATE.findall(pem))


def _check_ours(folder: Path) -> None:
    """The folder is about to be closed to everybody else: it must not be one that is used for something else."""
    if (folder / f"{_BASENAME}-ca.pem").exists():
        return
    for entry in folder.iterdir():
        if entry.name not in _NO_CA_YET and not entry.name.startswith(f"{_BASENAME}-"):
            raise ValueError(f"{entry.name!r} in it, and no CA")


def _pem(path: Path) -> bytes:
    """The certificates in a file, or `ProxyError`: found out later, every connection would fail."""
    try:
        content = path.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode("ascii"))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ProxyError(f"expected a CA's certificate (PEM) in {path}, found {error}") from error
    return content


def _write(path: Path, content: bytes) -> Path:
    """Replace a bundle in one step: a client may be reading it. Nothing is written where nothing changes."""
    try:
        if path.read_bytes() == content:
            return path
    except FileNotFoundError:
        pass
    draft = path.with_suffix(f".{os.getpid()}.new")
    draft.write_bytes(content)
    draft.replace(path)
    return path
