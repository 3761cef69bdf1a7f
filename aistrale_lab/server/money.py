"""What a user may still spend this month, with the calls under way counted in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic

from starlette.concurrency import run_in_threadpool

from aistrale_lab.domain.chat import Message
from aistrale_lab.errors import BudgetError, ConfigError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.pricing import Price
from aistrale_lab.store.calls import Calls, Question

FRESH = 10.0
"""Seconds after which it is asked anew what other processes have spent meanwhile."""

SOON = 15.0
"""Seconds after which what is set aside may have been given back."""

MOST_PRICES = 1_000


@dataclass(slots=True)
class _Purse:
    """One user's month, as far as this process knows."""

    month: datetime
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    read_at: float = float("-inf")
    meanwhile: Decimal = Decimal(0)
    """Settled while the store was being read; it may or may not have seen that."""


class Money:
    """Reserves before a call what it can cost at most, and settles afterwards.

    Belongs to the server's loop. A call whose cost stays unknown counts in full.
    """

    def __init__(self, bench: Lab, calls: Calls) -> None:
        self._bench = bench
        self._calls = calls
        self._purses: dict[str, _Purse] = {}
        self._prices: dict[str, Price | None] = {}

    async def reserve(
        self,
        user_id: str,
        budget: Decimal,
        model: str,
        messages: tuple[Message, ...],
        max_tokens: int,
    ) -> Decimal:
        """Set aside what a call can cost; raises BudgetError if that is too much."""
        price = await run_in_threadpool(self.price, model)
        if price is None:
            raise BudgetError(f"you have a budget, and {model} has no price")
        most = price.bound(messages, max_tokens)
        purse = await self._purse(user_id)
        if most > budget - purse.spent - purse.reserved:
            raise _refusal(budget, purse, f"this call may cost {most} USD", most)
        purse.reserved += most
        return most

    async def allot(
        self, user_id: str, budget: Decimal, wanted: Decimal | None
    ) -> Decimal:
        """Set aside what an experiment may cost: what is wanted, as far as it is left.

        None wants all. Raises BudgetError if nothing is left.
        """
        purse = await self._purse(user_id)
        left = budget - purse.spent - purse.reserved
        if left <= 0:
            raise _refusal(budget, purse, "an experiment may cost more")
        share = left if wanted is None else min(wanted, left)
        purse.reserved += share
        return share

    def give_back(self, user_id: str, share: Decimal) -> None:
        """An experiment has ended: what it cost stands in the store."""
        purse = self._purses[user_id]
        purse.reserved -= share
        purse.read_at = float("-inf")

    def settle(self, user_id: str, reserved: Decimal, cost: Decimal | None) -> None:
        """Replace a reservation by the cost."""
        purse = self._purses[user_id]
        paid = reserved if cost is None else cost
        purse.reserved -= reserved
        purse.spent += paid
        purse.meanwhile += paid

    async def _purse(self, user_id: str) -> _Purse:
        month = _month()
        purse = self._purses.setdefault(user_id, _Purse(month))
        if purse.month != month:
            purse.month, purse.read_at = month, float("-inf")
        if monotonic() - purse.read_at > FRESH:
            purse.meanwhile = Decimal(0)
            spent = await run_in_threadpool(self._spent, user_id, month)
            purse.spent = spent + purse.meanwhile
            purse.read_at = monotonic()
        return purse

    def _spent(self, user_id: str, since: datetime) -> Decimal:
        found = self._calls.spent(user_id, since)
        unknown = sum(map(self._most, found.unknown), Decimal(0))
        return found.usd + unknown + self._calls.spent_in_runs(user_id, since)

    def _most(self, question: Question) -> Decimal:
        """A provider or a price may have been taken out of the settings since."""
        try:
            price = self.price(question.model)
        except ConfigError:
            return Decimal(0)
        if price is None:
            return Decimal(0)
        return price.bound(question.messages, question.max_tokens or 0)

    def price(self, model: str) -> Price | None:
        """What the model's calls cost, if anybody told; raises ConfigError."""
        if model not in self._prices:
            if len(self._prices) >= MOST_PRICES:
                self._prices.clear()
            self._prices[model] = self._bench.price(model)
        return self._prices[model]


def _refusal(
    budget: Decimal, purse: _Purse, asked: str, most: Decimal = Decimal(0)
) -> BudgetError:
    """Why there is no money: it is spent, or only set aside for what is under way."""
    unspent = max(budget - purse.spent, Decimal(0))
    told = f"of your {budget} USD a month {unspent} USD are left, "
    if purse.reserved and unspent and most <= unspent:
        told += f"{purse.reserved} USD of them set aside for what is under way, "
        return BudgetError(f"{told}and {asked}; try again soon", retry_after=SOON)
    return BudgetError(f"{told}and {asked}", retry_after=_until_next_month())


def _month() -> datetime:
    now = datetime.now(UTC)
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _until_next_month() -> float:
    now, month = datetime.now(UTC), _month()
    following = month.replace(
        year=month.year + month.month // 12, month=month.month % 12 + 1
    )
    return (following - now).total_seconds()
