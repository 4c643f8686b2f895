"""The options that commands share, and where their values come from: flag, then environment, then file, then default.

The file is the nearest `recorder.toml`, or `pyproject.toml` with a table `[tool.recorder]`, from the current folder
upwards; its keys are the options' long names.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

import recorder
from recorder import settings as setting
from recorder.errors import UsageError
from recorder.session import check_name, data_folder
from recorder.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
_PATHS = ("cassette-dir", "certs", "upstream-ca")  # in a file they are meant from the file's folder
_SEVERAL = ("host", "keep-header", "connect-to")
_SINGLE = ("session", "layout", "port", "base-url-port", "grace", "base-url", "detach")
KEYS = (*_SINGLE, *_SEVERAL, *_PATHS)
"""Every setting that a file may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What the nearest file says, by the options' long names; `path` None where there is no file."""

    path: Path | None
    values: dict[str, str | list[str]]


def option(*flags: str, **attributes: Any) -> Callable[[F], F]:
    """`click.option` that can also be set as `RECORDER_…` and in the file."""
    key = next(flag for flag in flags if flag.startswith("--")).split("/")[0].removeprefix("--")
    attributes.setdefault("envvar", f"RECORDER_{key.replace('-', '_').upper()}")
    attributes.setdefault("show_default", True)
    return click.option(*flags, cls=_Option, key=key, **attributes)


class _Option(click.Option):
    """An option that asks the file when neither flag nor environment has it, and says where a wrong value stands."""

    def __init__(self, *arguments: Any, key: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._key = key

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.DEFAULT and self._key in (values := config_file().values):
            return values[self._key], ParameterSource.DEFAULT_MAP
        return value, source

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().process_value(ctx, value)
        except click.BadParameter as error:
            assert self.name is not None
            source = ctx.get_parameter_source(self.name)
            if source is ParameterSource.DEFAULT_MAP:
                raise UsageError(f"{config_file().path}: {self._key}: {error.message}") from error
            if source is ParameterSource.ENVIRONMENT:
                raise UsageError(f"{self.envvar}: {error.message}") from error
            raise


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
        if key in _SEVERAL and isinstance(value, list):
            values[key] = [_text(path, key, item) for item in value]
        else:
            text = _text(path, key, value)
            values[key] = [text] if key in _SEVERAL else str(path.parent / text) if key in _PATHS else text
    return values


def _text(path: Path, key: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise UsageError(f"{path}: {key}: expected one value, found {value!r}")
    return str(value)


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
    if not math.isfinite(grace):
        raise UsageError(f"expected a number of seconds for --grace, found {grace}")
    if port and port == base_url_port:
        raise UsageError(f"expected two ports, found {port} for --port and for --base-url-port")
    return Settings(
        session=check_name(session),
        cassette_dir=cassette_dir,
        hosts=setting.parse_hosts(" ".join(host)),
        layout=setting.parse_layout(layout),
        keep_headers=setting.parse_headers(" ".join(keep_header)),
        port=port,
        base_url_port=base_url_port,
        certs=certs or default_certs(),
        connect_to=setting.parse_connect_tos(" ".join(connect_to)),
        upstream_ca=upstream_ca,
        grace=grace,
    )


def default_certs() -> Path:
    """`certs/` of the checkout that this code runs from; the user's data folder where it was installed without one."""
    checkout = Path(recorder.__file__).parents[1] / "certs"
    if (checkout / ".gitkeep").is_file() and os.access(checkout, os.W_OK):
        return checkout
    return data_folder() / "certs"
