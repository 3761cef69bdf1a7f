"""What each user may use: calls at once, calls and tokens a minute, money a month."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection

from aistrale_lab.domain.calls import Answer
from aistrale_lab.errors import ThrottledError
from aistrale_lab.lab.asking import Asked
from aistrale_lab.lab.options import Quota, RunOptions
from aistrale_lab.server.caller import Caller
from aistrale_lab.server.money import Money
from aistrale_lab.server.work import Work
from aistrale_lab.settings import ServerSettings
from aistrale_lab.store import rates
from aistrale_lab.store.recorder import Recorder


class Limits:
    """Admits calls. The rates are those of all processes over the store.

    Belongs to the server's loop.
    """

    def __init__(
        self, settings: ServerSettings, recorder: Recorder, money: Money
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._money = money
        self._under_way: Counter[str] = Counter()

    async def admit(self, caller: Caller, asked: Asked) -> "Admission":
        """Admit a call, which must be ended.

        Raises ThrottledError, or BudgetError; then nothing is used up.
        """
        user_id = caller.user_id
        if self._under_way[user_id] >= self._settings.user_concurrency:
            raise ThrottledError(
                f"you have {self._settings.user_concurrency} calls under way",
                retry_after=1,
            )
        self._under_way[user_id] += 1
        admission = Admission(self, caller, tokens=_estimate(asked))
        try:
            await self._reserve(admission, asked)
            await self._take(admission)
        except BaseException:
            admission.end()
            raise
        admission.sent = True
        return admission

    def leave(self, admission: "Admission", answer: Answer | None) -> None:
        """Settle what was used: what a call took whose answer is not known is kept."""
        user_id = admission.caller.user_id
        self._under_way[user_id] -= 1
        if not self._under_way[user_id]:
            del self._under_way[user_id]
        if admission.reserved is not None:
            cost = answer.cost if answer else None
            cost = cost if admission.sent else Decimal(0)
            self._money.settle(user_id, admission.reserved, cost)
        used = _used(answer)
        tpm = self._tpm(admission.caller)
        if tpm and used is not None:
            key = f"{_rates_of(admission.caller)}:tokens"
            units = used - admission.tokens
            self._recorder.call(
                lambda c: rates.take(c, key, units=units, per_minute=tpm)
            )

    def shared_out(
        self, caller: Caller, options: RunOptions, lanes: int
    ) -> dict[str, Any]:
        """The options of an experiment, whose lanes share what the user may use.

        They draw on the same rates as the user's calls and other experiments.
        """
        chosen = options.model_dump(exclude_unset=True)
        share = max(1, self._settings.user_concurrency // max(1, lanes))
        chosen["concurrency"] = min(options.concurrency, share)
        chosen["quota"] = Quota(
            name=_rates_of(caller), rpm=self._rpm(caller), tpm=self._tpm(caller)
        )
        return chosen

    def most_of(self, caller: Caller, work: Work) -> Decimal | None:
        """USD that work can cost; None if nobody knows, or the user has no budget."""
        return None if self._budget(caller) is None else work.most(self._money.price)

    async def allot(
        self, caller: Caller, wanted: Decimal | None, most: Decimal | None
    ) -> "Allotment":
        """What an experiment may cost of the user's month; raises BudgetError.

        No more is set aside than is wanted, nor than it can cost at `most`.
        """
        budget, loop = self._budget(caller), asyncio.get_running_loop()
        if budget is None or most == 0:
            return Allotment(wanted, lambda: None)
        asked = min((n for n in (wanted, most) if n is not None), default=None)
        share = await self._money.allot(caller.user_id, budget, asked)
        back = partial(self._money.give_back, caller.user_id, share)
        return Allotment(share, lambda: loop.call_soon_threadsafe(back))

    async def _take(self, admission: "Admission") -> None:
        name = _rates_of(admission.caller)
        rpm, tpm = self._rpm(admission.caller), self._tpm(admission.caller)
        if not rpm and not tpm:
            return

        def take(connection: Connection) -> None:
            if rpm:
                _draw(connection, f"{name}:calls", 1, rpm, "calls")
            if tpm:
                _draw(connection, f"{name}:tokens", admission.tokens, tpm, "tokens")

        await asyncio.wrap_future(self._recorder.call(take))

    async def _reserve(self, admission: "Admission", asked: Asked) -> None:
        budget = self._budget(admission.caller)
        if budget is not None:
            admission.reserved = await self._money.reserve(
                admission.caller.user_id,
                budget,
                str(asked.model),
                asked.messages,
                asked.config.max_tokens or self._settings.max_tokens,
            )

    def _budget(self, caller: Caller) -> Decimal | None:
        own = caller.budget_usd
        return self._settings.user_budget_usd if own is None else own

    def _rpm(self, caller: Caller) -> int | None:
        return caller.rpm or self._settings.user_rpm

    def _tpm(self, caller: Caller) -> int | None:
        return caller.tpm or self._settings.user_tpm


@dataclass(frozen=True)
class Allotment:
    """USD that an experiment may cost, None: as much as it likes; ended with it."""

    usd: Decimal | None
    end: Callable[[], object]


class Admission:
    """A call that was let in. `answer` is what became of it, as soon as known."""

    def __init__(self, limits: Limits, caller: Caller, *, tokens: int) -> None:
        self.caller = caller
        self.tokens = tokens
        self.sent = False
        self.reserved: Decimal | None = None
        self.answer: Answer | None = None
        self._limits: Limits | None = limits

    def end(self) -> None:
        """The call has ended, or nobody waits for it any more."""
        limits, self._limits = self._limits, None
        if limits is not None:
            limits.leave(self, self.answer)


def _rates_of(caller: Caller) -> str:
    return f"user:{caller.user_id}"


def _draw(
    connection: Connection, key: str, units: int, per_minute: int, what: str
) -> None:
    """What is raised undoes all that the same call has taken."""
    wait = rates.try_take(connection, key, units=units, per_minute=per_minute)
    if wait:
        raise ThrottledError(
            f"you may use {per_minute} {what} a minute", retry_after=wait
        )


def _estimate(asked: Asked) -> int:
    """Tokens to charge in advance: four characters make about one."""
    size = sum(len(m.text) + len(m.besides) for m in asked.messages)
    return size // 4 + (asked.config.max_tokens or 0)


def _used(answer: Answer | None) -> int | None:
    if answer is None:
        return None
    usage = answer.usage
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens
