"""The parts of mitmproxy that a recorder is made of, loaded without the rest: a start takes 0.3 s less of its 0.8.

Any import from `mitmproxy.addons` runs that package's `__init__`, which loads every addon that mitmdump has, with a web
framework, LDAP and QUIC's among what they need. While the few that are used here are loaded, an empty package stands
in its place; whoever wants the whole one later gets it.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Master", "core", "disable_h2c", "next_layer", "proxyserver", "tlsconfig"]

_PACKAGE = "mitmproxy.addons"


@contextmanager
def _package_alone() -> Iterator[None]:
    spec = None if _PACKAGE in sys.modules else importlib.util.find_spec("mitmproxy")
    if spec is None or not spec.submodule_search_locations:
        yield
        return
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [f"{folder}/addons" for folder in spec.submodule_search_locations]
    sys.modules[_PACKAGE] = package
    try:
        yield
    finally:
        del sys.modules[_PACKAGE]


with _package_alone():
    from mitmproxy.addons import core, disable_h2c, next_layer, proxyserver, tlsconfig
    from mitmproxy.master import Master
