"""The commands as processes: what they print, what they leave, and the exit status that they end with."""

from __future__ import annotations

import ssl

import httpx

from tests.e2e.processes import Launcher

KEY = "sk-or-v1-" + "0123456789abcdef" * 4


def test_start_records_through_both_doors_and_stops_in_order(start_recorder: Launcher) -> None:
    recorder = start_recorder(session="weather")
    trust = ssl.create_default_context(cafile=recorder.bundle)
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(proxy=recorder.proxy_url, verify=trust, trust_env=False, headers=headers) as client:
        assert 200 == client.get("https://openrouter.ai/api/v1/models").status_code
    with httpx.Client(trust_env=False, headers=headers) as client:
        assert 200 == client.get(f"{recorder.base_url}/models").status_code
    assert 0 == recorder.stop()
    assert "" == recorder.stderr
    assert "cassettes/weather.yaml: 2 interactions" == recorder.stdout.splitlines()[-1]
    assert start_recorder.cassettes / "weather.yaml" == recorder.cassette
    recorded = recorder.cassette.read_text(encoding="utf-8")
    assert 2 == recorded.count("url: https://openrouter.ai/api/v1/models\n")
    assert KEY not in recorded
