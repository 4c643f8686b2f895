from __future__ import annotations

import mmap
import random
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import (
    CHARM,
    GO_VCR,
    LAYOUTS,
    SEED,
    Cassette,
    Layout,
    Survey,
    dumps,
    header,
    interactions,
    loads,
    render,
    survey,
)
from recorder.errors import CassetteError
from recorder.model import Interaction
from tests.cassette import strategies
from tests.cassette.strategies import CASES, for_interactions, layouts, plain_interaction

ROOT = Path(__file__).parents[2]
ONE = plain_interaction(b"data: a\n\ndata: b\n\n", Date="Mon, 01 Jan")
TWO = plain_interaction('{"text":"\U0001f600"}'.encode())
THREE = plain_interaction(b"\xff" * 60, Host="x")
ALL = (ONE, TWO, THREE)


def _files(shared: Path) -> list[Path]:
    files = sorted((shared / "cassettes").rglob("*.yaml"))
    assert files
    return files


def _loads_or_none(data: bytes) -> tuple[Interaction, ...] | None:
    try:
        return loads(data).interactions
    except CassetteError:
        return None


# Exact


def test_every_real_cassette_is_read_and_written_byte_for_byte(shared: Path) -> None:
    for file in _files(shared):
        data = file.read_bytes()
        cassette = loads(data, file.name)
        assert cassette.interactions, file
        assert cassette.layout == (SEED if file.name.startswith("seed-") else CHARM)
        assert data == dumps(cassette), file


@for_interactions
@given(st.lists(strategies.interactions, max_size=3).map(tuple), layouts)
def test_what_is_written_is_read_back(written: tuple[Interaction, ...], layout: Layout) -> None:
    text = dumps(Cassette(interactions=written, layout=layout))
    found = loads(text)
    assert written == found.interactions
    assert text == dumps(Cassette(interactions=found.interactions, layout=layout))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_the_layout_is_seen(layout: Layout) -> None:
    assert layout == loads(dumps(Cassette(interactions=ALL, layout=layout))).layout


def test_go_yaml_s_release_is_seen_and_kept() -> None:
    written = Cassette(interactions=(plain_interaction(b"\na\nb", X="y"),), layout=replace(SEED, candidate=6))
    assert written == loads(dumps(written))


def test_text_may_come_as_a_string() -> None:
    assert loads(dumps(Cassette(interactions=ALL)).decode()).interactions == ALL


# One by one


def test_interactions_come_one_by_one_and_the_rest_is_not_looked_at() -> None:
    text = dumps(Cassette(interactions=ALL)) + b"\0"
    assert list(islice(interactions(text), 2)) == [ONE, TWO]
    with pytest.raises(CassetteError):
        list(interactions(text))


def test_a_mapped_file_is_read_without_holding_its_text(tmp_path: Path) -> None:
    body = b"data: " + b"x" * 200 + b"\n\n"
    one = plain_interaction(body * 5000)
    file = tmp_path / "a.yaml"
    file.write_bytes(dumps(Cassette(interactions=(one,) * 10)))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        tracemalloc.start()
        count = sum(interaction == one for interaction in interactions(mapped))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 10
    assert peak < file.stat().st_size / 2


def test_a_whole_cassette_takes_no_more_memory_than_twice_its_text() -> None:
    text = dumps(Cassette(interactions=tuple(plain_interaction(b"data: %d\n\n" % i * 4000) for i in range(100))))
    tracemalloc.start()
    cassette = loads(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cassette.interactions) == 100
    assert peak < 1.2 * len(text)  # the text itself was there before


# Strict


def test_a_cut_of_a_real_cassette_is_refused_or_gives_a_whole_prefix(shared: Path) -> None:
    """At each line end and at 100 random bytes of each file."""
    chance = random.Random(3)
    prefixes = 0
    for file in _files(shared):
        data = file.read_bytes()
        whole = loads(data).interactions
        line_ends = [position + 1 for position, byte in enumerate(data[:-1]) if byte == ord("\n")]
        for cut in line_ends + [chance.randrange(len(data)) for _ in range(100)]:
            found = _loads_or_none(data[:cut])
            assert found is None or whole[: len(found)] == found, (file, cut)
            prefixes += found is not None
    assert prefixes


