"""requests: posts each of the files that are named, and writes what comes back as it comes; NUL ends a section."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import requests

BASE = os.environ.get("OPENROUTER_BASE_URL") or "https://openrouter.ai/api/v1"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENROUTER_API_KEY']}", "Content-Type": "application/json"}

out = sys.stdout.buffer
out.write(version("requests").encode() + b"\0")
for name in sys.argv[1:]:
    with requests.post(
        f"{BASE}/chat/completions", data=Path(name).read_bytes(), headers=HEADERS, stream=True, timeout=60
    ) as response:
        for piece in response.iter_content(chunk_size=None):
            out.write(piece)
            out.flush()
    out.write(b"\0")
