"""Everything that is checked and decided before the first call is sent."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any

import pydantic

from aistrale_lab.domain.chat import GenerateConfig, Request
from aistrale_lab.domain.runs import RunSpec
from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.domain.values import Value, fingerprint
from aistrale_lab.engine.generate import BoundOf, PriceOf
from aistrale_lab.engine.prompts import check_prompts
from aistrale_lab.errors import ConfigError, ValidationError, one_of
from aistrale_lab.lab.endpoints import recorded_url
from aistrale_lab.lab.options import RunOptions, faults_of
from aistrale_lab.pricing import Price, find_price
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.scorers.base import NamedScorer, check_targets, make_scorers


class LanePlan(Value):
    """One run as it will be made: whom to ask, with what, at which price."""

    spec: RunSpec
    endpoint: Endpoint
    price: Price | None


def check_task(task: Task) -> list[NamedScorer]:
    """The task's scorers, once every sample's prompt and target are known to work.

    Raises UnknownScorerError, ValidationError, DatasetError or PromptError.
    """
    scorers = make_scorers(task.scorers)
    check_targets(scorers, task.dataset)
    check_prompts(task.prompt, task.dataset)
    return scorers


def parse_models(models: Iterable[str] | str) -> list[ModelRef]:
    """The models to ask, in order; refuses an empty list and doubles."""
    names = [models] if isinstance(models, str) else list(models)
    if not names:
        raise ValidationError("no model is named; for example embedded/nearest")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValidationError(f"models named twice: {one_of(twice)}")
    return [ModelRef.parse(name) for name in names]


def expand_sweep(task: Task) -> list[tuple[dict[str, Any], GenerateConfig]]:
    """Each point of the sweep with its settings; one point without a sweep.

    Raises ValidationError for a parameter without a value, or with a wrong one.
    """
    names = list(task.sweep)
    for name in names:
        if not task.sweep[name]:
            raise ValidationError(f"sweep.{name}: no value to try: name one, or more")
    points = [
        dict(zip(names, values, strict=True))
        for values in product(*(task.sweep[name] for name in names))
    ]
    return [(point, configure(task.config, point)) for point in points]


def configure(config: GenerateConfig, params: Mapping[str, Any]) -> GenerateConfig:
    """The settings with the parameters put in, each checked.

    `extra.NAME` sets a field that goes to the provider as it is.
    """
    fields = config.model_dump(exclude_none=True)
    for name, value in params.items():
        if name.startswith("extra."):
            fields["extra"] = {**fields["extra"], name[len("extra.") :]: value}
        elif name not in GenerateConfig.model_fields:
            raise ValidationError(
                f"unknown parameter {name!r}; known parameters: "
                f"{one_of(GenerateConfig.model_fields)}; extra.NAME is sent as it is"
            )
        else:
            fields[name] = value
    try:
        return GenerateConfig(**fields)
    except pydantic.ValidationError as error:
        raise ValidationError(f"parameter {faults_of(error)}") from None


def plan_lanes(
    task: Task,
    endpoints: Sequence[tuple[ModelRef, Endpoint]],
    options: RunOptions,
    *,
    experiment_id: str,
    new_id: Callable[[], str],
    prices: Mapping[str, Price],
) -> list[LanePlan]:
    """One lane for each model and point of the sweep, in that order."""
    points = expand_sweep(task)
    known = {ref: price_of(ref, endpoint, prices) for ref, endpoint in endpoints}
    plans = [
        LanePlan(
            spec=RunSpec(
                run_id=new_id(),
                experiment_id=experiment_id,
                model=ref,
                config=config,
                params=point,
                base_url=recorded_url(endpoint),
                stream=options.stream,
                price=_stored(known[ref]),
            ),
            endpoint=endpoint,
            price=known[ref],
        )
        for ref, endpoint in endpoints
        for point, config in points
    ]
    check_budget(plans, options)
    return plans


def _stored(price: Price | None) -> dict[str, Any] | None:
    """A price as it is kept with a run; of tiers, the highest rates."""
    return None if price is None else price.model_dump(mode="json")


def price_of(
    ref: ModelRef, endpoint: Endpoint, prices: Mapping[str, Price]
) -> Price | None:
    """What the model's calls cost, if anybody told."""
    return find_price(ref.provider, ref.model, base_url=endpoint.base_url, own=prices)


def check_budget(plans: Sequence[LanePlan], options: RunOptions) -> None:
    """With a budget, each call's cost must have a bound; raises ConfigError."""
    if options.budget is None:
        return
    for plan in plans:
        if plan.price is None:
            raise ConfigError(
                f"a budget needs a price, and {plan.spec.model} has none; "
                f'set it under [prices."{plan.spec.model}"] in aistrale.toml'
            )
        if plan.spec.config.max_tokens is None and plan.price.output_mtok:
            raise ConfigError(
                "a budget needs a bound for each call: set max_tokens "
                "(--param max_tokens=N)"
            )


def cost_bound(price: Price, request: Request) -> Decimal:
    """The most that a request can cost."""
    return price.bound(request.messages, request.config.max_tokens or 0)


def price_function(price: Price | None) -> PriceOf:
    """What a lane is told of a price; without one every cost is unknown."""
    return price.of if price else lambda usage: None


def bound_function(price: Price | None) -> BoundOf | None:
    """What a lane is told of the most that a call can cost."""
    return partial(cost_bound, price) if price else None


def identity(
    name: str, task: Task, endpoints: Sequence[tuple[ModelRef, Endpoint]]
) -> str:
    """Equal for experiments that would ask the same of the same."""
    asked = [[str(ref), recorded_url(endpoint)] for ref, endpoint in endpoints]
    return fingerprint({"name": name, "task": task.parts(), "models": asked})
