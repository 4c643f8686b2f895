"""Loads mitmproxy once, before the tests do: importing it makes its own dependencies warn, which is none of ours."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of pyparsing and pyasn1, by mitmproxy.flowfilter and ldap3
    import mitmproxy.addons  # noqa: F401 - for what it loads
