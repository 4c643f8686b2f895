"""`recorder ca`: what it shows, and that it changes nothing unless it is told to."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recorder.cli import ca as command
from recorder.cli.trust_stores import Machine, Store
from recorder.proxy import certificates
from tests.cli.conftest import Call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certificates.Trust:
    """A CA, which takes a third of a second."""
    return certificates.prepare(tmp_path_factory.mktemp("ca") / "certs")


def test_the_ca_is_made_on_first_use_and_then_shown_again(call: Call, place: Path) -> None:
    folder = place / "certs"
    first, second = (call("ca", "--certs", str(folder)) for _ in range(2))
    assert (0, "") == (first.status, first.stderr)
    assert first == second
    assert str(folder / "mitmproxy-ca-cert.pem") in first.stdout
    assert 0o700 == folder.stat().st_mode & 0o777


def test_the_fingerprint_is_the_one_that_browsers_show(call: Call, made: certificates.Trust) -> None:
    shown = json.loads(call("ca", "--certs", str(made.folder), "--json").stdout)
    assert {"ca": str(made.ca), "bundle": str(made.bundle)} == {name: shown[name] for name in ("ca", "bundle")}
    assert re.fullmatch("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", shown["sha256"])
    assert time.strftime("%Y-%m-%d") < shown["expires"]
    text = call("ca", "--certs", str(made.folder)).stdout
    assert shown["sha256"] in text
    assert f"expires:  {shown['expires']}\n" in text
    if shutil.which("openssl"):
        asked = ["openssl", "x509", "-in", str(made.ca), "-noout", "-fingerprint", "-sha256"]
        printed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert shown["sha256"] == printed.strip().partition("=")[2]


def test_the_bundle_is_printed_alone_to_be_used_in_a_shell(call: Call, made: certificates.Trust) -> None:
    outcome = call("ca", "--certs", str(made.folder), "--bundle")
    assert (0, f"{made.bundle}\n") == (outcome.status, outcome.stdout)
    assert b"BEGIN CERTIFICATE" in made.bundle.read_bytes()


def test_the_bundle_has_the_roots_that_the_users_own_variables_name(
    call: Call, made: certificates.Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = certificates.prepare(tmp_path / "company").ca
    monkeypatch.setenv("SSL_CERT_FILE", str(company))
    call("ca", "--certs", str(made.folder), "--bundle")
    assert ssl.PEM_cert_to_DER_cert(company.read_text()) in certificates_in(made.bundle)


def certificates_in(path: Path) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=path)
    return context.get_ca_certs(binary_form=True)


@pytest.mark.parametrize("wrong", [("--bundle", "--json"), ("--install", "--json"), ("--yes",)])
def test_what_does_not_go_together_is_told(call: Call, place: Path, wrong: tuple[str, ...]) -> None:
    outcome = call("ca", "--certs", str(place / "certs"), *wrong)
    assert 2 == outcome.status
    assert outcome.stderr.startswith("recorder: expected ")
    assert not (place / "certs").exists()


# Installing


@pytest.fixture
def store(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only store is the folder that is given back."""
    folder = place / "store"
    folder.mkdir()

    def stores(_machine: Machine, ca: Path) -> list[Store]:
        return [
            Store(
                name="the store",
                add=(("cp", str(ca), f"{folder}/ours.crt"), (sys.executable, "-c", "")),
                remove=(("rm", f"{folder}/ours.crt"),),
            )
        ]

    monkeypatch.setattr(command, "stores", stores)
    return folder


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_nothing_is_installed_unless_the_user_agrees(
    call: Call, made: certificates.Trust, store: Path, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: answer.strip())
    outcome = call("ca", "--certs", str(made.folder), "--install")
    assert (1, "recorder: nothing was changed\n") == (outcome.status, outcome.stderr)
    assert f"  cp {made.ca} {store}/ours.crt\n" in outcome.stdout
    assert [] == os.listdir(store)  # noqa: PTH208 - names are all that is asked for


def test_what_is_installed_is_the_ca_and_how_to_remove_it_is_told(
    call: Call, made: certificates.Trust, store: Path
) -> None:
    outcome = call("ca", "--certs", str(made.folder), "--install", "--yes")
    assert (0, "") == (outcome.status, outcome.stderr)
    assert made.ca.read_bytes() == (store / "ours.crt").read_bytes()
    assert outcome.stdout.endswith(f"Added to the store. To take it out again:\n  rm {store}/ours.crt\n")


@pytest.mark.parametrize(
    ("add", "words"),
    [
        ("false", "expected `false` to succeed, found exit status 1"),
        ("no-such-program", "expected to run no-such-program, found No such file or directory"),
    ],
)
def test_a_command_that_fails_is_named(
    call: Call, made: certificates.Trust, monkeypatch: pytest.MonkeyPatch, add: str, words: str
) -> None:
    failing = Store(name="the store", add=((add,),), remove=())
    monkeypatch.setattr(command, "stores", lambda _machine, _ca: [failing])
    outcome = call("ca", "--certs", str(made.folder), "--install", "--yes")
    assert (1, f"recorder: {words}\n") == (outcome.status, outcome.stderr)


def test_a_machine_without_a_store_that_is_known_is_told(
    call: Call, made: certificates.Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "stores", lambda _machine, _ca: [])
    outcome = call("ca", "--certs", str(made.folder), "--install", "--yes")
    assert 1 == outcome.status
    assert outcome.stderr.startswith("recorder: expected a trust store that is known here")
