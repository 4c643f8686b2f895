"""`recorder addon`: the path of a script that mitmdump loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recorder.cli.addon import SCRIPTS
from tests.cli.conftest import Call
from tests.e2e.processes import PATIENCE, ROOT, clean_environment

MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_prints_the_path_of_a_file_in_the_package(call: Call, script: str) -> None:
    outcome = call("addon", script)
    path = Path(outcome.stdout.removesuffix("\n"))
    assert (0, "") == (outcome.status, outcome.stderr)
    assert path.is_absolute()
    assert path.is_relative_to(ROOT / "recorder")


def test_another_name_is_one_line(call: Call) -> None:
    outcome = call("addon", "verify")
    assert 2 == outcome.status
    assert 1 == len(outcome.stderr.splitlines())
    assert "'record', 'replay'" in outcome.stderr


def test_mitmdump_loads_it_without_a_checkout(call: Call, tmp_path: Path) -> None:
    """The package alone, in a folder of its own, as a wheel installs it; mitmdump runs elsewhere."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "recorder").symlink_to(ROOT / "recorder")
    printed = Path(call("addon", "replay").stdout.strip())
    script = site / printed.relative_to(ROOT)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    done = subprocess.run(
        [MITMDUMP, "-s", str(script), "--set", f"confdir={tmp_path}", "--listen-port", "0"],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    # The addon speaks: what it has not been told is its own word.
    assert (2, "replay: expected the name of a session to replay, found none; add --set session=NAME\n") == (
        done.returncode,
        done.stderr,
    )
