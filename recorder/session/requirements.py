"""What a replay has to come up to, and where its receipt goes: for every way in which a recorder can end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import RecorderError
from recorder.replay.receipt import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a replay has to come up to, else the exit status is 1. `receipt`: the file that it is written to, as JSON.

    `no_miss`: every request was answered. `strict`: and every interaction was played.
    """

    receipt: Path | None = None
    no_miss: bool = False
    strict: bool = False

    def status(self, receipts: Sequence[Receipt]) -> int:
        unclean = self.strict and not all(receipt.is_clean for receipt in receipts)
        return 1 if unclean or (self.no_miss and any(receipt.missed for receipt in receipts)) else 0

    def write(self, receipts: Sequence[Receipt]) -> None:
        if self.receipt is None:
            return
        text = json.dumps({"receipts": [receipt.as_json() for receipt in receipts]}, indent=2, ensure_ascii=False)
        try:
            self.receipt.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise RecorderError(f"expected to write the receipt to {self.receipt}, found {error.strerror}") from error


NO_DEMANDS = Demands()
