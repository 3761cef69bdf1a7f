"""Money by reservation: what may still be spent, with calls in flight counted in."""

import asyncio
from decimal import Decimal

from aistrale_lab.errors import BudgetError


class Budget:
    """A limit in USD that calls in flight can never overshoot.

    A call reserves the most it can cost before it is sent, and settles what it did
    cost afterwards. A call waits while others may still give money back; it raises
    BudgetError when nothing in flight could.
    """

    def __init__(self, limit: Decimal, *, spent: Decimal = Decimal(0)) -> None:
        self.limit = limit
        self.spent = spent
        self.reserved = Decimal(0)
        self._settled = asyncio.Event()

    async def reserve(self, amount: Decimal) -> None:
        """Set the amount aside, waiting for calls in flight to settle if need be."""
        while self.spent + self.reserved + amount > self.limit:
            if not self.reserved:
                raise BudgetError(
                    f"budget of {self.limit} USD: {self.spent} USD are spent, "
                    f"and the next call may cost {amount} USD"
                )
            self._settled.clear()
            await self._settled.wait()
        self.reserved += amount

    def settle(self, reserved: Decimal, cost: Decimal | None) -> None:
        """Replace a reservation by the cost; unknown cost counts in full."""
        self.reserved -= reserved
        self.spent += reserved if cost is None else cost
        self._settled.set()
