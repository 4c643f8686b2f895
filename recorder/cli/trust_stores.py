"""Which commands add a CA to the trust stores of this machine: pure, so that every system's can be tested on any.

Only stores that have a place and a command of their own for it. From each system's manual: update-ca-certificates(8) of
Debian and SUSE, update-ca-trust(8) of Fedora and Arch, security(1) of macOS, certutil(1) of NSS, which is what Chrome
reads on Linux.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = "openrouter-recorder"
# Folder of the drop-ins → the command that takes them up.
_DROP_INS = {
    "/usr/local/share/ca-certificates": "update-ca-certificates",  # Debian, Ubuntu, Alpine
    "/etc/pki/ca-trust/source/anchors": "update-ca-trust",  # Fedora, RHEL
    "/etc/ca-certificates/trust-source/anchors": "update-ca-trust",  # Arch
    "/etc/pki/trust/anchors": "update-ca-certificates",  # SUSE
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What decides. `has` tells whether a program is on the PATH, `is_folder` whether a folder is there."""

    platform: str
    home: Path
    is_root: bool
    has: Callable[[str], object]
    is_folder: Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A trust store: what adds a CA to it, and what takes it out again."""

    name: str
    add: tuple[tuple[str, ...], ...]
    remove: tuple[tuple[str, ...], ...]


def stores(machine: Machine, ca: Path) -> list[Store]:
    """Those of this machine, the system's first."""
    found = _macos(machine, ca) if machine.platform == "darwin" else _drop_in(machine, ca)
    return [*found, *_nss(machine, ca)]


def _drop_in(machine: Machine, ca: Path) -> Iterator[Store]:
    sudo = () if machine.is_root else ("sudo",)
    for folder, update in _DROP_INS.items():
        if machine.is_folder(folder) and machine.has(update):
            file = f"{folder}/{_NAME}.crt"
            yield Store(
                name="the system's store",
                add=((*sudo, "install", "-m", "0644", str(ca), file), (*sudo, update)),
                remove=((*sudo, "rm", file), (*sudo, update)),
            )
            return


def _macos(machine: Machine, ca: Path) -> Iterator[Store]:
    keychain = str(machine.home / "Library/Keychains/login.keychain-db")
    yield Store(
        name="your login keychain",
        add=(("security", "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", keychain, str(ca)),),
        remove=(("security", "remove-trusted-cert", str(ca)),),
    )


def _nss(machine: Machine, ca: Path) -> Iterator[Store]:
    folder = machine.home / ".pki/nssdb"
    if machine.has("certutil") and machine.is_folder(str(folder)):
        database = f"sql:{folder}"
        yield Store(
            name="your browsers' store (NSS)",
            add=(("certutil", "-d", database, "-A", "-t", "C,,", "-n", _NAME, "-i", str(ca)),),
            remove=(("certutil", "-d", database, "-D", "-n", _NAME),),
        )
