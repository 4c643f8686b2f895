"""Chromium's own developer tools import what we export, and show what was recorded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from recorder.formats import Session, har
from recorder.model import Interaction
from tests.cassette.strategies import plain_interaction
from tests.formats.speaking import answered, chat, streamed
from tests.views.html.chromium import Tab, program, running

_TOOLS = "devtools://devtools/bundled/devtools_app.html"
# The module that the network panel's "Import HAR file" calls.
_IMPORT = """(async log => {
    const tools = await import('devtools://devtools/bundled/models/har/har.js')
    const requests = tools.Importer.Importer.requestsFromHARLog(new tools.HARFormat.HARRoot(log).log)
    return Promise.all(requests.map(async request => {
        const content = await request.requestContentData()
        return {
            method: request.requestMethod, url: request.url(), status: request.statusCode, reason: request.statusText,
            type: request.mimeType, asked: await request.requestFormData(), waited: request.duration,
            answered: content.isTextContent ? content.text : null,
            base64: content.isTextContent ? null : content.base64,
        }
    }))
})"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with running(program(), tmp_path_factory.mktemp("chromium")) as browser:
        tab = Tab(browser)
        tab.call("Page.navigate", url=_TOOLS)
        tab.until(f"location.href === '{_TOOLS}' && document.readyState === 'complete'")
        yield tab
        tab.close()


def shown(tab: Tab, *kept: Interaction) -> list[dict[str, Any]]:
    text = "".join(har.dumps([Session(name="weather", interactions=kept)]))
    found: list[dict[str, Any]] = tab.run(f"{_IMPORT}({text})")
    return found


def test_developer_tools_show_what_was_recorded(tab: Tab) -> None:
    picture = answered(plain_interaction(), b"\x89PNG\xff", "image/png")
    picture = replace(picture, response=replace(picture.response, code=404, status="404 Not Found"))
    kept = (chat("Olá 😀"), streamed(), picture)
    for each, seen in zip(kept, shown(tab, *kept), strict=True):
        assert (each.request.method, each.request.url) == (seen["method"], seen["url"])
        assert each.response.status == f"{seen['status']} {seen['reason']}"
        assert each.response.headers.first("Content-Type") == seen["type"]
        assert each.request.body.decode() == seen["asked"]
        assert pytest.approx(1.476046083) == seen["waited"]
    first, second, third = shown(tab, *kept)
    assert "Olá 😀" in json.loads(first["answered"])["choices"][0]["message"]["content"]
    assert kept[1].response.body.decode() == second["answered"]
    assert base64.b64encode(b"\x89PNG\xff").decode() == third["base64"]
