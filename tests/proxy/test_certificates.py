"""The CA's folder: the user's alone, made once, and never somebody else's."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import subprocess
import sys
import time
from pathlib import Path

import certifi
import pytest
import trustme

from recorder.errors import ProxyError
from recorder.proxy import certificates

ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def certificates_in(path: Path) -> set[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=path)
    return set(context.get_ca_certs(binary_form=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certificates.Trust:
    """A CA, which takes a third of a second."""
    return certificates.prepare(tmp_path_factory.mktemp("trust") / "below" / "certs")


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of a private CA."""
    path = tmp_path_factory.mktemp("private") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_folder_and_keys_are_the_users_alone(made: certificates.Trust) -> None:
    assert 0o700 == mode(made.folder)
    assert {0o600} == {mode(made.folder / name) for name in ("mitmproxy-ca.pem", "mitmproxy-ca.p12")}
    public = {path.name for path in made.folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()}
    assert {"mitmproxy-ca.pem"} == public


def test_an_open_folder_with_a_ca_is_closed(made: certificates.Trust) -> None:
    made.folder.chmod(0o755)
    (made.folder / "mitmproxy-ca.pem").chmod(0o644)
    certificates.prepare(made.folder)
    assert [0o700, 0o600] == [mode(made.folder), mode(made.folder / "mitmproxy-ca.pem")]


def test_the_bundle_is_the_public_roots_and_our_ca(made: certificates.Trust) -> None:
    ours = certificates_in(made.ca)
    assert 1 == len(ours)
    roots = certificates_in(Path(certifi.where()))
    assert roots | ours == certificates_in(made.bundle)
    assert ours.isdisjoint(roots)


def test_upstream_the_private_ca_is_trusted_beside_the_public_ones(made: certificates.Trust, private: Path) -> None:
    assert None is made.upstream
    upstream = certificates.prepare(made.folder, upstream_ca=private).upstream
    assert upstream is not None
    assert certificates_in(Path(certifi.where())) | certificates_in(private) == certificates_in(upstream)
    assert certificates_in(made.ca).isdisjoint(certificates_in(upstream))


def test_a_second_start_changes_nothing(made: certificates.Trust) -> None:
    before = content(made.folder)
    stamps = {path.name: path.stat().st_mtime_ns for path in made.folder.iterdir() if path.name != ".lock"}
    assert made == certificates.prepare(made.folder)
    assert before == content(made.folder)
    assert stamps == {path.name: path.stat().st_mtime_ns for path in made.folder.iterdir() if path.name != ".lock"}


def test_what_is_missing_is_made_again_from_the_same_ca(made: certificates.Trust) -> None:
    before = content(made.folder)
    for name in ("mitmproxy-ca-cert.pem", "mitmproxy-ca.p12", "bundle.pem"):
        (made.folder / name).unlink()
    certificates.prepare(made.folder)
    assert before["mitmproxy-ca-cert.pem"] == made.ca.read_bytes()
    assert before["bundle.pem"] == made.bundle.read_bytes()


