"""The options that commands share. Their values come from flag, environment, file or default, in this order."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

import recorder
from recorder.errors import UsageError
from recorder.session import settings as setting
from recorder.session import settings_file
from recorder.session.settings import Settings
from recorder.session.settings_file import ConfigFile
from recorder.session.settings_table import SETTINGS, Kind
from recorder.storage.session_paths import check_name, data_folder

if TYPE_CHECKING:
    from recorder.replay.policy import Playing

F = TypeVar("F", bound=Callable[..., Any])


_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    Kind.TEXT: {},
    Kind.SEVERAL: {"multiple": True},
    Kind.FLAG: {"is_flag": True},
    Kind.FOLDER: {"type": click.Path(path_type=Path, file_okay=False)},
    Kind.FILE: {"type": click.Path(path_type=Path, dir_okay=False)},
    Kind.EXISTING_FILE: {"type": click.Path(path_type=Path, exists=True, dir_okay=False)},
    Kind.NUMBER: {"type": float},
    Kind.SECONDS: {"type": click.FloatRange(min=0)},
    Kind.PORT: {"type": click.IntRange(0, 65535)},
}


def option(key: str, **changed: Any) -> Callable[[F], F]:
    """`click.option` for a setting, which the environment and the file can have as well. `changed`: its attributes."""
    row = SETTINGS[key]
    end = "; repeatable." if row.kind is Kind.SEVERAL else "."
    attributes: dict[str, Any] = {
        **_TYPES[row.kind],
        "envvar": row.variable,
        "help": row.help + end + (f"  [default: {row.shown}]" if row.shown else ""),
        "show_default": not row.shown,
    }
    if row.metavar:
        attributes["metavar"] = row.metavar
    if row.default:  # to click a default of None is one, and what is required would be there
        attributes["default"] = [row.default] if row.kind is Kind.SEVERAL else row.default
    return click.option(*(row.flags or (f"--{key}",)), cls=_Option, key=key, **attributes | changed)


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


@functools.cache
def config_file() -> ConfigFile:
    """The nearest file, read once: a command stays in its folder."""
    return settings_file.nearest(Path.cwd())


cassette_dir_option = option("cassette-dir")
certs_option = option("certs")

_RECORDING = (
    *("cassette-dir", "host", "layout", "keep-header", "certs", "connect-to", "upstream-ca"),
    *("grace", "allow-opaque", "timing"),
)
_REPLAYING = (
    *("match", "ignore-json", "reuse", "on-miss", "speed", "tokens-per-second", "fault", "receipt", "strict"),
)


def recording_options(command: F) -> F:
    """What a recorder needs to know; give them to `settings_from`."""
    return _with(_RECORDING, command)


def replaying_options(command: F) -> F:
    """What replaying needs to know beside the mode; for `settings_from`, but for `receipt` and `strict`."""
    return _with(_REPLAYING, command)


def _with(keys: tuple[str, ...], command: F) -> F:
    for key in reversed(keys):
        command = option(key)(command)
    return command


def playing_from(
    *,
    match: tuple[str, ...],
    ignore_json: tuple[str, ...],
    reuse: str,
    on_miss: str,
    speed: str,
    tokens_per_second: float | None,
    fault: tuple[str, ...],
) -> Playing:
    """The values of `replaying_options`; `UsageError` for one that cannot be used."""
    from recorder.replay import (  # noqa: PLC0415 - loads the matcher
        cadence,
        faults,
        matching,
        policy,
        tape,
    )

    return policy.Playing(
        criteria=matching.parse_criteria(match, ignore_json),
        reuse=tape.parse_reuse(reuse),
        pace=cadence.parse_pace(speed, tokens_per_second),
        faults=tuple(map(faults.parse_fault, fault)),
        on_miss=policy.parse_on_miss(on_miss),
    )


def settings_from(
    *,
    session: str | None,
    cassette_dir: Path,
    host: tuple[str, ...],
    layout: str | None,
    keep_header: tuple[str, ...],
    certs: Path | None,
    connect_to: tuple[str, ...],
    upstream_ca: Path | None,
    grace: float,
    allow_opaque: bool,
    timing: bool,
    port: int,
    base_url_port: int,
    mode: str,
    **replaying: Any,
) -> Settings:
    """The values of these options, and `playing_from`'s, as settings; `UsageError` for one that cannot be used."""
    if not math.isfinite(grace):
        raise UsageError(f"expected a number of seconds for --grace, found {grace}")
    if port and port == base_url_port:
        raise UsageError(f"expected two ports, found {port} for --port and for --base-url-port")
    return Settings(
        session=session and check_name(session),
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
        allow_opaque=allow_opaque,
        rules=config_file().rules,
        mode=setting.parse_mode(mode),
        playing=playing_from(**replaying),
        timing=timing,
    )


def default_certs() -> Path:
    """`certs/` of the checkout that this code runs from; the user's data folder where it was installed without one."""
    checkout = Path(recorder.__file__).parents[1] / "certs"
    if (checkout / ".gitkeep").is_file() and os.access(checkout, os.W_OK):
        return checkout
    return data_folder() / "certs"
