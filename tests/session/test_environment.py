"""The client's environment: the variables, and the words of each shell, which real shells have to take."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.session import environment
from recorder.session.settings import parse_hosts

ODD = '/tmp/it\'s a "folder" with $HOME, `date`, \\, %PATH%, *, # and\na line end/bundle.pem'


def test_the_proxy_is_set_in_both_cases_and_loopback_is_left_out() -> None:
    variables = environment.proxy_variables(port=8080, bundle=Path("/ca/bundle.pem"))
    assert {"http://127.0.0.1:8080"} == {variables["HTTPS_PROXY"], variables["https_proxy"]}
    assert {"localhost,127.0.0.1,::1"} == {variables["NO_PROXY"], variables["no_proxy"]}


def proxied(*hosts: str) -> dict[str, str]:
    """The variables for these recorded hosts, without those for trust."""
    variables = environment.proxy_variables(
        port=8080, bundle=Path("/ca/bundle.pem"), hosts=parse_hosts(" ".join(hosts))
    )
    return {name: value for name, value in variables.items() if name.upper().endswith("_PROXY") and "NODE" not in name}


def test_a_plain_http_host_is_reached_through_the_proxy_too() -> None:
    proxy = "http://127.0.0.1:8080"
    direct = {"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1"}
    https = {"HTTPS_PROXY": proxy, "https_proxy": proxy, **direct}
    assert https == proxied("openrouter.ai", "*.example.com")
    assert https | {"HTTP_PROXY": proxy, "http_proxy": proxy} == proxied("openrouter.ai", "http://llm.example:8000")


@pytest.mark.parametrize(
    ("expected", "host"),
    [
        ("127.0.0.1,::1", "http://localhost:11434"),
        ("localhost,::1", "http://127.0.0.1:11434"),
        ("localhost,127.0.0.1", "http://[::1]:11434"),
        ("127.0.0.1,::1", "https://localhost:8443"),
    ],
)
def test_a_host_of_this_machine_that_is_recorded_is_no_longer_left_out(expected: str, host: str) -> None:
    variables = proxied("openrouter.ai", host)
    assert {expected} == {variables["NO_PROXY"], variables["no_proxy"]}


def test_every_trust_variable_names_the_bundle() -> None:
    variables = environment.proxy_variables(port=8080, bundle=Path("/ca/bundle.pem"))
    expected = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}
    assert expected == {name for name, value in variables.items() if value == "/ca/bundle.pem"}
    assert "1" == variables["NODE_USE_ENV_PROXY"]


@pytest.mark.parametrize(
    ("expected", "host"),
    [
        ("http://127.0.0.1:8081/api/v1", "openrouter.ai"),
        ("http://127.0.0.1:8081/v1", "api.openai.com"),
        ("http://127.0.0.1:8081", "llm.example"),
    ],
)
def test_the_base_url_has_the_path_that_the_services_sdk_expects(expected: str, host: str) -> None:
    assert expected == environment.base_url(port=8081, host=host)
    names = ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE", "OPENAI_BASE_URL")
    assert dict.fromkeys(names, expected) == environment.base_url_variables(port=8081, host=host)


def test_the_base_url_is_not_a_name_that_goes_to_the_proxy() -> None:
    hosts = parse_hosts("http://127.0.0.1:11434")
    variables = environment.base_url_variables(port=8081, host=hosts[0].name, hosts=hosts)
    assert {"http://localhost:8081"} == set(variables.values())
    assert "localhost" in environment.proxy_variables(port=8080, bundle=Path("b"), hosts=hosts)["NO_PROXY"]


def test_sdks_that_read_a_variable_of_their_own_find_their_host_there() -> None:
    hosts = parse_hosts("openrouter.ai api.anthropic.com")
    variables = environment.base_url_variables(port=8081, host="openrouter.ai", hosts=hosts, session="chat")
    assert "http://127.0.0.1:8081/~chat/@api.anthropic.com" == variables.pop("ANTHROPIC_BASE_URL")
    assert dict.fromkeys(environment.BASE_URL_VARIABLES, "http://127.0.0.1:8081/~chat/api/v1") == variables
    first = parse_hosts("api.anthropic.com")
    alone = environment.base_url_variables(port=8081, host="api.anthropic.com", hosts=first)
    assert {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8081"} == alone


def spoken(value: str, shell: list[str], language: str) -> str:
    """What a real shell makes of the assignment of `value`."""
    script = "\n".join(environment.assignments({"SAID": value}, language))
    show = "printf %s $env:SAID" if language == "powershell" else 'printf %s "$SAID"'
    run = subprocess.run([*shell, f"{script}\n{show}"], capture_output=True, check=True, timeout=60)
    return os.fsdecode(run.stdout)


@pytest.mark.parametrize("value", ["plain", "", "two words", ODD, "-n", "é😀"])
def test_sh_reads_back_what_was_meant(value: str) -> None:
    assert value == spoken(value, ["sh", "-c"], "sh")


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_sh_reads_back_any_text(value: str) -> None:
    assert value == spoken(value, ["sh", "-c"], "sh")


def test_fish_quotes_with_backslashes() -> None:
    expected = [r"set -gx SAID 'it\'s a \\ $HOME';"]
    assert expected == environment.assignments({"SAID": r"it's a \ $HOME"}, "fish")


def test_powershell_doubles_its_quotes() -> None:
    expected = ["$env:SAID = 'it''s a \\ $HOME\u2019\u2019'"]
    assert expected == environment.assignments({"SAID": "it's a \\ $HOME\u2019"}, "powershell")


# Neither is on most machines; what they are given is held above, so that nothing goes untested where they are not.
@pytest.mark.parametrize(
    ("language", "shell"),
    [
        (language, shell)
        for language, shell in {"fish": ["fish", "-c"], "powershell": ["pwsh", "-NoProfile", "-Command"]}.items()
        if shutil.which(shell[0])
    ]
    or [("sh", ["sh", "-c"])],
)
def test_the_other_shells_here_read_back_what_was_meant(language: str, shell: list[str]) -> None:
    assert ODD == spoken(ODD, shell, language)


def test_another_shell_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a shell"):
        environment.assignments({}, "cmd.exe")
