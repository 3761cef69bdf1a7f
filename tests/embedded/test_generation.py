"""Where an answer is cut, and which tokens are told with which text."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from hypothesis import given
from hypothesis import strategies as some

from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.models import Token


async def made_of(pieces: Iterable[str]) -> AsyncGenerator[Token, None]:
    for piece in pieces:
        yield Token(piece, piece.encode())


@given(
    some.lists(some.text("abc ", min_size=1, max_size=4), max_size=12),
    some.lists(some.text("abc ", min_size=1, max_size=5), max_size=3),
)
def test_streaming_cuts_where_the_whole_text_would_be_cut(
    pieces: list[str], stops: list[str]
) -> None:
    text = "".join(pieces)
    run = Generation(made_of(pieces), limit=100, stops=stops)

    found = asyncio.run(run.whole()).text

    ends = []  # a stop sequence takes effect once its last letter has come
    for stop in stops:
        if stop in text:
            ends.append(text.find(stop))
    if not ends:
        assert found == text
    else:
        assert text.startswith(found)
        assert not any(stop in found for stop in stops)
        assert any(text.startswith(stop, len(found)) for stop in stops)


async def test_tokens_are_told_with_the_text_in_which_they_begin() -> None:
    run = Generation(made_of(["a", "", "bc", "d"]), limit=9, stops=["bcx", "zz"])

    pieces = [piece async for piece in run.pieces()]

    assert [piece.text for piece in pieces] == ["a", "bcd"]
    assert [[token.text for token in one.tokens] for one in pieces] == [
        ["a"],
        ["", "bc", "d"],
    ]


async def test_tokens_of_a_stop_sequence_are_not_told() -> None:
    run = Generation(made_of(["ab", "c", "d", "e"]), limit=9, stops=["cd"])

    whole = await run.whole()

    assert (whole.text, run.stopped_by, run.made) == ("ab", "cd", 3)
    assert [token.text for token in whole.tokens] == ["ab"]


async def test_an_answer_at_its_limit_ends_by_length() -> None:
    run = Generation(made_of("abc"), limit=2)

    whole = await run.whole()

    assert (whole.text, run.finish_reason, run.made) == ("ab", "length", 2)
