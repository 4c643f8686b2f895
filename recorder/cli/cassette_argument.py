"""The cassette that a NAME on the command line means, and what can be read of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from recorder import cassette
from recorder.errors import CassetteError, RecorderError
from recorder.llm import conversation
from recorder.llm.conversation import Turn
from recorder.model import Interaction
from recorder.replay import timing
from recorder.replay.timing import Timing
from recorder.storage import session_paths


def find(name: str, folder: Path) -> Path:
    """A session below `folder`, or a file: one that ends in `.yaml` is a file."""
    file = Path(name)
    if not name.endswith(session_paths.SUFFIX):
        recorded = folder / f"{name}{session_paths.SUFFIX}"
        if recorded.is_file():
            return recorded
        if not file.is_file():
            broken_off = folder / f"{name}{session_paths.INCOMPLETE_SUFFIX}"
            hint = f"what broke off is in {broken_off}" if broken_off.is_file() else "`recorder list` lists them"
            raise RecorderError(f"expected a session or a cassette, found neither {recorded} nor {name}; {hint}")
    if not file.is_file():
        raise RecorderError(f"expected a cassette at {name}, found none; `recorder list` lists them")
    return file


def all_in(folder: Path) -> list[str]:
    """Every session below `folder`."""
    if not folder.is_dir():
        raise RecorderError(f"expected a folder of cassettes at {folder}, found none; see --cassette-dir")
    return session_paths.names_in(folder)


def read(path: Path) -> tuple[tuple[Turn, ...], CassetteError | None]:
    """The turns of a cassette as far as it is whole, and what is wrong behind them."""
    turns: list[Turn] = []
    try:
        for interaction in cassette.interactions(path.read_bytes(), str(path)):
            turns.append(conversation.read(interaction, len(turns)))
    except CassetteError as error:
        return tuple(turns), error
    return tuple(turns), None


def timings(path: Path, interactions: Iterable[Interaction]) -> list[Timing | None]:
    """When the pieces of each answer came, where that was kept beside the cassette."""
    beside = path.with_suffix(timing.SUFFIX)
    return timing.of(interactions, beside.read_bytes() if beside.is_file() else b"")
