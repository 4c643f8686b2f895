"""What a replay has to come up to, and its receipt as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.errors import RecorderError
from recorder.replay.matching import Miss, Reason
from recorder.replay.receipt import Receipt, Unplayed
from recorder.session.requirements import Demands

MISS = Miss(reason=Reason.DIFFERS, method="POST", url="https://openrouter.ai/", words="body differs")


def receipt(*, missed: bool = False, left: bool = False) -> Receipt:
    return Receipt(
        session="s",
        cassette="s.yaml",
        digest="sha256:0",
        interactions=2,
        served=1,
        missed=(MISS,) if missed else (),
        never_played=(Unplayed(id=1, method="GET", url="https://openrouter.ai/"),) if left else (),
    )


@pytest.mark.parametrize(
    ("demands", "clean", "missed", "left"),
    [
        (Demands(), 0, 0, 0),
        (Demands(no_miss=True), 0, 1, 0),
        (Demands(strict=True), 0, 1, 1),
    ],
)
def test_the_status_by_what_is_demanded(demands: Demands, clean: int, missed: int, left: int) -> None:
    assert clean == demands.status([]) == demands.status([receipt()])
    assert missed == demands.status([receipt(), receipt(missed=True)])
    assert left == demands.status([receipt(left=True)])


def test_the_receipts_are_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    Demands(receipt=file).write([receipt(missed=True, left=True)])
    (told,) = json.loads(file.read_text())["receipts"]
    assert (["body-differs"], [1]) == (
        [each["reason"] for each in told["missed"]],
        [each["id"] for each in told["never_played"]],
    )
    Demands().write([receipt()])
    assert [file] == list(tmp_path.iterdir())


def test_a_receipt_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match="expected to write the receipt"):
        Demands(receipt=tmp_path).write([])
