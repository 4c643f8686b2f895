"""Cassettes that are there already: what is in them that must not be, and the same bytes without it. No I/O.

Only an interaction with a secret in it is written anew, in the cassette's own layout; every other byte stays.
"""

from __future__ import annotations

from recorder.cassette import Cassette, Layout, dumps, render
from recorder.scrub.known_values import recorded_credentials
from recorder.scrub.scrubber import Finding, Scrubber


def find(data: bytes, cassette: Cassette, scrubber: Scrubber) -> list[Finding]:
    """The secrets of a file; `cassette` is what `data` says. What was recorded as a credential is searched for too."""
    _learn(cassette, scrubber)
    found = [
        Finding(rule=finding.rule, where=f"interaction {number}, {finding.where}")
        for number, interaction in enumerate(cassette.interactions)
        for finding in scrubber.find(interaction)
    ]
    # Or else in a comment, or under a key that no reader knows.
    return found or scrubber.find_text(data)


def scrubbed(data: bytes, cassette: Cassette, scrubber: Scrubber) -> bytes:
    """The file without its secrets; `cassette` is what `data` says."""
    _learn(cassette, scrubber)
    head, *items = _parts(data, cassette.layout)
    if len(items) != len(cassette.interactions):
        # Written by hand in a way of its own: there are no lines to keep.
        clean = Cassette(interactions=tuple(map(scrubber.cleaned, cassette.interactions)), layout=cassette.layout)
        return scrubber.replaced(data) if clean == cassette else dumps(clean)
    parts = [scrubber.replaced(head)]
    for number, (interaction, item) in enumerate(zip(cassette.interactions, items, strict=True)):
        cleaned = scrubber.cleaned(interaction)
        same = cleaned == interaction
        parts.append(scrubber.replaced(item) if same else render(cleaned, number, cassette.layout))
    return b"".join(parts)


def _learn(cassette: Cassette, scrubber: Scrubber) -> None:
    for interaction in cassette.interactions:
        scrubber.learn_all(recorded_credentials(interaction))


def _parts(data: bytes, layout: Layout) -> list[bytes]:
    """What stands before the first interaction, then each: nothing inside one starts in its dash's column."""
    dash = b" " * layout.dash(0) + b"- "
    parts = [b""]
    for line in data.splitlines(keepends=True):
        if line.startswith(dash):
            parts.append(b"")
        parts[-1] += line
    return parts
