"""What the clients need, installed on demand into folders that git ignores, pinned: the second run finds it there.

Python clients get environments of their own, as users have them; Node's come with the two Nodes that they run on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import missing

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
OLD_NODE = 20
"""A Node whose fetch reads no proxy variables: 22.21 and 24 are the first that do."""
_NODE = HERE / "node"
_GO = HERE / "go"
_PYTHON = HERE / "python"


def python(requirements: str) -> Path:
    """The interpreter of an environment that holds what a file of requirements names."""
    wanted = _PYTHON / requirements
    version = ".".join(map(str, sys.version_info[:2]))
    folder = CACHE / f"python-{version}-{wanted.stem}"
    program = folder / "bin" / "python"

    def install() -> None:
        _run("the Python clients", sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
        pip = [sys.executable, "-m", "pip", "--python", str(program), "install", "--quiet", "--no-input"]
        _run("the Python clients", *pip, "--disable-pip-version-check", "--requirement", str(wanted))

    _once(folder, [wanted], install)
    return program


def node(version: int) -> Path:
    """The Node of this major version; its modules are found from the programs' own folder."""
    if not shutil.which("npm"):
        missing("npm (https://nodejs.org, to run the Node clients)")
    modules = _NODE / "node_modules"

    def install() -> None:
        _run("the Node clients", "npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=_NODE)

    _once(modules, [_NODE / "package.json", _NODE / "package-lock.json"], install)
    return modules / f"node{version}" / "bin" / "node"


def go(name: str) -> Path:
    """The program built from that folder of the Go module."""
    if not shutil.which("go"):
        missing("go (https://go.dev/dl, to run the Go clients)")
    folder = CACHE / "go"

    def install() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Without optimisation of the SDK, which is large: half of the first build's time.
        flags = "-gcflags=github.com/openai/...=-N -l"
        _run("the Go clients", "go", "build", flags, "-o", f"{folder}{os.sep}", "./...", cwd=_GO)

    _once(folder, sorted(path for path in _GO.rglob("*") if path.is_file()), install)
    return folder / name


def curl() -> Path:
    found = shutil.which("curl")
    if not found:
        missing("curl")
    return Path(str(found))


def _once(folder: Path, wanted: list[Path], install: Callable[[], None]) -> None:
    """Install into `folder` unless what is wanted is there; one process at a time."""
    stamp = hashlib.sha256(b"\0".join(path.read_bytes() for path in wanted)).hexdigest()
    CACHE.mkdir(exist_ok=True)
    file = CACHE / f"{folder.name}.installed"
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir() and file.is_file() and stamp == file.read_text():
            return
        install()
        file.write_text(stamp)


def _run(what: str, *command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        missing(f"{what} ({' '.join(command[:3])}: {said[-1]})")
