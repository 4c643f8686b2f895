"""The CA that the proxy ends TLS with: its folder, made on first use, and the bundle that clients are given.

mitmproxy makes the folder 0755; one that holds a CA's key is the user's alone: 0700, the keys 0600.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

import certifi
from mitmproxy.certs import CertStore

from recorder.errors import ProxyError

_BASENAME = "mitmproxy"  # mitmproxy's own, so that `mitmdump --set confdir=certs` uses the same CA
_KEY_SIZE = 2048  # bits; mitmproxy's default
_KEYS = (f"{_BASENAME}-ca.pem", f"{_BASENAME}-ca.p12")


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
    try:
        folder = folder.absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with (folder / ".lock").open("w") as lock:  # two recorders that start at once make one CA
            fcntl.flock(lock, fcntl.LOCK_EX)
            CertStore.from_store(folder, _BASENAME, _KEY_SIZE)
            for key in _KEYS:
                (folder / key).chmod(0o600)
            ca = folder / f"{_BASENAME}-ca-cert.pem"
            roots = Path(certifi.where()).read_bytes()
            bundle = _write(folder / "bundle.pem", roots + b"\n" + ca.read_bytes())
            upstream = upstream_ca and _write(folder / "upstream-bundle.pem", roots + b"\n" + _pem(upstream_ca))
    except (OSError, ValueError) as error:
        raise ProxyError(f"expected to keep the CA in {folder}, found {error}; choose a folder with --certs") from error
    return Trust(folder=folder, ca=ca, bundle=bundle, upstream=upstream)


def _pem(path: Path) -> bytes:
    content = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ValueError(f"no PEM certificate in {path}")
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
