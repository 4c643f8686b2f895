"""What a client's environment must say so that its traffic goes through a recorder: variables, and the shells' words.

Facts per language, each tried: `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` *replace* the trust store, so
they point at a bundle of the public roots plus our CA; Node adds to its own, so `NODE_EXTRA_CA_CERTS` would do with the
CA alone and takes the bundle as well. Node's own fetch reads proxy variables only with `NODE_USE_ENV_PROXY=1`.
Programs disagree on the case of the proxy variables, so both are set.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from recorder.errors import UsageError
from recorder.session.settings import Host

SHELLS = ("sh", "fish", "powershell")
_POWERSHELL_QUOTES = "['\u2018\u2019\u201a\u201b]"  # typographic ones end a string as well
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

# Where the SDKs of a service expect the API below its host, and the variable that they read it from.
_API_PATHS = {"openrouter.ai": "/api/v1", "api.openai.com": "/v1"}
BASE_URL_VARIABLES = ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE", "OPENAI_BASE_URL")
"""Of OpenRouter, and of all that speak OpenAI's API: what the first host is taken for unless it is named below."""
_OWN_VARIABLES = {
    "api.anthropic.com": "ANTHROPIC_BASE_URL",
    "generativelanguage.googleapis.com": "GOOGLE_GEMINI_BASE_URL",
}


def proxy_variables(
    *, port: int, bundle: Path, hosts: Iterable[Host] = (), session: str | None = None
) -> dict[str, str]:
    """For a client that is to use the proxy port and trust our CA, and by whom `hosts` are to be reached through it.

    `HTTP_PROXY` is set only where a recorded host is plain HTTP: nothing else has to make the detour. `session`:
    another than the recorder's own.
    """
    # The password means nothing, but without one neither requests nor undici (Node) sends the user.
    # Clients decode the user, and so do we, for those that do not: a percent sign is encoded twice.
    user = f"{quote(session.replace('%', '%25'), safe='')}:x@" if session else ""
    proxy = f"http://{user}127.0.0.1:{port}"
    trust = str(bundle)
    hosts = tuple(hosts)
    schemes = ("HTTPS", "HTTP") if any(host.scheme == "http" for host in hosts) else ("HTTPS",)
    recorded = {host.name for host in hosts}
    direct = ",".join(name for name in _LOOPBACK if name not in recorded)
    return {
        **{name: proxy for scheme in schemes for name in (f"{scheme}_PROXY", f"{scheme.lower()}_proxy")},
        "NO_PROXY": direct,
        "no_proxy": direct,
        "SSL_CERT_FILE": trust,
        "REQUESTS_CA_BUNDLE": trust,
        "CURL_CA_BUNDLE": trust,
        "NODE_EXTRA_CA_CERTS": trust,
        "NODE_USE_ENV_PROXY": "1",
    }


def base_url(*, port: int, host: str, session: str | None = None) -> str:
    """The base URL of `host`'s API at the base-URL port."""
    prefix = f"/~{quote(session, safe='')}" if session else ""
    return f"http://127.0.0.1:{port}{prefix}{_API_PATHS.get(host, '')}"


def base_url_variables(
    *, port: int, host: str, hosts: Iterable[Host] = (), session: str | None = None
) -> dict[str, str]:
    """For a client that takes the base URL of its service from the environment; it needs no CA.

    `host`: the one behind the port; others of `hosts` have theirs where their SDKs read a variable of their own. Where
    `proxy_variables` sends 127.0.0.1 to the proxy, since it is among the recorded `hosts`, the door has its other name:
    a proxy does not connect to itself.
    """
    names = {recorded.name for recorded in hosts}
    root = base_url(port=port, host="", session=session)
    if "127.0.0.1" in names:
        root = root.replace("127.0.0.1", "localhost")
    variables = {} if host in _OWN_VARIABLES else dict.fromkeys(BASE_URL_VARIABLES, root + _API_PATHS.get(host, ""))
    for name, variable in _OWN_VARIABLES.items():
        if name in {host, *names}:
            variables[variable] = root if name == host else f"{root}/@{name}"
    return variables


def assignments(variables: Mapping[str, str], shell: str) -> list[str]:
    """One line a variable, to be evaluated by `shell`."""
    if shell == "sh":
        return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    if shell == "fish":
        return [f"set -gx {name} {_fish(value)};" for name, value in variables.items()]
    if shell == "powershell":
        return [f"$env:{name} = {_powershell(value)}" for name, value in variables.items()]
    raise UsageError(f"expected a shell ({', '.join(SHELLS)}), found {shell!r}")


def _fish(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(value: str) -> str:
    return "'" + re.sub(_POWERSHELL_QUOTES, r"\g<0>\g<0>", value) + "'"
