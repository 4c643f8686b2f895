"""aiohttp: posts each of the files that are named, and writes what comes back as it comes; NUL ends a section."""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp

BASE = os.environ.get("OPENROUTER_BASE_URL") or "https://openrouter.ai/api/v1"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENROUTER_API_KEY']}", "Content-Type": "application/json"}


async def main(bodies: list[bytes]) -> None:
    out = sys.stdout.buffer
    out.write(aiohttp.__version__.encode() + b"\0")
    async with aiohttp.ClientSession(trust_env=True) as session:
        for body in bodies:
            async with session.post(f"{BASE}/chat/completions", data=body, headers=HEADERS) as response:
                async for piece in response.content.iter_any():
                    out.write(piece)
                    out.flush()
            out.write(b"\0")


asyncio.run(main([Path(name).read_bytes() for name in sys.argv[1:]]))
