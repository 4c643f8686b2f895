"""Turns as one HTML page that needs nothing but itself. What a cassette holds is text in it, and nothing more.

`markup` is the only way into the page, and escapes; `clock` says what is known of time; `charts` draws; `overview` has
what stands above the conversation, `talk` the conversation. `assets` holds the style, the script and the frame: the
page's own policy lets a browser apply and run these two, by their digests, and load nothing.
"""

from recorder.views.html.document import render

__all__ = ["render"]
