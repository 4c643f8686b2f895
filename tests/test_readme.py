"""The README is held against the program: every command and every option that `--help` shows stands in it."""

from __future__ import annotations

import os
import re
import tomllib

import click
import pytest
from click.testing import CliRunner

from recorder.cli import recorder as group
from recorder.session import settings_file
from recorder.session.settings_table import SETTINGS, Kind
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
# What is code: fenced blocks, and what stands between backticks on a line.
FENCED = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL))
COMMANDS = group.list_commands(click.Context(group))


def help_of(*command: str) -> str:
    return CliRunner().invoke(group, [*command, "--help"], prog_name="recorder", catch_exceptions=False).output


def long_options(text: str) -> set[str]:
    """Those that stand where an option is explained: at the start of a line of `--help`."""
    explained = re.findall(r"^  (-.*?)(?:  |$)", text, re.MULTILINE)
    return {flag for flags in explained for flag in re.findall(r"--[a-z][a-z-]*", flags)}


def words(text: str) -> list[str]:
    return re.split(r"[\s=]+", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command: str) -> None:
    assert [] != [code for code in INLINE if words(code)[:2] == ["recorder", command]]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_option_stands_in_the_readme(command: str | None) -> None:
    shown = long_options(help_of(*([command] if command else [])))
    assert "--help" in shown
    named = {word for code in INLINE for word in words(code) if word.startswith("--")}
    assert set() == shown - named


def test_the_readme_names_no_option_that_is_not_there() -> None:
    ours = set().union(*(long_options(help_of(command)) for command in COMMANDS), long_options(help_of()))
    lines = [line for block in FENCED for line in block.splitlines()] + INLINE
    used = {
        flag
        for line in lines
        if words(line.partition(" -- ")[0])[0] == "recorder"
        for flag in words(line.partition(" -- ")[0])
        if flag.startswith("--")
    }
    assert set() == used - ours - {"--"}


def table_of_settings() -> str:
    """The options of `recorder start`, in its order, from the one table of settings."""
    lines = ["| option | default | meaning |", "| --- | --- | --- |"]
    for row in SETTINGS.values():
        if row.key == "base-url":  # of `run` alone
            continue
        long = [flag for flags in row.flags or (f"--{row.key}",) for flag in flags.split("/")]
        names = ", ".join(f"`{flag}`" for flag in long)
        default = row.shown or ("no" if row.kind is Kind.FLAG else f"`{row.default}`" if row.default else "")
        meaning = row.help.replace("*", r"\*") + ("; repeatable." if row.kind is Kind.SEVERAL else ".")
        lines.append(f"| {names} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_options_is_the_table_of_settings() -> None:
    """`SETTINGS_TABLE=write` puts it into the README."""
    start = README.index("| option | default | meaning |")
    end = README.index("\n\n", start) + 1
    if os.environ.get("SETTINGS_TABLE") == "write":
        (ROOT / "README.md").write_text(README[:start] + table_of_settings() + README[end:], encoding="utf-8")
    else:
        assert table_of_settings() == README[start:end]


def test_every_option_of_mitmdump_stands_in_the_readme() -> None:
    named = {code.removeprefix("--set ") for code in INLINE}
    assert set() == {f"{row.mitmdump}=" for row in SETTINGS.values() if row.mitmdump} - named


def test_the_settings_files_in_the_readme_are_read() -> None:
    tables = [tomllib.loads(block)["tool"]["recorder"] for block in FENCED if block.startswith("[tool.recorder]")]
    assert [] != tables
    assert set() == {key for table in tables for key in table} - {*settings_file.KEYS, "scrub"}
