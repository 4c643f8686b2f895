"""The simulated OpenRouter: a real server on loopback that answers as OpenRouter does, deterministic from a seed.

Layers, each of which knows only those before it: `behaviour`, `seeded` (what is asked for, what looks random);
`dialogue`, `models` (what is said); `script`, `chat`, `responses`, `messages`, `gemini`, `refusal` (in which shape);
`api` (which address answers what); `journal`, `delivery`, `app`, `serve` (the server); `process` (as a child).
"""

from recorder.simulator.journal import Connection, Log, Served
from recorder.simulator.process import Upstream, start

__all__ = ["Connection", "Log", "Served", "Upstream", "start"]
