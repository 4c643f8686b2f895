"""The command line: each command parses, calls and prints. Commands are loaded when they are called, not before.

Errors are one line on standard error; the exit status is 2 for a wrong call, 1 for a failure, 3 for a secret found.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from recorder import __version__
from recorder.cli.summaries import SUMMARIES
from recorder.errors import RecorderError, UsageError

# Where each command lives, in the order of `recorder --help`. One import of mitmproxy costs more than a whole `list`.
_COMMANDS: Mapping[str, str] = {
    "start": "recorder.cli.start",
    "replay": "recorder.cli.start",
    "run": "recorder.cli.run",
    "stop": "recorder.cli.stop",
    "status": "recorder.cli.status",
    "list": "recorder.cli.list_",
    "env": "recorder.cli.env",
    "ca": "recorder.cli.ca",
    "show": "recorder.cli.show",
    "stats": "recorder.cli.stats",
    "report": "recorder.cli.report",
    "diff": "recorder.cli.diff",
    "textconv": "recorder.cli.diff",
    "refresh": "recorder.cli.refresh",
    "export": "recorder.cli.export",
    "import": "recorder.cli.import_",
    "verify": "recorder.cli.verify",
    "scrub": "recorder.cli.scrub",
    "addon": "recorder.cli.addon",
    "demo": "recorder.cli.demo",
}


class _Group(click.Group):
    """A group whose commands are imported by need."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Without loading them all."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in _COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name])
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="recorder", message="%(prog)s %(version)s")
@click.pass_context
def recorder(context: click.Context) -> None:
    """Record LLM traffic once, replay it in tests forever."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(UsageError.exit_code)


def main() -> NoReturn:
    """Run the command line and exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files go out as they are on disk
    try:
        status = recorder.main(prog_name="recorder", standalone_mode=False)
    except click.ClickException as error:
        _fail(_one_line(error), error.exit_code)
    except RecorderError as error:
        _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)  # as a shell has it for Ctrl-C
    except OSError as error:  # a disk that is full, a folder that may not be read
        _fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), RecorderError.exit_code)
    sys.exit(status if isinstance(status, int) else 0)


def _one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message.rstrip('.')}; see `{error.ctx.command_path} --help`"
    return message


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"recorder: {message}", err=True)
    sys.exit(status)
