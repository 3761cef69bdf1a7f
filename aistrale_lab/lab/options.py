"""How a task is run, apart from what it asks."""

from decimal import Decimal
from typing import Any, Literal

import pydantic
from pydantic import Field

from aistrale_lab.domain.values import Value
from aistrale_lab.engine.generate import Policy
from aistrale_lab.errors import ValidationError, one_of

EFFECT = 0.1
"""The difference of scores that a stopping rule is tuned to."""


class Quota(Value):
    """Calls and tokens a minute that all runs and calls of one name share."""

    name: str = Field(min_length=1, max_length=200)
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)


class RunOptions(Value):
    """Concurrency, patience, limits and money of a run.

    `concurrency` is per lane; `timeout` and `stall` are seconds; `budget` is USD
    over all lanes; `rpm` and `tpm` hold for each lane, within those of its endpoint;
    `quota` holds for all lanes together, and for whatever else names it.
    `models_at_once=1` asks one model after the other, so that models on one machine do
    not slow each other. `stop_when="decided"` sends the samples in random order, and no
    more once it is certain enough which of two models scores higher; `effect` is the
    difference that shall be decided soonest.
    """

    concurrency: int = Field(default=16, ge=1, le=10_000)
    timeout: float = Field(default=600.0, gt=0)
    stall: float = Field(default=120.0, gt=0)
    retries: int = Field(default=5, ge=0)
    backoff: float = Field(default=0.5, ge=0)
    longest_wait: float = Field(default=120.0, ge=0)
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    quota: Quota | None = None
    budget: Decimal | None = Field(default=None, gt=0)
    stream: bool = True
    models_at_once: int | None = Field(default=None, ge=1)
    stop_when: Literal["decided"] | None = None
    effect: float = Field(default=EFFECT, gt=0, le=1)

    @classmethod
    def of(cls, options: dict[str, Any]) -> "RunOptions":
        """The options, or a ValidationError that names the faults and what exists."""
        unknown = set(options) - set(cls.model_fields)
        if unknown:
            raise ValidationError(
                f"unknown option {', '.join(sorted(unknown))}; "
                f"known options: {one_of(cls.model_fields)}"
            )
        try:
            return cls(**options)
        except pydantic.ValidationError as error:
            raise ValidationError(faults_of(error)) from None

    @property
    def policy(self) -> Policy:
        """The part that the retry loop needs."""
        return Policy(
            timeout=self.timeout,
            stall=self.stall,
            retries=self.retries,
            backoff=self.backoff,
            longest_wait=self.longest_wait,
        )


def stricter(one: int | None, other: int | None) -> int | None:
    """The lower of two limits, of which None is no limit."""
    known = [limit for limit in (one, other) if limit is not None]
    return min(known, default=None)


def faults_of(error: pydantic.ValidationError) -> str:
    """All faults of a value in one line, without the input that had them."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    )
