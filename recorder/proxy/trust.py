"""The CA that the proxy ends TLS with: its folder, made on first use, and the bundle that clients are given.

mitmproxy makes the folder 0755; one that holds a CA's key is the user's alone: 0700, the keys 0600.
"""

from __future__ import annotations

import fcntl
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
from mitmproxy.certs import CertStore

from recorder.errors import ProxyError

_BASENAME = "mitmproxy"  # mitmproxy's own, so that `mitmdump --set confdir=certs` uses the same CA
_KEY_SIZE = 2048  # bits; mitmproxy's default
_LOCK = ".lock"
_NO_CA_YET = {".gitkeep", ".gitignore", ".DS_Store", _LOCK}
"""What a folder may hold that is to get a CA, beside what a first start has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`ca`: our CA's certificate, for clients that add to their trust store. `bundle`: the public roots and our CA, for
    clients that replace it. `upstream`: whom we trust ourselves, None for mitmproxy's own choice (the public roots)."""

    folder: Path
    ca: Path
    bundle: Path
    upstream: Path | None


def prepare(folder: Path, *, upstream_ca: Path | None = None) -> Trust:
    """Make what is missing of the CA and the bundles in `folder`; `ProxyError` if that cannot be done."""
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
            roots = Path(certifi.where()).read_bytes()
            ca = _write(folder / f"{_BASENAME}-ca-cert.pem", own)
            bundle = _write(folder / "bundle.pem", roots + b"\n" + own)
            upstream = _write(folder / "upstream-bundle.pem", roots + b"\n" + more) if more else None
    except (OSError, ValueError) as error:
        raise ProxyError(f"expected to keep the CA in {folder}, found {error}; choose a folder with --certs") from error
    return Trust(folder=folder, ca=ca, bundle=bundle, upstream=upstream)


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
