"""What a request says of the session and the host that it is for."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mitmproxy import http
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test.tflow import tflow
from mitmproxy.test.tutils import treq

from recorder.errors import UsageError
from recorder.proxy import routing
from recorder.proxy.routing import Route
from recorder.session import environment
from recorder.session.settings import Host, parse_hosts

HOSTS = parse_hosts("openrouter.ai api.openai.com:8443 http://localhost:11434 *.example.com")


def at_the_base_url(path: str, **headers: str) -> http.HTTPFlow:
    flow = asked(path, **headers)
    flow.client_conn.proxy_mode = ProxyMode.parse("reverse:https://openrouter.ai")
    flow.request.authority = ""
    return flow


def asked(path: str = "/api/v1/models", **headers: str) -> http.HTTPFlow:
    fields = http.Headers(((b"Host", b"openrouter.ai"),), **headers)
    made = tflow(req=treq(scheme=b"https", host="openrouter.ai", port=443, path=path.encode(), headers=fields))
    made.request.authority = ""
    return made


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def route(flow: http.HTTPFlow, user: str | None = None) -> Route:
    return routing.take(flow, HOSTS, user=user)


@pytest.mark.parametrize(
    ("path", "expected", "left"),
    [
        ("/api/v1/models?x=~", Route(), "/api/v1/models?x=~"),
        ("/~chat/api/v1/models?x=1", Route(session="chat"), "/api/v1/models?x=1"),
        ("/~chat/", Route(session="chat"), "/"),
        ("/~chat", Route(session="chat", control=True), "/"),
        ("/~TestAgent%2Fweather/v1", Route(session="TestAgent/weather"), "/v1"),
        ("/~a%20b/~c/d", Route(session="a b"), "/~c/d"),
        ("/@api.openai.com/v1", Route(host=Host(name="api.openai.com", port=8443)), "/v1"),
        ("/@api.openai.com:8443/v1", Route(host=Host(name="api.openai.com", port=8443)), "/v1"),
        ("/@a.example.com/v1/", Route(host=Host(name="a.example.com", port=443)), "/v1/"),
        ("/@localhost/api", Route(host=Host(name="localhost", port=11434, scheme="http")), "/api"),
        ("/~chat/@openrouter.ai/v1", Route(session="chat", host=Host(name="openrouter.ai", port=443)), "/v1"),
        ("/@openrouter.ai/~chat/v1", Route(session="chat", host=Host(name="openrouter.ai", port=443)), "/v1"),
    ],
)
def test_a_path_at_the_base_url_names_session_and_host(path: str, expected: Route, left: str) -> None:
    flow = at_the_base_url(path)
    assert expected == route(flow)
    assert left == flow.request.path


def test_the_request_goes_to_the_host_that_the_path_names() -> None:
    flow = at_the_base_url("/@localhost/api/chat")
    route(flow)
    assert "http://localhost:11434/api/chat" == flow.request.url
    assert "localhost:11434" == flow.request.headers["Host"]


def test_through_the_proxy_a_path_is_the_upstreams() -> None:
    flow = asked("/~chat/@b/c")
    assert Route() == route(flow)
    assert "/~chat/@b/c" == flow.request.path


def test_the_header_goes_before_the_path_and_the_path_before_the_user() -> None:
    assert Route(session="header") == route(at_the_base_url("/~path/", X_Recorder_Session="header"), user="user")
    assert Route(session="path") == route(at_the_base_url("/~path/"), user="user")
    assert Route(session="user") == route(asked(), user="user")
    assert Route() == route(asked())


def test_what_was_meant_for_the_recorder_is_taken_off() -> None:
    flow = asked(X_Recorder_Session="chat", Proxy_Authorization=basic("chat:"))
    flow.request.authority = "openrouter.ai:80"
    assert "absolute" == flow.request.first_line_format
    assert Route(session="chat") == route(flow)
    assert ["Host"] == list(flow.request.headers)


@pytest.mark.parametrize(
    ("sent", "user"),
    [
        (basic("chat:"), "chat"),
        (basic("chat:secret"), "chat"),
        (basic("chat"), "chat"),
        (basic("TestAgent%2Fweather:"), "TestAgent/weather"),
        (basic("wetter-für-köln:"), "wetter-für-köln"),
        (basic(":password"), None),
        ("Basic ???", None),
        ("Basic Zvw6", "f\udcfc"),
        ("Bearer chat", None),
        ("", None),
    ],
)
def test_the_user_in_the_proxys_url(sent: str, user: str | None) -> None:
    assert user == routing.proxy_user(http.Headers(Proxy_Authorization=sent))


@pytest.mark.parametrize(
    "name", ["chat", "TestAgent/weather", "wetter für köln", "100%", "a%2Fb", "a%252Fb/%", "a b@c"]
)
def test_the_environment_names_a_session_to_clients_which_decode_the_user_before_they_send_it(name: str) -> None:
    """As curl, requests, httpx, undici and Go's net/http do."""
    url = environment.proxy_variables(port=1, bundle=Path("bundle.pem"), session=name)["HTTPS_PROXY"]
    user = unquote(urlsplit(url).username or "")
    assert name == routing.proxy_user(http.Headers(Proxy_Authorization=basic(f"{user}:x")))


@pytest.mark.parametrize("name", ["../x", "a\\b", "~a", "CON", "x.yaml", "a//b"])
def test_a_name_that_cannot_be_a_sessions_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected a session's name"):
        route(asked(X_Recorder_Session=name))


@pytest.mark.parametrize("path", ["/~/api/v1/models", "/~%FF/api/v1/models", "/~f%FC"])
def test_a_name_that_is_empty_or_no_text_is_refused_and_not_left_out(path: str) -> None:
    """Else an unset variable, or another encoding, would have it recorded to another session."""
    with pytest.raises(UsageError, match="expected a session's name"):
        route(at_the_base_url(path), user="user")
    with pytest.raises(UsageError, match="expected a session's name"):
        route(asked(), user=routing.proxy_user(http.Headers(Proxy_Authorization="Basic Zvw6")))


@pytest.mark.parametrize("host", ["elsewhere.test", "openai.com", "example.com", "api.openai.com:443", "", "a b"])
def test_a_host_that_is_not_recorded_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="expected a"):
        route(at_the_base_url(f"/@{host}/v1"))
