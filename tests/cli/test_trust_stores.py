"""The commands for each system's trust store, on whatever system the test runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.cli.trust_stores import Machine, stores

CA = Path("/certs/ca.pem")
NSS = "/home/me/.pki/nssdb"


def commands(*there: str, platform: str = "linux", is_root: bool = False) -> list[str]:
    """What is run on a machine that has these programs and folders."""
    machine = Machine(
        platform=platform,
        home=Path("/home/me"),
        is_root=is_root,
        has=there.__contains__,
        is_folder=there.__contains__,
    )
    return [" ".join(command) for store in stores(machine, CA) for command in store.add]


@pytest.mark.parametrize(
    ("folder", "update"),
    [
        ("/usr/local/share/ca-certificates", "update-ca-certificates"),
        ("/etc/pki/ca-trust/source/anchors", "update-ca-trust"),
        ("/etc/ca-certificates/trust-source/anchors", "update-ca-trust"),
        ("/etc/pki/trust/anchors", "update-ca-certificates"),
    ],
)
def test_a_systems_store_takes_a_file_and_is_told(folder: str, update: str) -> None:
    install = f"install -m 0644 /certs/ca.pem {folder}/openrouter-recorder.crt"
    assert [f"sudo {install}", f"sudo {update}"] == commands(folder, update)
    assert [install, update] == commands(folder, update, is_root=True)


def test_a_folder_without_its_command_and_a_command_without_its_folder_are_no_store() -> None:
    assert [] == commands("/usr/local/share/ca-certificates", "update-ca-trust")
    assert [] == commands("update-ca-certificates")
    assert [] == commands()


def test_the_browsers_store_is_there_with_its_database_and_certutil() -> None:
    assert [f"certutil -d sql:{NSS} -A -t C,, -n openrouter-recorder -i /certs/ca.pem"] == commands(NSS, "certutil")
    assert [] == commands(NSS)


def test_macos_has_the_login_keychain_which_needs_no_sudo() -> None:
    keychain = "/home/me/Library/Keychains/login.keychain-db"
    assert [f"security add-trusted-cert -r trustRoot -p ssl -k {keychain} /certs/ca.pem"] == commands(platform="darwin")


def test_what_was_added_can_be_taken_out_again() -> None:
    machine = Machine(
        platform="linux", home=Path("/home/me"), is_root=True, has=lambda _: True, is_folder=lambda _: True
    )
    for store in stores(machine, CA):
        added, removed = (" ".join(map(" ".join, done)) for done in (store.add, store.remove))
        assert "openrouter-recorder" in added
        assert "openrouter-recorder" in removed
