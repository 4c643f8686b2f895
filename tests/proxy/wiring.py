"""What the tests of the tee and of the patches share: mitmproxy's HTTP layer with a tee at each response."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options

from recorder.proxy import flow_values
from recorder.proxy.patches.http_layer import HttpLayerRig, options
from recorder.proxy.tee import Tee
from recorder.wire.exchange import Capture, WireRequest, WireResponse

__all__ = ["Wire", "capture", "never", "options", "tee_for", "wire"]

Wire = HttpLayerRig


def capture() -> Capture:
    made = Capture(WireRequest(method="GET", url="http://openrouter.ai/", http_version="HTTP/1.1", headers=()), began=0)
    made.respond(WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=()), at=0)
    return made


def never(error: BaseException) -> None:
    raise AssertionError(f"failed: {error!r}")


def tee_for(flow: HTTPFlow) -> Tee:
    return Tee(capture(), zero=0, length=flow_values.announced_length(flow), failed=never)


def wire(
    made: Options,
    *,
    tee: Callable[[HTTPFlow], Tee] = tee_for,
    written: Callable[[HTTPFlow], None] = lambda _flow: None,
) -> HttpLayerRig:
    """`tee` is asked at the headers of each response that does not end with them."""

    def answered(flow: HTTPFlow) -> None:
        assert flow.response is not None
        if not flow.response.stream and not flow_values.ends_with_headers(flow):
            flow.response.stream = tee(flow)

    return HttpLayerRig(options=made, answered=answered, written=written)
