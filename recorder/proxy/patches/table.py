"""The one table of the patches, and the one place that installs them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import version

from recorder.errors import ProxyError
from recorder.proxy.patches import chunks, express, held_end, interim, paced_answer, self_test

logger = logging.getLogger(__name__)

TESTED = "11.0 to 12.3"
_FIRST, _BEFORE = (11, 0), (12, 4)  # 11.0.2, 11.1.3, 12.1.2, 12.2.3 and 12.3.1
SWITCH = "RECORDER_SHORTCUTS"
"""The environment variable that leaves out, at "off", what is for speed alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """`changes`: in mitmproxy. `gives`: what mitmproxy does with it. `for_speed`: no promise rests on it."""

    install: Callable[[], None]
    changes: tuple[str, ...]
    gives: str
    for_speed: bool = False


PATCHES = (
    Patch(
        install=held_end.install,
        changes=("HttpStream._handle_event", "HttpStream.send_response", "HttpStream.handle_protocol_error"),
        gives="the end of a response goes out when it is on disk",
    ),
    Patch(
        install=paced_answer.install,
        changes=("HttpStream.send_response", "Wakeup.reply"),
        gives="a replayed answer goes out piece by piece",
    ),
    Patch(
        install=chunks.install,
        changes=("_http1.ChunkedReader",),
        gives="chunks that came together go on together; trailers do not break the response",
    ),
    Patch(
        install=interim.install,
        changes=("Http1Client.__init__",),
        gives="interim answers are not taken for the answer",
    ),
    Patch(
        install=express.install,
        changes=(
            "ProxyConnectionHandler.handle_client",
            "AddonManager.register, .remove, .clear and .add",
            "LegacyLogEvents.emit",
            "http.MessageData.__post_init__",
        ),
        gives="a small exchange takes 0.9 ms of CPU instead of 1.4",
        for_speed=True,
    ),
)
"""In the order in which they are installed. `lean_imports` and `tcp_only` change no code of mitmproxy's at run time."""


def install() -> None:
    """Install the patches and hold them against this mitmproxy. ProxyError if one does not hold. Idempotent."""
    tested = _is_tested(version.VERSION)
    for patch in PATCHES:
        if not patch.for_speed or (tested and os.environ.get(SWITCH) != "off"):
            patch.install()
    try:
        self_test.run()
    except self_test.PatchFailedError as error:
        raise ProxyError(
            f"expected a mitmproxy that was tested ({TESTED}), found {version.VERSION}, and with it {error}; "
            f"install 'mitmproxy<{_BEFORE[0]}.{_BEFORE[1]}'"
        ) from error
    if not tested:
        logger.warning(
            "recorder: mitmproxy %s was not tested (%s were). Its self-test passed; shortcuts for speed are off",
            version.VERSION,
            TESTED,
        )


def _is_tested(release: str) -> bool:
    major, minor = release.split(".")[:2]
    return _FIRST <= (int(major), int(minor)) < _BEFORE
