"""`recorder` and `python -m recorder`. Ctrl-C while the command line is still loading is no traceback either."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    try:
        from recorder import cli  # noqa: PLC0415 - in here, so that an interrupt of it is caught

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
