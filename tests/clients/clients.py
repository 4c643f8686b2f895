"""The clients, and what each needs beside `recorder env`: the one list that the tests and README's table come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.clients import installed

HERE = Path(__file__).parent
PROXY, BASE_URL = "proxy", "base URL"
DOORS = (PROXY, BASE_URL)
_ENV_PROXY = "node/env-proxy.mjs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One program. `command`: runs it, after installing what it needs, or skips the test.

    `name`: in the table. `files`: where its code stands. `raw`: it gives the body as it comes, else what its SDK makes
    of it. `needs`: the code that a door needs, word for word as in `files`. `pinned`: its version is of our choosing,
    else the machine's.
    """

    name: str
    files: tuple[str, ...]
    command: Callable[[], list[str]]
    raw: bool = False
    needs: Mapping[str, str] = field(default_factory=dict)
    pinned: bool = True

    @property
    def code(self) -> str:
        return "\n".join((HERE / file).read_text(encoding="utf-8") for file in self.files)

    def need(self, door: str) -> str:
        """What the table says."""
        return f"`{self.needs[door]}`" if door in self.needs else "nothing"


def _curl() -> list[str]:
    installed.curl()
    return ["sh", str(HERE / "curl/chat.sh")]


def _python(file: str, requirements: str = "requirements.txt") -> list[str]:
    return [str(installed.python(requirements)), str(HERE / file)]


def _node(version: int, file: str) -> list[str]:
    preloaded = ["--import", str(HERE / _ENV_PROXY)] if version == installed.OLD_NODE else []
    return [str(installed.node(version)), *preloaded, str(HERE / file)]


def _go(name: str) -> list[str]:
    return [str(installed.go(name))]


_PYTHON_URL = {BASE_URL: 'os.environ.get("OPENROUTER_BASE_URL")'}
_NODE_URL = {BASE_URL: "process.env.OPENROUTER_BASE_URL"}
_UNDICI = {PROXY: "setGlobalDispatcher(new EnvHttpProxyAgent())"}

CLIENTS = (
    Client(
        name="curl",
        files=("curl/chat.sh",),
        command=_curl,
        raw=True,
        needs={BASE_URL: "$OPENROUTER_BASE_URL/chat/completions"},
        pinned=False,
    ),
    Client(
        name="Python `openai`",
        files=("python/with_openai.py",),
        command=partial(_python, "python/with_openai.py"),
    ),
    Client(
        name="Python `openrouter`",
        files=("python/with_openrouter.py",),
        command=partial(_python, "python/with_openrouter.py"),
        needs={BASE_URL: 'server_url=os.environ.get("OPENROUTER_BASE_URL")'},
    ),
    Client(
        name="Python `langchain-openrouter`",
        files=("python/with_langchain.py",),
        command=partial(_python, "python/with_langchain.py", "requirements-langchain.txt"),
    ),
    Client(
        name="Python `httpx`",
        files=("python/with_httpx.py",),
        command=partial(_python, "python/with_httpx.py"),
        raw=True,
        needs=_PYTHON_URL,
    ),
    Client(
        name="Python `requests`",
        files=("python/with_requests.py",),
        command=partial(_python, "python/with_requests.py"),
        raw=True,
        needs=_PYTHON_URL,
    ),
    Client(
        name="Python `aiohttp`",
        files=("python/with_aiohttp.py",),
        command=partial(_python, "python/with_aiohttp.py"),
        raw=True,
        needs={PROXY: "ClientSession(trust_env=True)", **_PYTHON_URL},
    ),
    Client(name="Node 24 `openai`", files=("node/openai.mjs",), command=partial(_node, 24, "node/openai.mjs")),
    Client(
        name="Node 24 `fetch`",
        files=("node/fetch.mjs",),
        command=partial(_node, 24, "node/fetch.mjs"),
        raw=True,
        needs=_NODE_URL,
    ),
    Client(
        name="Node 20 `openai`",
        files=("node/openai.mjs", _ENV_PROXY),
        command=partial(_node, installed.OLD_NODE, "node/openai.mjs"),
        needs=_UNDICI,
    ),
    Client(
        name="Node 20 `fetch`",
        files=("node/fetch.mjs", _ENV_PROXY),
        command=partial(_node, installed.OLD_NODE, "node/fetch.mjs"),
        raw=True,
        needs={**_UNDICI, **_NODE_URL},
    ),
    Client(name="Go `openai-go`", files=("go/openai/main.go",), command=partial(_go, "openai")),
    Client(
        name="Go `net/http`",
        files=("go/nethttp/main.go",),
        command=partial(_go, "nethttp"),
        raw=True,
        needs={BASE_URL: 'os.Getenv("OPENROUTER_BASE_URL")'},
        pinned=False,
    ),
)
