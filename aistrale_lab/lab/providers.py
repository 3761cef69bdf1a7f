"""The providers of a bench: where its models are, and what their calls cost."""

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.lab.endpoints import resolve
from aistrale_lab.lab.launcher import Order
from aistrale_lab.lab.listing import ModelList, list_models
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import LanePlan, plan_lanes, price_of
from aistrale_lab.lab.resuming import replay_records
from aistrale_lab.pricing import Price
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.embedded import EmbeddedServer, RunningServer
from aistrale_lab.settings import Settings
from aistrale_lab.store.records import new_id
from aistrale_lab.store.results import Store


class Providers:
    """Resolves models by the settings; holds the one embedded server. Close it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._embedded: EmbeddedServer | None = None

    async def close(self) -> None:
        """End the embedded server, if there is one."""
        if self._embedded is not None:
            await self._embedded.close()

    def endpoints(
        self, refs: Sequence[ModelRef], chosen: RunOptions, *, keys: bool = True
    ) -> list[tuple[ModelRef, Endpoint]]:
        """Where each model's calls go; raises ConfigError.

        Without `keys`, for what sends nothing, a key that is absent is no fault.
        """
        settings = self._settings if keys else _without_keys(self._settings)
        concurrency = chosen.concurrency * len(refs)
        special: dict[str, dict[str, Any]] = {}
        if any(ref.provider == "embedded" for ref in refs):
            special["embedded"] = {"server": self.embedded}
        found = []
        for ref in refs:
            if ref.provider == "replay":
                records = replay_records(ref.model, self._store)
                special["replay"] = {"records": records}
            endpoint = resolve(ref, settings, concurrency=concurrency, special=special)
            found.append((ref, endpoint))
        return found

    def plan(
        self,
        order: Order,
        endpoints: Sequence[tuple[ModelRef, Endpoint]],
        experiment_id: str,
    ) -> list[LanePlan]:
        """The lanes of an order, each with its price."""
        return plan_lanes(
            order.task,
            endpoints,
            order.options,
            experiment_id=experiment_id,
            new_id=new_id,
            prices=self._prices,
        )

    def price(self, ref: ModelRef, endpoint: Endpoint) -> Price | None:
        """What the model's calls cost, if anybody told."""
        return price_of(ref, endpoint, self._prices)

    @property
    def _prices(self) -> dict[str, Price]:
        return {
            name: Price(**price.model_dump())
            for name, price in self._settings.prices.items()
        }

    @property
    def embedded(self) -> EmbeddedServer:
        """The models in the box; their server starts with the first call."""
        url = self._settings.embedded_url
        self._embedded = self._embedded or (
            RunningServer(url) if url else EmbeddedServer()
        )
        return self._embedded

    async def list_models(self) -> ModelList:
        """What every endpoint offers; on the engine's loop."""
        special = {"embedded": {"server": self.embedded}}
        return await list_models(self._settings, special)


def _without_keys(settings: Settings) -> Settings:
    keys = ("openai_api_key", "hf_token")
    absent = [name for name in keys if getattr(settings, name) is None]
    return settings.model_copy(update=dict.fromkeys(absent, SecretStr("not-needed")))
