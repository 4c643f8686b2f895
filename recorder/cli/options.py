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
from recorder.storage.session_paths import check_name, data_folder

if TYPE_CHECKING:
    from recorder.replay.policy import Playing

F = TypeVar("F", bound=Callable[..., Any])


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


@functools.cache
def config_file() -> ConfigFile:
    """The nearest file, read once: a command stays in its folder."""
    return settings_file.nearest(Path.cwd())


cassette_dir_option = option(
    "--cassette-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=setting.DEFAULT_CASSETTE_DIR,
    help="Folder of the cassettes.",
)

certs_option = option(
    "--certs",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of the CA.  [default: certs/ of the checkout, else the user's data folder]",
)


def recording_options(command: F) -> F:
    """What a recorder needs to know; give them to `settings_from`."""
    for decorate in reversed(_RECORDING):
        command = decorate(command)
    return command


session_option = functools.partial(
    option, "--session", "-s", metavar="NAME", help="Session to record; a / makes folders."
)

_RECORDING: list[Callable[[Any], Any]] = [
    cassette_dir_option,
    option("--host", multiple=True, metavar="HOST", default=[setting.DEFAULT_HOST], help="Host to record; repeatable."),
    option(
        "--layout",
        default="",
        metavar="LAYOUT",
        show_default=False,
        help="Layout of a new cassette: go-vcr, seed or charm.  [default: go-vcr]",
    ),
    option(
        "--keep-header",
        multiple=True,
        metavar="NAME",
        help="Header to keep beside the usual ones, * for all; repeatable.",
    ),
    certs_option,
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
    option("--allow-opaque", is_flag=True, help="Also record bodies that cannot be searched for secrets."),
    option("--timing", is_flag=True, help="Keep the times of chunks beside the cassette, for --speed recorded."),
]


def replaying_options(command: F) -> F:
    """What replaying needs to know beside the mode; for `settings_from`, but for `receipt` and `strict`."""
    for decorate in reversed(_REPLAYING):
        command = decorate(command)
    return command


mode_option = functools.partial(
    option,
    "--mode",
    default="record",
    metavar="MODE",
    help="record, replay, once (record if there is no cassette), new-episodes (record what is new) or passthrough.",
)

_REPLAYING: list[Callable[[Any], Any]] = [
    option(
        "--match",
        multiple=True,
        metavar="PART",
        default=["method,url,body"],
        help="What has to match: method, url, path, query, header:NAME, body, raw-body; repeatable.",
    ),
    option(
        "--ignore-json", multiple=True, metavar="PATH", help="Leave out of JSON bodies: $.a, $.b[*].id; repeatable."
    ),
    option("--reuse", default="none", metavar="WHAT", help="Play again when all has been played: none, last or all."),
    option(
        "--on-miss",
        default="error",
        metavar="WHAT",
        help="What nothing answers: error (404), forward it upstream, or record it.",
    ),
    option("--speed", default="instant", metavar="SPEED", help="instant, recorded, or a factor such as 2x."),
    option("--tokens-per-second", type=float, default=None, metavar="N", help="Stream at this pace instead."),
    option(
        "--fault",
        multiple=True,
        metavar="FAULT",
        help="cut:after=3, stall:after=2,for=5s, status:429,retry-after=1 or reset; with id=N or rate=0.1,seed=7; "
        "repeatable.",
    ),
    option(
        "--receipt",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Write what was served, missed and never played, as JSON.",
    ),
    option("--strict", is_flag=True, help="Exit with 1 for a miss, and for an interaction that was never played."),
]


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
    layout: str,
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
