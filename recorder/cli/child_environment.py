"""How a child process finds this very package, which may not be installed."""

from __future__ import annotations

import os
from pathlib import Path

import recorder


def finding_this_package() -> dict[str, str]:
    """The environment for it."""
    root = str(Path(recorder.__file__).parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}
