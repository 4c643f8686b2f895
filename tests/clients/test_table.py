"""README's table of clients is that of the tests, and is held against what they see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients import table
from tests.clients.clients import CLIENTS, DOORS, Client

ORDER = ["one", "two"]


@pytest.mark.skipif(table.is_being_written(), reason="the table is being written")
def test_the_readme_has_a_full_row_for_each_client() -> None:
    rows = table.read()
    assert [client.name for client in CLIENTS] == list(rows)
    assert all(cell for row in rows.values() for cell in row.values())


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name.replace("`", ""))
def test_the_code_that_the_readme_names_is_the_code_that_runs(client: Client) -> None:
    assert set(client.needs) <= set(DOORS)
    assert [] == [code for code in client.needs.values() if code not in client.code]


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(f"before\n\n{table.BEGIN}\n{table.END}\n\nafter\n", encoding="utf-8")
    return path


def test_rows_are_written_in_their_order_and_the_rest_of_the_readme_stays(
    readme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENTS_TABLE", "write")
    for client in reversed(ORDER):
        table.tell(client, {"version": "1.0", "speaks": "HTTP/2"}, order=ORDER, path=readme)
    table.tell("one", {"version": "1.1"}, order=ORDER, path=readme)
    assert ORDER == list(table.read(readme))
    assert {"client": "one", "version": "1.1", "speaks": "HTTP/2"} == {
        name: cell for name, cell in table.read(readme)["one"].items() if cell
    }
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n\n{table.BEGIN}\n| client | ")
    assert text.endswith(f" |\n{table.END}\n\nafter\n")


def test_a_cell_that_is_not_what_a_test_saw_fails(readme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENTS_TABLE", "write")
    table.tell("one", {"version": "1.0"}, order=ORDER, path=readme)
    monkeypatch.delenv("CLIENTS_TABLE")
    table.tell("one", {"version": "1.0"}, order=ORDER, path=readme)
    for client, version in (("one", "1.1"), ("two", "1.0")):
        with pytest.raises(AssertionError, match="CLIENTS_TABLE=write"):
            table.tell(client, {"version": version}, order=ORDER, path=readme)
