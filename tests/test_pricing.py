"""Prices: exact, bundled or one's own, and None where nobody knows."""

from decimal import Decimal

from aistrale_lab.domain.chat import Message, Usage
from aistrale_lab.pricing import Price, find_price

OWN = Price(
    input_mtok=Decimal("2"),
    output_mtok=Decimal("8"),
    cached_input_mtok=Decimal("0.5"),
)


def test_cached_tokens_are_part_of_the_input_and_cost_less() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=400, output_tokens=100)

    assert OWN.of(usage) == Decimal("0.0022")


def test_an_unknown_count_makes_the_cost_unknown() -> None:
    assert OWN.of(Usage(input_tokens=10)) is None
    assert OWN.of(Usage()) is None


def test_the_bound_is_never_below_the_cost() -> None:
    messages = (Message(role="user", content="héllo " * 50),)
    worst = Usage(input_tokens=len("héllo ".encode()) * 50, output_tokens=64)
    cost = OWN.of(worst)

    assert cost is not None and OWN.bound(messages, 64) >= cost


def test_the_bound_counts_what_a_call_of_a_tool_says() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": "x" * 900}}
    called = (Message(role="assistant", tool_calls=[call]),)

    assert OWN.bound(called, 0) >= (
        OWN.of(Usage(input_tokens=900, output_tokens=0)) or 0
    )


def test_openai_models_have_a_bundled_price_with_its_source() -> None:
    price = find_price("openai", "gpt-5-mini")

    assert price is not None
    assert price.input_mtok > 0
    assert price.source.startswith("genai-prices ")


def test_ones_own_price_goes_first() -> None:
    price = find_price("openai", "gpt-5-mini", own={"openai/gpt-5-mini": OWN})

    assert price is OWN


def test_unknown_models_and_local_servers_have_no_price() -> None:
    assert find_price("openai", "no-such-model-x") is None
    local = find_price("vllm", "gpt-5-mini", base_url="http://127.0.0.1:1/v1")
    assert local is None


def test_prices_in_tiers_follow_the_size_of_the_call() -> None:
    price = find_price("google", "gemini-2.5-pro")
    assert price is not None

    small = price.of(Usage(input_tokens=1_000, output_tokens=0))
    large = price.of(Usage(input_tokens=1_000_000, output_tokens=0))

    assert small is not None and large is not None
    assert large > 1_000 * small


def test_the_models_in_the_box_cost_nothing() -> None:
    price = find_price("embedded", "echo")

    assert price is not None
    assert price.of(Usage(input_tokens=5, output_tokens=5)) == 0
