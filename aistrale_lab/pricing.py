"""Tokens in, USD out: the bundled price list of genai-prices, and the user's own.

What is not known costs `None`, never 0.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from pydantic import Field

from aistrale_lab.domain.chat import Message, Usage
from aistrale_lab.domain.values import Value

PER_MILLION = Decimal(1_000_000)
FORMAT_TOKENS = 64
"""Upper bound of what a chat format adds to each message, in tokens."""


class Price(Value):
    """USD per million tokens. Without a cached price, cached tokens cost the full."""

    input_mtok: Decimal = Field(ge=0)
    output_mtok: Decimal = Field(ge=0)
    cached_input_mtok: Decimal | None = Field(default=None, ge=0)
    source: str = "aistrale.toml"

    def of(self, usage: Usage) -> Decimal | None:
        """The cost of a call, or None if a token count is not known."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cached_input_tokens or 0, usage.input_tokens)
        cached_price = self.cached_input_mtok
        if cached_price is None:
            cached_price = self.input_mtok
        return (
            (usage.input_tokens - cached) * self.input_mtok
            + cached * cached_price
            + usage.output_tokens * self.output_mtok
        ) / PER_MILLION

    def bound(self, messages: tuple[Message, ...], max_tokens: int) -> Decimal:
        """A cost that one call cannot exceed.

        A byte-level tokenizer makes at most one token of a byte; the chat format
        adds at most `FORMAT_TOKENS` to a message.
        """
        sent = (str(m.content) + m.besides for m in messages)
        size = sum(len(text.encode("utf-8", "replace")) for text in sent)
        tokens = size + FORMAT_TOKENS * (len(messages) + 1)
        return (tokens * self.input_mtok + max_tokens * self.output_mtok) / PER_MILLION


class TieredPrice(Price):
    """A price whose rates depend on the call's size, as the price list computes it."""

    calculate: Callable[[Usage], Decimal | None] = Field(exclude=True)

    def of(self, usage: Usage) -> Decimal | None:
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        return self.calculate(usage)


FREE = Price(input_mtok=Decimal(0), output_mtok=Decimal(0), source="embedded")
"""The models in the box run on the user's own machine."""


def find_price(
    provider: str,
    model: str,
    *,
    base_url: str | None = None,
    own: Mapping[str, Price] | None = None,
) -> Price | None:
    """The price of a model, or None if nobody told it.

    Looked up in `own` (by `provider/model`) first, then in the bundled list: by the
    base URL's host, else by the provider's own name.
    """
    listed = (own or {}).get(f"{provider}/{model}")
    if listed is not None:
        return listed
    if provider == "embedded":
        return FREE
    return _bundled_price(provider, model, base_url)


def _bundled_price(provider: str, model: str, base_url: str | None) -> Price | None:
    from genai_prices.data_snapshot import get_snapshot

    provider_id: str | None = None
    if base_url is None:
        model, provider_id = _names_in_list(provider, model)
    try:
        _, entry = get_snapshot().find_provider_model(
            model, None, provider_id, base_url
        )
        rates = entry.get_prices(datetime.now(UTC))
    except LookupError:
        return None
    return _price_of(rates)


def _names_in_list(provider: str, model: str) -> tuple[str, str]:
    """The list has an entry for each of the Hugging Face router's providers."""
    if provider == "huggingface":
        model, _, routed = model.partition(":")
        return model, f"huggingface_{routed}"
    return model, provider


def _price_of(rates: Any) -> Price | None:
    set_rates = {
        name: getattr(rates, name, None)
        for name in ("input_mtok", "output_mtok", "cache_read_mtok")
    }
    ceilings = {name: _ceiling(rate) for name, rate in set_rates.items()}
    if ceilings["input_mtok"] is None or ceilings["output_mtok"] is None:
        return None
    fields: dict[str, Any] = {
        "input_mtok": ceilings["input_mtok"],
        "output_mtok": ceilings["output_mtok"],
        "cached_input_mtok": ceilings["cache_read_mtok"],
        "source": f"genai-prices {version('genai-prices')}",
    }
    if all(rate is None or isinstance(rate, Decimal) for rate in set_rates.values()):
        return Price(**fields)
    return TieredPrice(**fields, calculate=lambda usage: _list_cost(rates, usage))


def _ceiling(rate: Any) -> Decimal | None:
    """The highest rate of all tiers, for the upper bound."""
    if rate is None or isinstance(rate, Decimal):
        return rate
    highest: Decimal = max([rate.base, *(tier.price for tier in rate.tiers)])
    return highest


def _list_cost(rates: Any, usage: Usage) -> Decimal | None:
    from genai_prices import Usage as ListUsage

    counted = ListUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
    )
    total: Decimal = rates.calc_price(counted)["total_price"]
    return total
