"""The self-test of the patches: it passes with all of them, and fails without any one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mitmproxy
import pytest
from mitmproxy import version

from recorder.errors import ProxyError
from recorder.proxy.patches import self_test, table
from tests.conftest import ROOT

PROMISED = [patch for patch in table.PATCHES if not patch.for_speed]

WITHOUT = """
import sys
from recorder.proxy.patches import self_test, table
for patch in table.PATCHES:
    if patch.install.__module__ != sys.argv[1] and not patch.for_speed:
        patch.install()
try:
    self_test.run()
except self_test.PatchFailedError as error:
    print(error)
    sys.exit(3)
"""


def without(module: str) -> subprocess.CompletedProcess[str]:
    """A fresh process: what is patched stays patched."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, module], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def test_with_all_patches_it_passes() -> None:
    assert (0, "", "") == ((done := without("none")).returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("patch", PROMISED, ids=lambda patch: patch.install.__module__.rpartition(".")[2])
def test_a_patch_taken_out_makes_it_fail(patch: table.Patch) -> None:
    done = without(patch.install.__module__)
    assert (3, "") == (done.returncode, done.stderr)
    assert done.stdout.strip() != ""


def test_every_patch_module_is_in_the_table() -> None:
    """Those that change no code when they run, and what serves the patches, are named here."""
    others = {"__init__", "table", "self_test", "http_layer", "lean_imports", "tcp_only"}
    modules = {path.stem for path in Path(table.__file__).parent.glob("*.py")}
    assert modules - others == {patch.install.__module__.rpartition(".")[2] for patch in table.PATCHES}


def test_a_version_that_was_not_tested_but_passes_is_said_and_has_no_shortcuts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed: list[str] = []
    patches = [
        table.Patch(install=lambda: installed.append("speed"), changes=(), gives="", for_speed=True),
        table.Patch(install=lambda: installed.append("promise"), changes=(), gives=""),
    ]
    monkeypatch.setattr(table, "PATCHES", patches)
    monkeypatch.setattr(self_test, "run", lambda: None)
    monkeypatch.setattr(version, "VERSION", "13.0.0.dev")
    table.install()
    assert ["promise"] == installed
    (line,) = caplog.messages
    assert "mitmproxy 13.0.0.dev was not tested (11.0 to 12.3 were)" in line


def test_shortcuts_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    speed = table.Patch(install=lambda: installed.append("speed"), changes=(), gives="", for_speed=True)
    monkeypatch.setattr(table, "PATCHES", [speed])
    monkeypatch.setattr(self_test, "run", lambda: None)
    table.install()
    monkeypatch.setenv(table.SWITCH, "off")
    table.install()
    assert ["speed"] == installed


def test_what_does_not_hold_is_one_line_with_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise self_test.PatchFailedError("nothing holds")

    monkeypatch.setattr(table, "PATCHES", [])
    monkeypatch.setattr(self_test, "run", fails)
    with pytest.raises(ProxyError, match=r"11\.0 to 12\.3\), found .*, and with it nothing holds; install") as caught:
        table.install()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", ["run", "mitmdump"])
def test_a_mitmproxy_that_never_calls_a_patch_is_refused_in_one_line(tmp_path: Path, way: str) -> None:
    """A release that renames `send_response` and keeps the old name as an alias: nothing calls what we replace."""
    shadow = tmp_path / "shadow"
    shutil.copytree(Path(mitmproxy.__file__).parent, shadow / "mitmproxy", ignore=shutil.ignore_patterns("tools/web"))
    release = shadow / "mitmproxy" / "version.py"
    release.write_text(release.read_text().replace(f'VERSION = "{version.VERSION}"', 'VERSION = "12.9.0"'))
    layer = shadow / "mitmproxy" / "proxy" / "layers" / "http" / "__init__.py"
    text = layer.read_text().replace("self.send_response(", "self._respond(")
    text = text.replace("def send_response(", "def _respond(")
    place = text.index("    def flow_done(self)")
    layer.write_text(f"{text[:place]}    send_response = _respond\n\n{text[place:]}")
    commands = {
        "run": [
            sys.executable,
            "-m",
            "recorder",
            "run",
            "--session",
            "x",
            "--certs",
            str(tmp_path / "certs"),
            "--",
            "true",
        ],
        "mitmdump": [
            *(sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()"),
            *("-q", "-s", str(ROOT / "addons" / "record.py"), "--listen-port", "0", "--set", f"confdir={tmp_path}"),
        ],
    }
    done = subprocess.run(
        commands[way],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(shadow), str(ROOT)]),
            "RECORDER_STATE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (line,) = done.stderr.splitlines()
    assert 1 == done.returncode
    assert "expected a mitmproxy that was tested (11.0 to 12.3), found 12.9.0" in line
    assert [] == list(tmp_path.rglob("x.yaml"))
