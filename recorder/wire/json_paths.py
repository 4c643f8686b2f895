"""JSON paths, for what a user points at in bodies: `$.messages[*].content`, `$..email`.

A path is `$`, then any of `.name`, `['name']`, `[0]`, `[*]`, `.*`, `..name`.
"""

from __future__ import annotations

import re
from typing import Any

from recorder.errors import UsageError

_STEP = re.compile(r"\.\.([\w-]+)|\.([\w-]+|\*)|\[(\d+)\]|\[(\*)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")

Step = tuple[str, str | int]
"""`("is", name or index)`, `("any", "")` or `("anywhere", name)`."""


def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path; `UsageError` if it is none."""
    if not path.startswith("$"):
        raise UsageError("expected a JSON path that starts with `$`")
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise UsageError(f"cannot read the JSON path from column {position + 1} on")
        anywhere, key, index, star, single, double = match.groups()
        if anywhere is not None:
            steps.append(("anywhere", anywhere))
        elif index is not None:
            steps.append(("is", int(index)))
        elif star is not None or key == "*":
            steps.append(("any", ""))
        else:
            steps.append(("is", next(part for part in (key, single, double) if part is not None)))
        position = match.end()
    return tuple(steps)


def leads(steps: tuple[Step, ...], place: tuple[str | int, ...]) -> bool:
    """Whether the steps lead to the value at `place`, or to something around it."""
    if not steps:
        return True
    (how, what), rest = steps[0], steps[1:]
    if how == "anywhere":
        return any(part == what and leads(rest, place[at + 1 :]) for at, part in enumerate(place))
    return bool(place) and (how == "any" or place[0] == what) and leads(rest, place[1:])


def without(value: Any, steps: tuple[Step, ...]) -> Any:
    """A copy of a JSON value without what the steps lead to; what they do not touch is shared with `value`."""
    if not steps:
        return None
    (how, what), rest = steps[0], steps[1:]
    if isinstance(value, dict):
        kept = {}
        for key, inner in value.items():
            left = without(inner, steps) if how == "anywhere" else inner
            if how == "any" or key == what:
                if not rest:
                    continue
                left = without(left, rest)
            kept[key] = left
        return kept
    if isinstance(value, list):
        if how == "anywhere":
            return [without(inner, steps) for inner in value]
        chosen = [how == "any" or index == what for index in range(len(value))]
        if not rest:
            return [inner for inner, gone in zip(value, chosen, strict=True) if not gone]
        return [without(inner, rest) if through else inner for inner, through in zip(value, chosen, strict=True)]
    return value
