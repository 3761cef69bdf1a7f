"""Server-sent events, in any cut and with any line ending."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aistrale_lab.errors import MalformedAnswerError
from aistrale_lab.runners.sse import WIRE_KEPT, SseParser


def parsed(pieces: list[bytes]) -> list[bytes]:
    parser = SseParser(10**6)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish()


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": ping\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"data: a\r\n\r\ndata: b\r\r", [b"a", b"b"]),
        (b"data: a", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"data:\n\n", [b""]),
        (b"\n\n\n", []),
        (b"", []),
        (b"database: a\n\n", []),
    ],
)
def test_events_are_read_as_the_standard_says(body: bytes, events: list[bytes]) -> None:
    assert parsed([body]) == events


LINES = some.lists(
    some.sampled_from(
        [b"data: a", b"data: \xf0\x9f\xa7\xaa", b"", b"", b": c", b"event: e", b"data:"]
    )
)


@given(LINES, some.sampled_from([b"\n", b"\r\n", b"\r"]), some.data())
def test_the_cut_does_not_matter(
    lines: list[bytes], ending: bytes, draw: some.DataObject
) -> None:
    body = ending.join(lines)
    places = sorted(draw.draw(some.sets(some.integers(0, len(body)))))
    ends = [*places, len(body)]
    pieces = [body[a:b] for a, b in zip([0, *places], ends, strict=True)]

    assert parsed(pieces) == parsed([body])
    assert parsed([body[n : n + 1] for n in range(len(body))]) == parsed([body])


def test_a_stream_over_the_limit_is_refused_with_its_beginning() -> None:
    parser = SseParser(100)
    parser.feed(b"data: a\n\n")

    with pytest.raises(MalformedAnswerError, match="larger than 100") as caught:
        parser.feed(b"x" * 100)

    assert (caught.value.wire or b"").startswith(b"data: a")


def test_the_first_bytes_are_kept() -> None:
    parser = SseParser(10**7)
    for _ in range(100):
        parser.feed(b"y" * 1000)

    assert len(parser.wire) == WIRE_KEPT
    assert parser.size == 100_000
