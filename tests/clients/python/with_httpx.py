"""httpx: posts each of the files that are named, and writes what comes back as it comes; NUL ends a section."""

import os
import sys
from pathlib import Path

import httpx

BASE = os.environ.get("OPENROUTER_BASE_URL") or "https://openrouter.ai/api/v1"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENROUTER_API_KEY']}", "Content-Type": "application/json"}

out = sys.stdout.buffer
out.write(httpx.__version__.encode() + b"\0")
with httpx.Client(http2=True, timeout=60) as client:
    for name in sys.argv[1:]:
        with client.stream(
            "POST", f"{BASE}/chat/completions", content=Path(name).read_bytes(), headers=HEADERS
        ) as response:
            for piece in response.iter_bytes():
                out.write(piece)
                out.flush()
        out.write(b"\0")
