"""The design as tests: imports run one way, and each outside thing has one owner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "recorder"

# From the bottom up: a module imports from its own layer and those before it.
LAYERS: tuple[str, ...] = (
    "errors",
    "model",
    "humanize",
    "wire",
    "cassette",
    "scrub",
    "llm",
    "replay",
    "storage",
    "formats",
    "views",
    "session",
    "proxy",
    "simulator",
    "cli",
    "pytest_plugin",
)
LEVEL = {name: level for level, name in enumerate(LAYERS)}

OWNERS = {
    "mitmproxy": ("proxy",),
    "h11": ("proxy", "simulator"),
    "wsproto": ("proxy",),
    "yaml": ("cassette",),
    "click": ("cli",),
    "fcntl": ("storage", "session", "proxy"),
    "signal": ("session", "cli", "simulator", "storage"),
    "subprocess": ("session", "cli", "simulator", "pytest_plugin"),
    "pytest": ("pytest_plugin",),
    "hypercorn": ("simulator",),
    "trustme": ("simulator",),
    "pyarrow": ("formats",),
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The part of the package that a file belongs to: `cli`, `store`, …"""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            if node.module == "recorder":
                yield from (f"recorder.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_every_part_of_the_package_has_its_layer() -> None:
    assert {room(path) for path in MODULES} - {"__init__", "__main__"} == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    wrong = [
        name
        for name in imports(path)
        if name.startswith("recorder.") and LEVEL.get(name.split(".")[1], -1) > LEVEL[here]
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_each_outside_thing_has_one_owner(path: Path) -> None:
    foreign = [name for name in imports(path) if room(path) not in OWNERS.get(name.split(".")[0], (room(path),))]
    assert foreign == []


def test_the_root_keeps_no_more_than_seven_files() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 7


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_mitmproxys_code_is_changed_in_one_place(path: Path) -> None:
    """An attribute of something that was imported from mitmproxy is assigned in `proxy/patches/` alone."""
    if path.is_relative_to(PACKAGE / "proxy" / "patches"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    theirs = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mitmproxy"
        for alias in node.names
    }
    changed = [
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in theirs
    ]
    assert [] == changed
