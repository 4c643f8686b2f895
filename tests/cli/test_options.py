"""Where a setting comes from: flag, then environment, then the nearest file, then the default."""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from recorder.cassette import CHARM, SEED
from recorder.cli import options
from recorder.cli import recorder as group
from recorder.cli.options import (
    option,
    recording_options,
    replaying_options,
    settings_from,
)
from recorder.errors import UsageError
from recorder.replay.cadence import INSTANT, Pace
from recorder.replay.faults import parse_fault
from recorder.replay.matching import DEFAULT, parse_criteria
from recorder.replay.policy import OnMiss, Playing
from recorder.replay.tape import Reuse
from recorder.session import settings_file
from recorder.session.settings import ConnectTo, Host, Mode, Settings

_seen: list[Settings] = []
_demanded: list[tuple[Path | None, bool]] = []


@click.command()
@option("session", required=True)
@option("mode")
@recording_options
@option("port")
@option("base-url-port")
@replaying_options
def show(*, receipt: Path | None, strict: bool, **values: Any) -> None:
    _demanded[:] = [(receipt, strict)]
    _seen.append(settings_from(**values))


def told(*flags: str, session: bool = True) -> Settings:
    """The settings that a command sees; what it raises, it raises here."""
    _seen.clear()
    required = ["--session", "s"] if session else []
    CliRunner().invoke(show, [*required, *flags], catch_exceptions=False, standalone_mode=False)
    (settings,) = _seen
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One option: its field, its default, and for flag, environment and file: the text and what it means."""

    field: str
    default: Any
    flag: tuple[list[str], Any]
    env: tuple[str, Any]
    file: tuple[Any, Any]


def to(host: str) -> ConnectTo:
    return ConnectTo(host="openrouter.ai", port=443, to_host=host, to_port=1)


CASES = {
    "cassette-dir": Case(
        field="cassette_dir",
        default=Path("cassettes"),
        flag=(["by-flag"], Path("by-flag")),
        env=("by-env", Path("by-env")),
        file=("by-file", Path("HERE/by-file")),
    ),
    "host": Case(
        field="hosts",
        default=(Host(name="openrouter.ai"),),
        flag=(["flag.example", "*.flag.example"], (Host(name="flag.example"), Host(name="*.flag.example"))),
        env=("env.example, b.example c.example", tuple(Host(name=f"{name}.example") for name in ("env", "b", "c"))),
        file=(["file.example", "b.example"], (Host(name="file.example"), Host(name="b.example"))),
    ),
    "layout": Case(field="layout", default=None, flag=(["seed"], SEED), env=("charm", CHARM), file=("seed", SEED)),
    "keep-header": Case(
        field="keep_headers",
        default=(),
        flag=(["X-A", "X-B"], ("X-A", "X-B")),
        env=("X-C,X-D X-E", ("X-C", "X-D", "X-E")),
        file=("X-F, X-G", ("X-F", "X-G")),
    ),
    "port": Case(field="port", default=8080, flag=(["1"], 1), env=("2", 2), file=(3, 3)),
    "base-url-port": Case(field="base_url_port", default=8081, flag=(["1"], 1), env=("2", 2), file=("3", 3)),
    "certs": Case(
        field="certs",
        default=options.default_certs(),
        flag=(["by-flag"], Path("by-flag")),
        env=("by-env", Path("by-env")),
        file=("../by-file", Path("HERE/../by-file")),
    ),
    "connect-to": Case(
        field="connect_to",
        default=(),
        flag=(["openrouter.ai:443:a:1", "openrouter.ai:443:b:1"], (to("a"), to("b"))),
        env=("openrouter.ai:443:c:1,openrouter.ai:443:d:1 openrouter.ai:443:e:1", (to("c"), to("d"), to("e"))),
        file=(["openrouter.ai:443:f:1", "openrouter.ai:443:g:1"], (to("f"), to("g"))),
    ),
    "upstream-ca": Case(
        field="upstream_ca",
        default=None,
        flag=(["flag.pem"], Path("flag.pem")),
        env=("env.pem", Path("env.pem")),
        file=("file.pem", Path("HERE/file.pem")),
    ),
    "grace": Case(field="grace", default=5.0, flag=(["1.5"], 1.5), env=("2", 2.0), file=(0, 0.0)),
    "mode": Case(
        field="mode",
        default=Mode.RECORD,
        flag=(["replay"], Mode.REPLAY),
        env=("once", Mode.ONCE),
        file=("new-episodes", Mode.NEW_EPISODES),
    ),
    "match": Case(
        field="playing.criteria",
        default=DEFAULT,
        flag=(["method,path", "header:X-A"], parse_criteria(["method,path,header:X-A"])),
        env=("url,query body", parse_criteria(["url,query,body"])),
        file=(["method", "raw-body"], parse_criteria(["method,raw-body"])),
    ),
    "ignore-json": Case(
        field="playing.criteria",
        default=DEFAULT,
        flag=(["$.a.b", "$.c[*].d"], parse_criteria([], ["$.a.b", "$.c[*].d"])),
        env=("$.e $.f", parse_criteria([], ["$.e", "$.f"])),
        file=(["$.g", "$.h"], parse_criteria([], ["$.g", "$.h"])),
    ),
    "reuse": Case(
        field="playing.reuse",
        default=Reuse.NONE,
        flag=(["last"], Reuse.LAST),
        env=("all", Reuse.ALL),
        file=("last", Reuse.LAST),
    ),
    "on-miss": Case(
        field="playing.on_miss",
        default=OnMiss.ERROR,
        flag=(["forward"], OnMiss.FORWARD),
        env=("record", OnMiss.RECORD),
        file=("forward", OnMiss.FORWARD),
    ),
    "speed": Case(
        field="playing.pace",
        default=INSTANT,
        flag=(["recorded"], Pace(speed=1.0)),
        env=("2x", Pace(speed=2.0)),
        file=("0.5x", Pace(speed=0.5)),
    ),
    "tokens-per-second": Case(
        field="playing.pace",
        default=INSTANT,
        flag=(["10"], Pace(tokens=10.0)),
        env=("20", Pace(tokens=20.0)),
        file=(30, Pace(tokens=30.0)),
    ),
    "fault": Case(
        field="playing.faults",
        default=(),
        flag=(["reset", "cut:after=3"], (parse_fault("reset"), parse_fault("cut:after=3"))),
        env=("reset status:429,retry-after=1", (parse_fault("reset"), parse_fault("status:429,retry-after=1"))),
        file=(["reset", "status:500"], (parse_fault("reset"), parse_fault("status:500"))),
    ),
    "session": Case(
        field="session", default=None, flag=(["by/flag"], "by/flag"), env=("by/env", "by/env"), file=("f", "f")
    ),
}


def test_no_option_is_left_out() -> None:
    flags = {"base-url", "detach", "allow-opaque", "timing", "strict", "receipt"}
    assert set(settings_file.KEYS) - flags == set(CASES)


@pytest.mark.parametrize("key", CASES)
def test_flag_before_environment_before_file_before_default(
    key: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[key]
    for pem in ("flag", "env", "file"):
        (place / f"{pem}.pem").touch()
    session = key != "session"

    if session:
        assert case.default == the(case.field, told())
    (place / "recorder.toml").write_text(f"{key} = {json.dumps(case.file[0])}\n")
    assert within(place, case.file[1]) == the(case.field, fresh(session=session))
    monkeypatch.setenv(f"RECORDER_{key.replace('-', '_').upper()}", case.env[0])
    assert case.env[1] == the(case.field, told(session=session))
    flags = [part for text in case.flag[0] for part in (f"--{key}", text)]
    assert case.flag[1] == the(case.field, told(*flags, session=session))


def the(field: str, settings: Settings) -> Any:
    return attrgetter(field)(settings)


def fresh(*flags: str, session: bool = True) -> Settings:
    """The settings when the files are read anew."""
    options.config_file.cache_clear()
    return told(*flags, session=session)


def within(place: Path, value: Any) -> Any:
    return Path(str(value).replace("HERE", str(place))) if isinstance(value, Path) else value


@pytest.mark.parametrize("key", ["host", "keep-header", "connect-to"])
@pytest.mark.parametrize("as_list", [True, False])
def test_a_file_has_several_values_as_a_list_or_in_one_text(key: str, place: Path, *, as_list: bool) -> None:
    values, meaning = CASES[key].flag
    written = [part for part in values if not part.startswith("*")] if as_list else ", ".join(values)
    (place / "recorder.toml").write_text(f"{key} = {json.dumps(written)}\n")
    assert meaning[: len(written) if as_list else None] == getattr(fresh(), CASES[key].field)


@pytest.mark.usefixtures("place")
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "LAYOUT", "PORT", "CASSETTE_DIR"):
        monkeypatch.setenv(f"RECORDER_{name}", "")
    assert told("--certs", "c") == Settings(session="s", certs=Path("c"), playing=Playing())


def test_pyproject_has_a_table_of_its_own(place: Path) -> None:
    (place / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.recorder]\nport = 1\nbase_url_port = 2\n')
    assert (1, 2) == (fresh().port, told().base_url_port)


def test_the_nearest_file_counts_and_only_that(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = place / "a" / "b"
    below.mkdir(parents=True)
    (place / "recorder.toml").write_text('cassette-dir = "testdata"\nport = 1\n')
    (place / "a" / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    monkeypatch.chdir(below)
    assert (place / "testdata", 1) == (fresh().cassette_dir, told().port)
    (place / "a" / "pyproject.toml").write_text("[tool.recorder]\nport = 2\n")
    assert (Path("cassettes"), 2) == (fresh().cassette_dir, told().port)
    (place / "a" / "recorder.toml").write_text("port = 3\n")
    assert 3 == fresh().port


def test_an_absolute_path_in_a_file_stays(place: Path) -> None:
    (place / "recorder.toml").write_text('cassette-dir = "/srv/cassettes"\n')
    assert Path("/srv/cassettes") == fresh().cassette_dir


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("colour = 1", "expected one of the settings"),
        ("port = [1]", "port: expected one value, found [1]"),
        ("port = { a = 1 }", "port: expected one value"),
        ("port = 1.5", "port: '1.5' is not a valid integer"),
        (r'certs = "a\u0000b"', r"certs: expected one value, found 'a\x00b'"),
        ("port = true", "port: 'True' is not a valid integer"),
        ("port = 65536", "port: 65536 is not in the range"),
        ('port = "x"', "port: 'x' is not a valid integer"),
        ('grace = "soon"', "grace: 'soon' is not a valid float"),
        ("grace = nan", "expected a number of seconds"),
        ("host = [[1]]", "host: expected one value, found [1]"),
        ("host = []", "expected at least one host"),
        ('layout = "pretty"', "expected a layout"),
        ('upstream-ca = "missing.pem"', "does not exist"),
        ("port = 1\nport = 2", "expected TOML"),
        ("port =", "expected TOML"),
        ("\udcff = 1", "expected TOML"),
        ("[tool.recorder]\nport = 1", "expected one of the settings"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(place: Path, content: str, words: str) -> None:
    (place / "recorder.toml").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError) as caught:
        fresh()
    assert words in str(caught.value)
    assert 1 == len(str(caught.value).splitlines())
    if not words.startswith(("expected at", "expected a ")):
        assert str(caught.value).startswith(str(place / "recorder.toml"))


@pytest.mark.parametrize("content", ["tool = 1", "[tool]\nother = 1", "not TOML", "\udcff"])
def test_a_pyproject_that_is_not_about_us_is_passed_over(place: Path, content: str) -> None:
    (place / "pyproject.toml").write_bytes(content.encode(errors="surrogateescape"))
    assert 8080 == fresh().port


def test_a_pyproject_whose_table_is_none_is_told(place: Path) -> None:
    (place / "pyproject.toml").write_text("[tool]\nrecorder = 1\n")
    with pytest.raises(UsageError, match=r"expected a table \[tool.recorder\], found 1"):
        fresh()


@pytest.mark.usefixtures("place")
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORDER_PORT", "eighty")
    with pytest.raises(UsageError, match=r"^RECORDER_PORT: 'eighty' is not a valid integer"):
        told()


@pytest.mark.usefixtures("place")
def test_two_doors_need_two_ports() -> None:
    with pytest.raises(UsageError, match="expected two ports, found 8081"):
        told("--port", "8081")
    assert (0, 0) == (told("--port", "0", "--base-url-port", "0").port, told("--base-url-port", "0").base_url_port)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_the_grace_is_a_number_of_seconds(value: str) -> None:
    with pytest.raises(UsageError, match="expected a number of seconds"):
        told("--grace", value)


def test_every_setting_of_every_command_has_its_variable_and_its_key() -> None:
    context = click.Context(group)
    ours = {
        parameter.envvar: parameter
        for name in group.list_commands(context)
        for command in [group.get_command(context, name)]
        if command is not None
        for parameter in command.params
        if parameter.envvar
    }
    assert {f"RECORDER_{key.replace('-', '_').upper()}" for key in settings_file.KEYS} == set(ours)


def test_a_checkout_keeps_its_ca_and_an_installation_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    package = tmp_path / "recorder"
    monkeypatch.setattr("recorder.__file__", str(package / "__init__.py"))
    installed = options.default_certs()
    assert "certs" == installed.name
    assert tmp_path / "certs" != installed
    (tmp_path / "certs").mkdir()
    assert installed == options.default_certs()
    (tmp_path / "certs" / ".gitkeep").touch()
    assert tmp_path / "certs" == options.default_certs()


def test_the_receipt_of_a_file_stands_beside_it(place: Path) -> None:
    told()
    assert [(None, False)] == _demanded
    (place / "recorder.toml").write_text("receipt = 'receipt.json'\nstrict = true\n")
    fresh()
    assert [(place / "receipt.json", True)] == _demanded


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "flags",
    [
        ("--mode", "rewind"),
        ("--match", "everything"),
        ("--ignore-json", "a.b"),
        ("--reuse", "some"),
        ("--on-miss", "shrug"),
        ("--speed", "fast"),
        ("--tokens-per-second", "0"),
        ("--tokens-per-second", "5", "--speed", "2x"),
        ("--fault", "burn"),
    ],
)
def test_what_replaying_cannot_use_is_refused(flags: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        told(*flags)
    assert "\n" not in str(caught.value)
