"""For tests and notebooks: a cassette's file → its turns. `import recorder` has these names, and loads them by need."""

from __future__ import annotations

import os
from pathlib import Path

from recorder import cassette
from recorder.llm import conversation
from recorder.llm.conversation import Turn


def load(path: str | os.PathLike[str]) -> tuple[Turn, ...]:
    """The turns of a cassette, in its order. CassetteError if it is damaged, OSError if it cannot be read."""
    return loads(Path(path).read_bytes(), os.fspath(path))


def loads(data: bytes, name: str = "<cassette>") -> tuple[Turn, ...]:
    """The same of a cassette's text; `name` is the file's, for errors."""
    found = cassette.loads(data, name).interactions
    return tuple(conversation.read(interaction, number) for number, interaction in enumerate(found))
