"""`recorder addon`: the path of a script that mitmdump loads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from recorder.cli.addon import SCRIPTS
from tests.cli.conftest import Call
from tests.e2e.processes import PATIENCE, ROOT, clean_environment


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


# Without `site`, so that no editable install of this checkout is found.
DUMP = """
import sys
from mitmproxy.tools.main import mitmdump
try:
    mitmdump()
finally:
    print("loaded", sys.modules["recorder.proxy.addon"].__file__)
"""


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("record", 0, ""),
        ("replay", 2, "replay: expected the name of a session to replay, found none; add --set session=NAME\n"),
    ],
)
def test_mitmdump_loads_it_without_a_checkout(call: Call, tmp_path: Path, script: str, status: int, said: str) -> None:
    """A copy of the package alone, as a wheel installs it; mitmdump runs elsewhere, and reads a file without flows."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "recorder", site / "recorder", ignore=shutil.ignore_patterns("__pycache__"))
    path = site / Path(call("addon", script).stdout.strip()).relative_to(ROOT)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "flows").touch()
    done = subprocess.run(
        [sys.executable, "-S", "-c", DUMP, "-s", str(path), "-n", "-r", "flows", "--set", f"confdir={tmp_path}"],
        cwd=folder,
        env=clean_environment(folder, PYTHONPATH=sysconfig.get_path("purelib")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (status, said) == (done.returncode, done.stderr)
    assert f"loaded {site / 'recorder' / 'proxy' / 'addon.py'}" == done.stdout.splitlines()[-1]
