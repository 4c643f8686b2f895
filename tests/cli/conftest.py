"""The command line in this process: what needs no recorder at work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from recorder.cli import main
from recorder.cli.options import config_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended."""

    status: int | str | None
    stdout: str
    stderr: str


Call = Callable[..., Outcome]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with the state of running recorders in `state` below it, and no settings."""
    for variable in [name for name in os.environ if name.startswith("RECORDER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("RECORDER_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    config_file.cache_clear()
    return folder


@pytest.fixture
def call(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:  # noqa: ARG001 - the place to be in
    """call("list", "--json"): as typed, through `main`, which is where errors become lines."""

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["recorder", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(status=ended.value.code, stdout=captured.out, stderr=captured.err)

    return call
