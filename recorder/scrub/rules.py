"""The user's own rules: a name, and an expression or a JSON path, from `[[tool.recorder.scrub]]`.

A JSON path is `$`, then any of `.name`, `['name']`, `[0]`, `[*]`, `.*`, `..name`: `$.messages[*].content`, `$..email`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recorder.errors import UsageError
from recorder.scrub import jsontext
from recorder.scrub.placeholder import is_kind
from recorder.scrub.search import Expression

_STEP = re.compile(r"\.\.([\w-]+)|\.([\w-]+|\*)|\[(\d+)\]|\[(\*)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")

Step = tuple[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Exactly one of `expression` (a regular expression over bytes) and `json_path` is given."""

    name: str
    expression: str = ""
    json_path: str = ""

    def __post_init__(self) -> None:
        if not is_kind(self.name):
            raise UsageError(f"scrub rule {self.name!r}: expected a name of a-z, 0-9 and -, at most 40 characters")
        if bool(self.expression) == bool(self.json_path):
            raise UsageError(f"scrub rule {self.name}: expected either `expression` or `json_path`")
        if self.expression:
            _compiled(self.name, self.expression)
        else:
            _steps(self.name, self.json_path)

    def compiled(self) -> Expression | None:
        """What the finder looks for; None for a JSON path."""
        if not self.expression:
            return None
        expression = _compiled(self.name, self.expression)
        group = "secret" if "secret" in expression.groupindex else 0

        def spans(text: bytes) -> Iterator[tuple[int, int]]:
            return (match.span(group) for match in expression.finditer(text))

        return Expression(name=self.name, spans=spans)

    def spans(self, body: bytes) -> Iterator[jsontext.Value]:
        """The values of a JSON body that the path leads to; none if the body is no JSON."""
        if not self.json_path:
            return
        steps = _steps(self.name, self.json_path)
        try:
            found = jsontext.values(body)
        except jsontext.NotJsonError:
            return
        for value in found:
            if value.start < value.end and _leads(steps, value.path):
                yield value


def _compiled(name: str, expression: str) -> re.Pattern[bytes]:
    try:
        return re.compile(expression.encode("utf-8"))
    except re.error as error:
        raise UsageError(f"scrub rule {name}: expected a regular expression, found one that fails: {error}") from error


def _steps(name: str, path: str) -> tuple[Step, ...]:
    if not path.startswith("$"):
        raise UsageError(f"scrub rule {name}: expected a JSON path that starts with `$`")
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise UsageError(f"scrub rule {name}: cannot read the JSON path from column {position + 1} on")
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


def _leads(steps: tuple[Step, ...], path: jsontext.Path) -> bool:
    """Whether the steps lead to the value, or to something around it: all of that is to go then."""
    if not steps:
        return True
    (how, what), rest = steps[0], steps[1:]
    if how == "anywhere":
        return any(part == what and _leads(rest, path[at + 1 :]) for at, part in enumerate(path))
    return bool(path) and (how == "any" or path[0] == what) and _leads(rest, path[1:])
