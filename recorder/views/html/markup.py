"""Elements of HTML and SVG, escaped by construction: a string is text, and only `tag` makes markup of it.

What a cassette holds may come from anyone. So there is no attribute here that could run or fetch anything: no event
handlers, no styles, and of links only those within the page.
"""

from __future__ import annotations

import html

from recorder import humanize

_VOID = frozenset(("br", "input", "meta", "rect", "line", "path", "polyline"))


class Markup(str):
    """Markup that is finished. What is joined to it by `+` is a plain string again, and is escaped."""

    __slots__ = ()


def tag(name: str, *children: str | None, **attributes: str | float | bool | None) -> Markup:
    """One element; `class_` is the attribute `class`, `aria_label` is `aria-label`; None and False are left out."""
    told = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID and not children:
        return Markup(f"<{name}{told}/>")
    return Markup(f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: str | None) -> Markup:
    return Markup("".join(child if isinstance(child, Markup) else text(child) for child in children if child))


def text(value: str) -> Markup:
    """Every character is to be seen, as on a terminal: what turns text around or hides in it is spelled out."""
    if not value.isprintable():
        value = "\n".join(map(humanize.visible, value.split("\n")))
    return Markup(html.escape(value))


def _attribute(key: str, value: str | float | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    if name == "style" or name.startswith("on") or (name in ("href", "src") and not str(value).startswith("#")):
        raise ValueError(f"expected an attribute that runs and fetches nothing, found {name}")
    if value is False:
        return ""
    if value is True:
        return f" {name}"
    told = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else text(str(value))
    return f' {name}="{told}"'
