"""The user's own rules: a name, and an expression or a JSON path, from `[[tool.recorder.scrub]]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recorder.errors import UsageError
from recorder.scrub.placeholder import is_kind
from recorder.scrub.search import Expression
from recorder.wire import json_paths, json_spans


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
            raise UsageError(f"scrub rule {self.name}: expected either an expression or a json-path")
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

    def spans(self, body: bytes) -> Iterator[json_spans.Value]:
        """The values of a JSON body that the path leads to; none if the body is no JSON."""
        if not self.json_path:
            return
        steps = _steps(self.name, self.json_path)
        try:
            found = json_spans.values(body)
        except json_spans.NotJsonError:
            return
        for value in found:
            if value.start < value.end and json_paths.leads(steps, value.path):
                yield value


def _compiled(name: str, expression: str) -> re.Pattern[bytes]:
    try:
        return re.compile(expression.encode("utf-8"))
    except re.error as error:
        raise UsageError(f"scrub rule {name}: expected a regular expression, found one that fails: {error}") from error


def _steps(name: str, path: str) -> tuple[json_paths.Step, ...]:
    try:
        return json_paths.parse(path)
    except UsageError as error:
        raise UsageError(f"scrub rule {name}: {error}") from error
