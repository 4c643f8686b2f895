"""`python -m recorder.simulator`: prints one line of JSON when it is ready, and serves until stdin closes.

{"host": "127.0.0.1", "port": 40123, "tls": true, "ca_file": "/tmp/upstream-…/ca.pem"}

A line `log` on stdin is answered with the journal as one line of JSON; `log N` has only the requests numbered above N.
"""

from __future__ import annotations

import argparse
import sys

from recorder.errors import RecorderError, UpstreamError
from recorder.simulator import behaviour


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        sim = behaviour.loads(options.sim)
        try:
            from recorder.simulator import serve  # noqa: PLC0415 - it needs the extra, and its absence is told below
        except ModuleNotFoundError as error:
            if error.name and error.name.partition(".")[0] == "recorder":
                raise
            raise UpstreamError(
                f"the simulated OpenRouter needs {error.name}: pip install 'openrouter-recorder[demo]'"
            ) from error
        serve.run(
            serve.Options(
                host=options.host,
                port=options.port,
                tls=options.tls,
                http2=options.http2,
                names=tuple(options.name),
                ca_file=options.ca_file,
                seed=options.seed,
                behaviour=sim,
            )
        )
    except RecorderError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recorder.simulator",
        description="The simulated OpenRouter, on loopback.",
        epilog=f"X-Sim and --sim take these, with hyphens:\n\n    {behaviour.Behaviour.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    parser.add_argument("--seed", default="0", help="decides every byte of the answers (%(default)s)")
    parser.add_argument("--name", action="append", default=[], help="a name more for the certificate; may be repeated")
    parser.add_argument("--ca-file", default="", help="where to write the CA of this run (default: a temporary file)")
    parser.add_argument("--no-tls", dest="tls", action="store_false", help="plain HTTP")
    parser.add_argument("--no-http2", dest="http2", action="store_false", help="offer HTTP/1.1 only")
    parser.add_argument("--sim", default="", help="the defaults of X-Sim, as in 'pace-ms=50, chunks=20'")
    return parser


if __name__ == "__main__":
    sys.exit(main())
