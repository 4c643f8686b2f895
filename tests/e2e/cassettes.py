"""Cassettes as PyYAML reads them: a reader that is not ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def interactions(text: bytes | Path) -> list[dict[str, Any]]:
    """What a cassette holds; nothing where there is no file yet."""
    if isinstance(text, Path):
        text = text.read_bytes() if text.exists() else b""
    document = yaml.load(text, yaml.CSafeLoader)
    return document["interactions"] if document else []


def asked(found: list[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    """Those whose URL ends with `target`."""
    return [interaction for interaction in found if interaction["request"]["url"].endswith(target)]
