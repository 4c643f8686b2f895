"""The settings file: the nearest `recorder.toml`, or `pyproject.toml` with `[tool.recorder]`, from a folder upwards.

Its keys are the options' long names, and `[[scrub]]` the user's own rules. Values are given as text, as flags and the
environment have them, so that one check serves all.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorder.errors import UsageError
from recorder.session.settings_table import SETTINGS, Kind

if TYPE_CHECKING:  # every command reads the file, and the scrubber takes longer to load than all the rest
    from recorder.scrub import Rule

KEYS = tuple(SETTINGS)
"""Every setting that a file may have, beside `scrub`."""

_RULE_KEYS = ("name", "expression", "json-path")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What the nearest file says, by the options' long names; `path` None where there is no file."""

    path: Path | None = None
    values: dict[str, str | list[str]]
    rules: tuple[Rule, ...] = ()


def nearest(folder: Path) -> ConfigFile:
    """The file for `folder`; `UsageError` if it says what cannot be."""
    for place in (folder, *folder.parents):
        for name in ("recorder.toml", "pyproject.toml"):
            path = place / name
            if path.is_file() and (table := _table(path)) is not None:
                rules = _rules(path, table.pop("scrub", []))
                return ConfigFile(path=path, values=_checked(path, table), rules=rules)
    return ConfigFile(values={})


def _table(path: Path) -> dict[str, Any] | None:
    """The settings in a file; None for a `pyproject.toml` that says nothing of us."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if path.name == "pyproject.toml":
            return None  # not ours to complain about
        raise UsageError(f"{path}: expected TOML, found {error}") from error
    if path.name == "recorder.toml":
        return content
    tools = content.get("tool")
    table = tools.get("recorder") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: expected a table [tool.recorder], found {table!r}")
    return table


def _checked(path: Path, table: dict[str, Any]) -> dict[str, str | list[str]]:
    """The settings as text, as flags and the environment have them, so that one check serves all."""
    values: dict[str, str | list[str]] = {}
    for written, value in table.items():
        key = written.replace("_", "-")
        if key not in KEYS:
            raise UsageError(f"{path}: expected one of the settings {', '.join(KEYS)}, found {written!r}")
        kind = SETTINGS[key].kind
        if kind is Kind.SEVERAL and isinstance(value, list):
            values[key] = [_text(path, key, item) for item in value]
        else:
            text = _text(path, key, value)
            values[key] = [text] if kind is Kind.SEVERAL else str(path.parent / text) if kind.is_path else text
    return values


def _text(path: Path, key: str, value: Any) -> str:
    if not isinstance(value, str | int | float) or "\0" in str(value):
        raise UsageError(f"{path}: {key}: expected one value, found {value!r}")
    return str(value)


def _rules(path: Path, tables: Any) -> tuple[Rule, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: scrub: expected tables [[scrub]], each with a name and an expression or a json-path")
    if not tables:
        return ()
    from recorder.scrub import Rule  # noqa: PLC0415 - see above

    rules = []
    for table in tables:
        given = {key.replace("_", "-"): value for key, value in table.items()}
        for key, value in given.items():
            if key not in _RULE_KEYS or not isinstance(value, str):
                raise UsageError(
                    f"{path}: scrub: expected {', '.join(_RULE_KEYS)}, each a text, found {key} = {value!r}"
                )
        try:
            rules.append(
                Rule(
                    name=given.get("name", ""),
                    expression=given.get("expression", ""),
                    json_path=given.get("json-path", ""),
                )
            )
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
    return tuple(rules)