def test_two_at_once_make_one_ca(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    program = "import pathlib, sys, recorder.proxy.certificates as made; made.prepare(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(folder)]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [(0, b"")] * 2 == [(process.returncode, words) for process, words in zip(processes, said, strict=True)]
    ours = certificates_in(folder / "mitmproxy-ca-cert.pem")
    assert ours <= certificates_in(folder / "bundle.pem")
    assert ours == certificates_in(folder / "mitmproxy-ca.pem")
    assert [] == list(folder.glob("*.new"))


@pytest.mark.parametrize("name", [".gitkeep", ".gitignore"])
def test_the_folder_of_a_checkout_takes_a_ca(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    certificates.prepare(tmp_path)
    assert 0o700 == mode(tmp_path)


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ProxyError, match=r"'thesis\.tex' in it, and no CA; choose a folder with --certs"):
        certificates.prepare(tmp_path)
    assert 0o755 == mode(tmp_path)
    assert ["thesis.tex"] == os.listdir(tmp_path)  # noqa: PTH208 - names are all that is asked for


def test_a_ca_of_the_users_own_is_taken(tmp_path: Path, made: certificates.Trust) -> None:
    (tmp_path / "mitmproxy-ca.pem").write_bytes((made.folder / "mitmproxy-ca.pem").read_bytes())
    own = certificates.prepare(tmp_path)
    assert certificates_in(made.ca) == certificates_in(own.ca)
    assert 0o600 == mode(tmp_path / "mitmproxy-ca.pem")


def test_a_folder_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        refused(f"expected to keep the CA in {folder}", folder)


@pytest.mark.parametrize("damaged", [b"", b"no key", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_ca_is_told_in_one_line_and_kept(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "mitmproxy-ca.pem").write_bytes(damaged)
    refused(f"expected to keep the CA in {tmp_path}", tmp_path)
    assert damaged == (tmp_path / "mitmproxy-ca.pem").read_bytes()


@pytest.mark.parametrize(
    "damaged", [b"", b"text", b"\xff", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_to_trust_that_is_none_is_told_before_anything_is_made(tmp_path: Path, damaged: bytes) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(damaged)
    refused(f"expected a CA's certificate (PEM) in {file}", tmp_path / "certs", upstream_ca=file)
    refused("expected a CA's certificate (PEM)", tmp_path / "certs", upstream_ca=tmp_path / "missing")
    assert not (tmp_path / "certs").exists()


def refused(words: str, folder: Path, upstream_ca: Path | None = None) -> None:
    with pytest.raises(ProxyError, match=f"^{re.escape(words)}") as caught:
        certificates.prepare(folder, upstream_ca=upstream_ca)
    assert 1 == len(str(caught.value).splitlines())


# Roots that clients trust beside the public ones


def test_more_roots_are_in_the_bundle_each_once(made: certificates.Trust, private: Path, tmp_path: Path) -> None:
    """A company's bundle holds the public roots as well, text between the certificates, and its own."""
    company = tmp_path / "company.pem"
    company.write_bytes(b"# of the company\n" + Path(certifi.where()).read_bytes() + private.read_bytes())
    bundle = certificates.prepare(made.folder, roots=(company, company)).bundle
    assert certificates_in(made.ca) | certificates_in(company) == certificates_in(bundle)
    once = certificates.prepare(made.folder).bundle.read_bytes().count(b"-----BEGIN CERTIFICATE-----") + 1
    certificates.prepare(made.folder, roots=(company, company))
    assert once == bundle.read_bytes().count(b"-----BEGIN CERTIFICATE-----")


def test_what_the_bundle_held_stays_where_a_shell_already_uses_it(made: certificates.Trust, private: Path) -> None:
    bundle = certificates.prepare(made.folder, roots=(private,)).bundle
    before = bundle.read_bytes()
    certificates.prepare(made.folder, roots=certificates.roots({"SSL_CERT_FILE": str(bundle)})[-1:])
    assert before == bundle.read_bytes()


def test_more_roots_are_not_trusted_upstream(made: certificates.Trust, private: Path, tmp_path: Path) -> None:
    company = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(str(company))
    upstream = certificates.prepare(made.folder, upstream_ca=private, roots=(company,)).upstream
    assert upstream is not None
    assert certificates_in(company).isdisjoint(certificates_in(upstream))


@pytest.mark.parametrize("damaged", [None, b"-----BEGIN CERTIFICATE-----\n\xff\n-----END CERTIFICATE-----\n"])
def test_roots_that_cannot_be_read_are_told_and_left_out(
    made: certificates.Trust, tmp_path: Path, damaged: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "roots.pem"
    if damaged is not None:
        file.write_bytes(damaged)
    before = certificates.prepare(made.folder).bundle.read_bytes()
    assert before == certificates.prepare(made.folder, roots=(file,)).bundle.read_bytes()
    (told,) = caplog.messages
    assert told.startswith(f"recorder: expected certificates in {file}, found ")


def test_the_users_roots_are_those_that_the_variables_name(tmp_path: Path) -> None:
    first, second = str(tmp_path / "first.pem"), str(tmp_path / "second.pem")
    named = {"REQUESTS_CA_BUNDLE": first, "SSL_CERT_FILE": second, "CURL_CA_BUNDLE": first, "NODE_EXTRA_CA_CERTS": ""}
    system = certificates.roots({})
    assert len(system) <= 1
    assert (*system, Path(second), Path(first)) == certificates.roots(named)


def test_a_ca_is_known_by_its_fingerprint_and_its_end(made: certificates.Trust) -> None:
    identity = certificates.identify(made.ca)
    (der,) = certificates_in(made.ca)
    assert hashlib.sha256(der).digest() == bytes.fromhex(identity.sha256.replace(":", ""))
    assert time.time() + 300 * 86_400 < identity.expires
