"""Another `os` for the store: every module of it that touches the disk."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.storage import cassette_file, disk, lock, store

MODULES = (store, cassette_file, lock, disk)


def replace_os(patch: pytest.MonkeyPatch, stand_in: Any) -> None:
    for module in MODULES:
        patch.setattr(module, "os", stand_in)
