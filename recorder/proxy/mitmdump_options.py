"""mitmdump's `--set` options ⇄ settings: what `addons/record.py` and `addons/replay.py` can be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader

from recorder.errors import RecorderError, UsageError
from recorder.replay.cadence import parse_pace
from recorder.replay.faults import parse_fault
from recorder.replay.matching import parse_criteria
from recorder.replay.policy import Playing, parse_on_miss
from recorder.replay.receipt import Receipt
from recorder.replay.tape import parse_reuse
from recorder.session import settings as setting
from recorder.session.requirements import Demands
from recorder.session.settings import Mode, Settings
from recorder.session.settings_file import nearest
from recorder.session.settings_table import SETTINGS, Kind
from recorder.storage.session_paths import check_name, name_for


def declare(loader: Loader, mode: Mode) -> None:
    """Declare the options; `mode` is the one of a session that is told none. mitmproxy has a `mode` of its own."""
    for row in SETTINGS.values():
        if not row.mitmdump:
            continue
        if row.kind is Kind.FLAG:
            loader.add_option(row.mitmdump, bool, False, f"{row.help}.")
        else:
            default = mode.value if row.key == "mode" else row.default
            end = ", parted by spaces." if row.kind is Kind.SEVERAL else "."
            loader.add_option(row.mitmdump, str, default, row.help + end)


def settings() -> Settings:
    """The options as settings; `UsageError` for one that cannot be used."""
    options = ctx.options
    mode = setting.parse_mode(options.session_mode)
    if mode is Mode.REPLAY and not options.session:
        raise UsageError("expected the name of a session to replay, found none; add --set session=NAME")
    return Settings(
        session=check_name(options.session or name_for(time.time())),
        cassette_dir=Path(options.cassette_dir),
        hosts=setting.parse_hosts(options.record_hosts),
        layout=setting.parse_layout(options.layout),
        keep_headers=setting.parse_headers(options.keep_headers),
        allow_opaque=options.allow_opaque,
        rules=nearest(Path.cwd()).rules,  # a rule that keeps a secret out holds however the recorder is started
        mode=mode,
        playing=Playing(
            criteria=parse_criteria([options.match], options.ignore_json.split()),
            reuse=parse_reuse(options.reuse),
            pace=parse_pace(options.speed, _number(options.tokens_per_second)),
            faults=tuple(map(parse_fault, options.fault.split())),
            on_miss=parse_on_miss(options.on_miss),
        ),
        timing=options.timing,
    )


def fall_short(receipts: Sequence[Receipt], *, failed: Callable[[RecorderError], None]) -> bool:
    """Write the receipts; whether a replay came to less than was demanded. `failed`: they cannot be written."""
    options = ctx.options
    demands = Demands(receipt=Path(options.receipt) if options.receipt else None, strict=options.strict)
    try:
        demands.write(receipts)
    except RecorderError as error:
        failed(error)
    return bool(demands.status(receipts))


def open_recorded_only(settings: Settings) -> None:
    """Open the recorded hosts only, make an unreachable one an ordinary 502, and leave it to us to say what passed; the
    user's own choices stand."""
    options = ctx.options
    if not options.allow_hosts and not options.ignore_hosts:
        options.update(allow_hosts=[host.pattern for host in settings.hosts])
    if not options.has_changed("connection_strategy"):
        options.update(connection_strategy="lazy")
    if "flow_detail" in options and not options.has_changed("flow_detail"):
        # mitmdump's own lines show URLs as they were sent, keys and all.
        options.update(flow_detail=0)


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(f"expected a number for tokens_per_second, found {text!r}") from None
