"""What other programs have recorded → a session: of the recorded hosts only, scrubbed and gated, all of it or nothing.

It takes the way of live traffic through `Recording`, with one difference: all credentials are learned before anything
is scrubbed, so that a key is also found in what came before it was first seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from recorder import humanize
from recorder.errors import BodyError, SecretError
from recorder.formats import Found
from recorder.model import Interaction
from recorder.session.recording import Prepared, Recorded, Recording
from recorder.session.settings import Host
from recorder.wire.exchange import Exchange
from recorder.wire.ports import DEFAULT_PORTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """`left_out`: how many there were of each host that is not recorded."""

    found: tuple[Found, ...]
    left_out: Counter[str]


def choose(found: Iterable[Found], hosts: Sequence[Host] | None) -> Chosen:
    """What went to `hosts`; to any if that is None."""
    chosen: list[Found] = []
    left_out: Counter[str] = Counter()
    for each in found:
        name, port = _address(each.request.url)
        if hosts is None or any(host.matches(name, port) for host in hosts):
            chosen.append(each)
        else:
            left_out[name] += 1
    return Chosen(found=tuple(chosen), left_out=left_out)


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:  # what was asked for may be no URL
        return "", 0


def record(recording: Recording, found: Iterable[Found], *, now: int) -> list[Recorded]:
    """All of it, for the price of one sync. `now`: for interactions that do not say when; nanoseconds since the epoch.

    BodyError, SecretError or StoreError: then nothing was written.
    """
    # In the order of time: what follows a redirect is told from what came before.
    ordered = sorted(found, key=lambda each: each.began if isinstance(each, Exchange) else now)
    for each in ordered:
        recording.learn(each)
    return recording.commit([_prepared(recording, each, now) for each in ordered])


def _prepared(recording: Recording, found: Found, now: int) -> Prepared:
    try:
        return recording.adopt(found, began=now) if isinstance(found, Interaction) else recording.prepare(found)
    except (BodyError, SecretError) as error:
        host = _address(found.request.url)[0]  # no more of the URL: a secret may be in it
        raise type(error)(f"{humanize.printable(f'{found.request.method} to {host}')}: {error}") from error
