"""Plain values of a file that nobody vouches for, each with its place, so that an error can say where it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from recorder.errors import CassetteError
from recorder.model import INT64_MAX, INT64_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`value` stands at `path` in the file `name`. What is asked of it and is not so is a CassetteError."""

    value: Any = field(repr=False)
    name: str
    path: str = ""

    def refuse(self, expected: str, found: str = "") -> NoReturn:
        where = f" at {self.path}" if self.path else ""
        raise CassetteError(name=self.name, line=0, expected=expected + where, found=found or _kind(self.value))

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    def mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, dict):
            self.refuse("a mapping")
        return self.value

    def at(self, key: str) -> Place:
        """What stands under `key`; of what is not there the value is None."""
        path = f"{self.path}.{key}" if self.path else key
        return Place(value=self.mapping().get(key), name=self.name, path=path)

    def items(self) -> Iterator[Place]:
        if not isinstance(self.value, list):
            self.refuse("a list")
        for number, item in enumerate(self.value):
            yield Place(value=item, name=self.name, path=f"{self.path}[{number}]")

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.refuse("a text")
        return self.value

    def integer(self) -> int:
        """Of 64 bits, as the model has them all."""
        value = self.value
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse("a whole number")
        if not INT64_MIN <= value <= INT64_MAX:
            self.refuse("a whole number of 64 bits", "a larger one")
        return value

    def number(self) -> float:
        """0 where it is not known: less than 0, or not a number at all."""
        value = self.value
        return value if isinstance(value, int | float) and math.isfinite(value) and value > 0 else 0

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return self.value


def json_loads(data: bytes, name: str) -> Place:
    try:
        return Place(value=json.loads(data.decode("utf-8-sig")), name=name)
    except json.JSONDecodeError as error:
        raise CassetteError(name=name, line=error.lineno, expected="JSON", found=error.msg) from error
    except UnicodeDecodeError as error:
        raise CassetteError(name=name, line=0, expected="UTF-8", found="other bytes") from error
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of too many digits
        raise CassetteError(name=name, line=0, expected="JSON", found=str(error)) from error


def _kind(value: Any) -> str:
    names = {type(None): "nothing", dict: "a mapping", list: "a list", str: "a text", bytes: "bytes", bool: "a flag"}
    return names.get(type(value), "a number")
