"""Budgets: reserved before a call, settled after it, never overshot."""

import asyncio
from decimal import Decimal

import pytest

from aistrale_lab.engine.budget import Budget
from aistrale_lab.errors import BudgetError


async def test_calls_in_flight_never_overshoot_the_budget() -> None:
    budget = Budget(Decimal("1.00"))
    highest = Decimal(0)

    async def call() -> None:
        nonlocal highest
        await budget.reserve(Decimal("0.30"))
        highest = max(highest, budget.spent + budget.reserved)
        await asyncio.sleep(0)
        budget.settle(Decimal("0.30"), Decimal("0.10"))

    ended = await asyncio.gather(*(call() for _ in range(20)), return_exceptions=True)

    assert highest <= Decimal("1.00")
    assert budget.spent == Decimal("0.80")
    assert sum(isinstance(error, BudgetError) for error in ended) == 12


async def test_a_call_of_unknown_cost_counts_with_its_whole_reservation() -> None:
    budget = Budget(Decimal("1"))
    await budget.reserve(Decimal("0.4"))

    budget.settle(Decimal("0.4"), None)

    assert budget.spent == Decimal("0.4")


async def test_the_error_names_the_limit_and_what_is_spent() -> None:
    budget = Budget(Decimal("0.5"), spent=Decimal("0.45"))

    with pytest.raises(BudgetError, match="0.5 USD: 0.45 USD are spent"):
        await budget.reserve(Decimal("0.1"))