def test_a_mutated_cassette_is_refused_or_gives_what_yaml_says(shared: Path) -> None:
    """Bytes changed, lines moved: CassetteError or an interaction that a YAML parser gives too, and nothing else."""
    chance = random.Random(4)
    small = [data for file in _files(shared) if len(data := file.read_bytes()) < 6000]
    sources = [*small, dumps(Cassette(interactions=ALL)), dumps(Cassette(interactions=ALL, layout=SEED))]
    taken = 0
    for _ in range(CASES):
        data = _mutate(chance.choice(sources), chance)
        found = _loads_or_none(data)
        if found is not None:
            taken += 1
            # A comment in front sends the whole file through the general path.
            assert found == loads(b"# by hand\n" + data).interactions
    assert 0 < taken < CASES


def _mutate(data: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    a, b = sorted(chance.randrange(len(data)) for _ in range(2))
    if kind == 0:
        return data[:a] + chance.randbytes(1) + data[a + 1 :]
    if kind == 1:
        return data[:a] + chance.choice([b" ", b"\n", b":", b"'", b'"', b"#", b"&a", b"- ", b"\t", b"\\"]) + data[a:]
    if kind == 2:
        return data[:a] + data[a + chance.randrange(1, 4) :]
    lines = data.splitlines(keepends=True)
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    if kind == 3:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        del lines[first]
    return b"".join(lines) if chance.random() < 0.9 else data[:a] + data[b:]


# The survey


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_every_cut_of_a_file_of_ours_is_seen_as_what_it_is(layout: Layout) -> None:
    text = dumps(Cassette(interactions=ALL, layout=layout))
    ends = [len(header(layout))]
    for number, interaction in enumerate(ALL):
        ends.append(ends[-1] + len(render(interaction, number, layout)))
    for cut in range(len(text) + 1):
        whole = [end for end in ends if end <= cut]
        end = whole[-1] if whole else 0
        expected = Survey(layout=layout, count=max(0, len(whole) - 1), end=end, torn=cut > end)
        assert expected == survey(text[:cut], layout=layout), cut


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_torn_file_can_be_mended_and_appended_to(layout: Layout) -> None:
    text = dumps(Cassette(interactions=(ONE, TWO), layout=layout))[:-30]
    found = survey(text)
    assert (found.torn, found.count) == (True, 1)
    assert loads(text[: found.end] + render(THREE, found.count, found.layout)).interactions == (ONE, THREE)


@pytest.mark.parametrize(
    ("text", "count", "torn"),
    [
        (b"", 0, False),
        (b"---\n", 0, True),
        (header(GO_VCR)[:-1], 0, True),
        (b"---\nversion: 2\ninteractions: []\n", 0, False),
    ],
)
def test_a_file_without_a_whole_header_is_to_be_started_anew(text: bytes, count: int, torn: bool) -> None:
    assert Survey(layout=SEED, count=count, end=0, torn=torn) == survey(text, layout=SEED)


def test_a_header_alone_is_a_cassette_without_interactions() -> None:
    assert Survey(layout=SEED, count=0, end=len(header(SEED)), torn=False) == survey(header(SEED), layout=SEED)
    assert loads(header(SEED)).interactions == ()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_torn_tail_behind_edited_interactions_is_seen(layout: Layout) -> None:
    text = dumps(Cassette(interactions=(ONE, TWO), layout=layout)).replace(b"POST", b"POST # by hand")
    tail = render(THREE, 2, layout)
    for cut in range(1, len(tail)):
        assert Survey(layout=layout, count=2, end=len(text), torn=True) == survey(text + tail[:cut]), cut


@pytest.mark.parametrize(
    "tail",
    [
        b"x\n",
        b"    - id: 1 # by hand\n",
        b"    - id: 1\n      response:\n",
        b"    - id: one",
        b"\0",
        b"version: 2\n",
        b"---\n",
    ],
)
def test_any_other_damage_is_refused(tail: bytes) -> None:
    with pytest.raises(CassetteError):
        survey(dumps(Cassette(interactions=(ONE,))) + tail)


def test_a_torn_interaction_that_was_appended_to_is_refused() -> None:
    text = dumps(Cassette(interactions=(ONE, TWO)))
    tail = render(THREE, 1, GO_VCR)
    first = len(header(GO_VCR) + render(ONE, 0, GO_VCR))
    for cut in range(first + 1, len(text) - 1):
        found = _loads_or_none(text[:cut] + tail)
        # Cut in its first two lines, what was torn is a key that nobody knows; nothing but its number is lost.
        assert found in (None, (ONE, THREE)), cut


@pytest.mark.parametrize(
    "edited",
    [
        "version: 2\ninteractions: [{}]\n",
        "{old}version: 2\n",
        "{old}...\n",
        "{old}more: x\n",
    ],
)
def test_a_file_that_cannot_be_appended_to_is_refused(edited: str) -> None:
    old = dumps(Cassette(interactions=(ONE,))).decode().removeprefix("---\nversion: 2\n")
    version = "" if "version" in edited else "version: 2\n"
    with pytest.raises(CassetteError):
        survey(version + edited.replace("{old}", old))


def test_every_cut_of_a_file_with_comments_between_interactions_is_seen_as_what_it_is() -> None:
    comment = b"# incomplete: the client hung up\n"
    first = header(GO_VCR) + comment + render(ONE, 0, GO_VCR)
    data = first + comment + render(TWO, 1, GO_VCR)
    assert (ONE, TWO) == loads(data).interactions
    whole = (len(first), len(first) + len(comment))
    for end in range(len(first), len(data)):
        expected = Survey(layout=GO_VCR, count=1, end=end if end in whole else len(first), torn=end not in whole)
        assert expected == survey(data[:end]), data[len(first) : end]


@pytest.mark.parametrize("comment", [b"# \x00\n", b"# \xff\n", b"#\x07", b"x # y\n"])
def test_what_is_no_comment_in_yaml_is_none_here(comment: bytes) -> None:
    data = header(GO_VCR) + render(ONE, 0, GO_VCR) + comment
    for text in (data, data + render(TWO, 1, GO_VCR)):
        with pytest.raises(CassetteError):
            survey(text)


def test_a_file_with_a_comment_can_be_appended_to() -> None:
    text = b"# by hand\n" + dumps(Cassette(interactions=(ONE, TWO), layout=SEED))
    found = survey(text)
    assert Survey(layout=SEED, count=2, end=len(text), torn=False) == found
    assert loads(text + render(THREE, 2, found.layout)).interactions == ALL


# Hostile

_HOSTILE = """
import mmap, resource, sys, tempfile, time
from recorder.cassette import header, loads, GO_VCR
from recorder.errors import CassetteError
G = 2**30
texts = {
    "brackets": lambda: b"[" * 10**6 + b"\\n",
    "braces": lambda: b"{a: " * 10**6 + b"\\n",
    "dashes": lambda: b"- " * 10**6 + b"\\n",
    "dashes below a key": lambda: b"version: 2\\ninteractions:\\n" + b"- " * 10**6 + b"\\n",
    "brackets in an unknown key": lambda: b"version: 2\\nx: " + b"[" * 10**6 + b"\\n",
    "a million values": lambda: b"version: 2\\nx: [" + b"a," * 10**6 + b"]\\n",
    "a million keys": lambda: b"version: 2\\nx:\\n" + b"".join(b" k%d: 1\\n" % i for i in range(10**6)),
    "a million items": lambda: header(GO_VCR) + b"    - \\n" * 10**6,
    "an alias bomb": lambda: b"a: &a [x,x,x,x,x,x,x,x,x]\\n" + b"".join(
        b"%c: &%c [%s]\\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 110)),
    "a merge bomb": lambda: b"a: &a {x: 1}\\nb: {<<: [" + b"*a," * 10**5 + b"]}\\n",
    "a gigabyte of NUL": lambda: bytes(G),
    "a gigabyte of NUL behind a header": lambda: sparse(b""),
    "a gigabyte of NUL in an interaction": lambda: sparse(b"    - id: 0\\n      request:\\n"),
    "a gigabyte of NUL as a value": lambda: sparse(b"    - id: 0\\n      request:\\n        proto: "),
    "20 MB of spaces": lambda: b" " * 20 * 2**20 + b"\\n",
    "20 MB of line breaks": lambda: b"\\n" * 20 * 2**20,
    "20 MB of comments": lambda: b"#\\n" * 10 * 2**20,
    "20 MB of a word": lambda: b"a" * 20 * 2**20 + b"\\n",
    "20 MB of words": lambda: b"a " * 10 * 2**20 + b"\\n",
    "20 MB of a text without an end": lambda: b'"' + b"a" * 20 * 2**20 + b"\\n",
    "1 GB of spaces": lambda: b" " * G,
}

def sparse(start):
    file = tempfile.TemporaryFile()
    file.write(header(GO_VCR) + start)
    file.truncate(G)
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

text = texts[sys.argv[1]]()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    loads(text)
except CassetteError as error:
    assert len(str(error)) < 500
    print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("kind", [line.split('"')[1] for line in _HOSTILE.splitlines() if line.startswith('    "')])
def test_hostile_text_is_refused_within_a_second_and_200_mb(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HOSTILE, kind], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 3  # of CPU: about one on a machine with other work; what is quadratic here takes minutes
    assert megabytes < 200
