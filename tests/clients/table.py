"""README's table of clients: read, and held against what a test has seen.

With `CLIENTS_TABLE=write` in the environment it is written from that instead.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- clients: written by CLIENTS_TABLE=write scripts/test tests/clients -->", "<!-- /clients -->"
COLUMNS = ("client", "version", "through the proxy it needs", "through the base URL it needs", "speaks")

Rows = dict[str, dict[str, str]]
"""The cells by the client and the column."""


def is_being_written() -> bool:
    return os.environ.get("CLIENTS_TABLE") == "write"


def read(path: Path = README) -> Rows:
    text = path.read_text(encoding="utf-8")
    lines = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in cells}


def tell(client: str, cells: dict[str, str], *, order: list[str], path: Path = README) -> None:
    """A test has seen these cells of a client's row: they are what the table says, or are written there."""
    if is_being_written():
        with path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            rows = read(path)
            rows.setdefault(client, dict.fromkeys(COLUMNS, "") | {"client": client}).update(cells)
            text = file.read()
            head, _, rest = text.partition(BEGIN)
            file.seek(0)
            file.truncate()
            file.write(f"{head}{BEGIN}\n{_dumps(rows, order)}\n{END}{rest.partition(END)[2]}")
        return
    row = read(path).get(client, {})
    assert cells == {name: row.get(name) for name in cells}, "run `CLIENTS_TABLE=write scripts/test tests/clients`"


def _dumps(rows: Rows, order: list[str]) -> str:
    lines = [COLUMNS, tuple("---" for _ in COLUMNS)]
    lines += [tuple(rows[name].values()) for name in order if name in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
