"""The options that commands share, and where their values come from: flag, then environment, then file, then default.

The file is the nearest `recorder.toml`, or `pyproject.toml` with a table `[tool.recorder]`, from the current folder
upwards; its keys are the options' long names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

import recorder
from recorder import settings as setting
from recorder.errors import UsageError
from recorder.session import check_name, data_folder
from recorder.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
_PATHS = ("cassette-dir", "certs", "upstream-ca")  # in a file they are meant from the file's folder
_KEYS = ("session", "host", "layout", "keep-header", "port", "base-url-port", "connect-to", "grace", *_PATHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What the nearest file says, by the options' long names; `path` None where there is no file."""

    path: Path | None
    values: dict[str, Any]


def option(*flags: str, **attributes: Any) -> Callable[[F], F]:
    """`click.option` that can also be set as `RECORDER_…` and in the file."""
    name = next(flag for flag in flags if flag.startswith("--")).split("/")[0].removeprefix("--")
    attributes.setdefault("envvar", f"RECORDER_{name.replace('-', '_').upper()}")
    attributes.setdefault("show_default", True)
    return click.option(*flags, cls=_Option, **attributes)


class _Option(click.Option):
    """An option that asks the file when neither flag nor environment has it."""

    def get_default(self, ctx: click.Context, call: bool = True) -> Any:
        if not ctx.resilient_parsing and call and (value := _from_file(self)) is not None:
            return value
        return super().get_default(ctx, call=call)


def _from_file(parameter: click.Option) -> Any:
    assert parameter.name is not None
    return config_file().values.get(parameter.name.replace("_", "-"))


_read: dict[Path, ConfigFile] = {}


def config_file() -> ConfigFile:
    """The nearest file, read once for each folder that a command is run in."""
    folder = Path.cwd()
    if folder not in _read:
        _read[folder] = _find_config(folder)
    return _read[folder]


def _find_config(folder: Path) -> ConfigFile:
    for place in (folder, *folder.parents):
        for name in ("recorder.toml", "pyproject.toml"):
            path = place / name
            if path.is_file() and (table := _table(path)) is not None:
                return ConfigFile(path=path, values=_checked(path, table))
    return ConfigFile(path=None, values={})


def _table(path: Path) -> dict[str, Any] | None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if path.name == "pyproject.toml":
            return None  # not ours to complain about
        raise UsageError(f"{path}: expected TOML, found {error}") from error
    if path.name == "recorder.toml":
        return content
    table = content.get("tool", {}).get("recorder")
    return table if isinstance(table, dict) else None


def _checked(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in _KEYS:
            raise UsageError(f"{path}: expected one of the settings {', '.join(_KEYS)}, found {key!r}")
        values[name] = str(path.parent / value) if name in _PATHS and isinstance(value, str) else value
    return values


def recording_options(command: F) -> F:
    """What a recorder needs to know; give them to `settings_from`."""
    for decorate in reversed(_RECORDING):
        command = decorate(command)
    return command


_RECORDING: list[Callable[[Any], Any]] = [
    option("--session", "-s", metavar="NAME", required=True, help="Session to record; a / makes folders."),
    option(
        "--cassette-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=setting.DEFAULT_CASSETTE_DIR,
        help="Folder of the cassettes.",
    ),
    option("--host", multiple=True, metavar="HOST", default=[setting.DEFAULT_HOST], help="Host to record; repeatable."),
    option("--layout", default="", metavar="LAYOUT", help="Layout of a new cassette: go-vcr, seed or charm."),
    option("--keep-header", multiple=True, metavar="NAME", help="Header to keep beside the usual ones; repeatable."),
    option(
        "--certs",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="Folder of the CA.  [default: certs/ of the checkout, else the user's data folder]",
    ),
    option(
        "--connect-to",
        multiple=True,
        metavar="HOST:PORT:ADDR:PORT",
        help="Connect to another address instead, as curl has it; repeatable.",
    ),
    option(
        "--upstream-ca",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        default=None,
        help="CA to trust upstream beside the public ones.",
    ),
    option(
        "--grace",
        type=click.FloatRange(min=0),
        default=setting.DEFAULT_GRACE,
        help="Seconds that streams under way may take to finish on stop.",
    ),
]


def settings_from(
    *,
    session: str,
    cassette_dir: Path,
    host: tuple[str, ...],
    layout: str,
    keep_header: tuple[str, ...],
    certs: Path | None,
    connect_to: tuple[str, ...],
    upstream_ca: Path | None,
    grace: float,
    port: int,
    base_url_port: int,
) -> Settings:
    """The values of `recording_options` as settings; `UsageError` for one that cannot be used."""
    return Settings(
        session=check_name(session),
        cassette_dir=cassette_dir,
        hosts=setting.parse_hosts(" ".join(host)),
        layout=setting.parse_layout(layout),
        keep_headers=setting.parse_headers(" ".join(keep_header)),
        port=port,
        base_url_port=base_url_port,
        certs=certs or default_certs(),
        connect_to=tuple(map(setting.parse_connect_to, connect_to)),
        upstream_ca=upstream_ca,
        grace=grace,
    )


def default_certs() -> Path:
    """`certs/` of the checkout that this code runs from; the user's data folder where it was installed without one."""
    checkout = Path(recorder.__file__).parents[1] / "certs"
    if (checkout / ".gitkeep").is_file() and os.access(checkout, os.W_OK):
        return checkout
    return data_folder() / "certs"
