"""`diff` and `textconv`, and what git makes of the latter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.cassette import CHARM, GO_VCR, Cassette, Layout, dumps
from tests.cli.conftest import Call
from tests.conftest import ROOT, missing
from tests.llm.conversation.making import interaction


def cassette(*answers: str, layout: Layout = GO_VCR) -> bytes:
    made = []
    for number, answer in enumerate(answers):
        asked = {"model": "m", "messages": [{"role": "user", "content": f"Question {number}\x1b[2J"}]}
        said = {"role": "assistant", "content": answer}
        body = {"created": hash(answers), "choices": [{"message": said, "finish_reason": "stop"}]}
        made.append(interaction("/chat/completions", asked, body))
    return dumps(Cassette(interactions=tuple(made), layout=layout))


@pytest.fixture
def folder(place: Path) -> Path:
    folder = place / "cassettes"
    folder.mkdir()
    (folder / "a.yaml").write_bytes(cassette("It is 40 °C.", "Yes"))
    (folder / "same.yaml").write_bytes(cassette("It is 40 °C.", "Yes", layout=CHARM))
    (folder / "other.yaml").write_bytes(cassette("It is 30 °C.", "Yes"))
    (folder / "torn.yaml").write_bytes(cassette("It is 40 °C.", "Yes")[:-20])
    return folder


@pytest.mark.usefixtures("folder")
def test_it_exits_as_diff_does(call: Call) -> None:
    same, other = call("diff", "a", "same"), call("diff", "a", "cassettes/other.yaml")
    assert (0, "2 the same\n", "") == (same.status, same.stdout, same.stderr)
    assert (1, "") == (other.status, other.stderr)
    assert ["-  It is 40 °C.", "+  It is 30 °C."] == [
        row for row in other.stdout.splitlines() if row[0:1] in ("+", "-")
    ]
    assert other.stdout.endswith("1 the same, 1 changed\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", [["a", "torn"], ["torn", "a"], ["a", "nobody"], ["a"], ["a", "a", "a"]])
def test_what_cannot_be_compared_is_one_line_and_2(call: Call, arguments: list[str]) -> None:
    outcome = call("diff", *arguments)
    assert (2, "") == (outcome.status, outcome.stdout)
    assert 1 == len(outcome.stderr.splitlines())


@pytest.mark.usefixtures("folder")
def test_textconv_tells_a_cassette_as_a_conversation(call: Call) -> None:
    outcome = call("textconv", "cassettes/a.yaml")
    assert (0, "") == (outcome.status, outcome.stderr)
    assert outcome.stdout.startswith(
        "interaction 0\n"
        "POST https://api.example.com/chat/completions\n"
        "model: m\n\n"
        "user\n  Question 0\\x1b[2J\n\n"
        "assistant\n  It is 40 °C.\n\n"
        "finish reason: stop\n"
    )


def test_textconv_never_fails_for_what_is_in_a_file(call: Call, folder: Path) -> None:
    torn = call("textconv", "cassettes/torn.yaml")
    assert (0, "") == (torn.status, torn.stderr)
    assert "interaction 0\n" in torn.stdout
    assert "interaction 1\n" not in torn.stdout
    assert torn.stdout.splitlines()[-1].startswith("damaged: the end of the file, in the middle of interaction 1")
    (folder / "notes.yaml").write_bytes(b"a: 1\n<<<<<<< ours\n\xff\n")
    assert "a: 1\n<<<<<<< ours\n\\xff\n" == call("textconv", "cassettes/notes.yaml").stdout
    assert 2 == call("textconv", "nowhere").status


def test_git_diff_shows_conversations(folder: Path, tmp_path: Path) -> None:
    """With the lines that the README gives."""
    if shutil.which("git") is None:
        missing("git")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (attributes,) = re.findall(r"^(\S+ diff=recorder)$", readme, re.MULTILINE)
    (command,) = re.findall(r"^git config diff\.recorder\.textconv .*$", readme, re.MULTILINE)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "recorder").write_text(f'#!/bin/sh\nexec {sys.executable} -m recorder "$@"\n')
    (bin_folder / "recorder").chmod(0o755)
    environment = {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def run(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder.parent, env=environment, capture_output=True, check=True
        )
        return done.stdout.decode()

    run("git init -q . && git config user.email a@b && git config user.name c")
    (folder.parent / ".gitattributes").write_text(attributes + "\n")
    run(command)
    run("git add . && git commit -qm one")
    (folder / "a.yaml").write_bytes(cassette("It is 30 °C.", "Yes", "Always"))
    told = run("git diff")
    assert "\n-  It is 40 °C.\n+  It is 30 °C.\n" in told
    assert "\n+  Always\n" in told
    assert "body:" not in told
    assert "\x1b" not in told
    assert "It is 30" in run("git log -p --textconv -1 --format= -- cassettes/other.yaml")
