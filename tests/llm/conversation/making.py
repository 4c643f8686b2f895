"""Turns for the tests: from a request's and a response's bodies, or from the simulated APIs."""

from __future__ import annotations

import json
from typing import Any

from recorder.llm.conversation import Turn, read
from recorder.model import Fields, Interaction, Request, Response
from recorder.simulator.api import Incoming, answer
from recorder.simulator.behaviour import loads
from recorder.simulator.seeded import seeded

STREAM = "text/event-stream"
JSON = "application/json"


def interaction(
    path: str, request: Any, response: Any, *, content_type: str = JSON, code: int = 200, status: str = "200 OK"
) -> Interaction:
    return Interaction(
        request=Request(method="POST", url=f"https://api.example.com{path}", body=octets(request)),
        response=Response(
            status=status,
            code=code,
            duration=1_000_000,
            body=octets(response),
            headers=Fields([("Content-Type", content_type)]),
        ),
    )


def turn(path: str, request: Any, response: Any, **more: Any) -> Turn:
    return read(interaction(path, request, response, **more))


def octets(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def events(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def simulated(path: str, request: dict[str, Any], sim: str = "") -> tuple[int, bytes, str]:
    """What the simulated upstream answers: status, body, content type. Ids in it depend on the request alone."""
    data = json.dumps(request).encode()
    target, _, query = path.partition("?")
    incoming = Incoming(
        method="POST", path=target, query=query, headers={"authorization": "Bearer sk-or-v1-" + "0" * 64}, body=data
    )
    made = answer(incoming, loads(sim), seeded("7", data, nth=0))
    content_type = next(value for name, value in made.headers if name == b"content-type").decode()
    return made.status, b"".join(made.events), content_type


def asked(path: str, request: dict[str, Any], sim: str = "") -> Turn:
    code, body, content_type = simulated(path, request, sim)
    return turn(path, request, body, content_type=content_type, code=code)
