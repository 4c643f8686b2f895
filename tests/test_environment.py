"""The client's environment: the variables, and the words of each shell, which real shells have to take."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import environment
from recorder.errors import UsageError

ODD = '/tmp/it\'s a "folder" with $HOME, `date`, \\, %PATH%, *, # and\na line end/bundle.pem'


def test_the_proxy_is_set_in_both_cases_and_loopback_is_left_out() -> None:
    variables = environment.proxy_variables(port=8080, bundle=Path("/ca/bundle.pem"))
    assert {"http://127.0.0.1:8080"} == {variables["HTTPS_PROXY"], variables["https_proxy"]}
    assert {"localhost,127.0.0.1,::1"} == {variables["NO_PROXY"], variables["no_proxy"]}


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
    names = ("OPENROUTER_BASE_URL", "OPENAI_BASE_URL")
    assert dict.fromkeys(names, expected) == environment.base_url_variables(port=8081, host=host)


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
