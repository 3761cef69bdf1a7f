"""How fast the answers came, and what they cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column, cost_columns, time_columns
from aistrale_lab.report.description import Block, Line, Section
from aistrale_lab.report.grids import grid
from aistrale_lab.report.material import Material
from aistrale_lab.report.texts import name
from aistrale_lab.store.records import RunRecord

RATES = {
    "input_mtok": "in",
    "cached_input_mtok": "cached in",
    "output_mtok": "out",
}
"""The parts of a price that are told, in USD per million tokens."""


def speed_section(material: Material, pictures: Sequence[Block]) -> Section:
    """Times as the client saw them."""
    told = (
        "Times are of the attempt that was kept, as the client saw them; TTFT is the "
        "time to the first token. Waiting for a place and between attempts is not in "
        "them."
    )
    times = grid(time_columns(material.objects), links=material.run_links)
    blocks = [times, Line(told, "muted"), *pictures]
    return Section("speed", "Speed", blocks)


def cost_section(material: Material) -> Section:
    """Tokens and money, run by run."""
    runs = material.objects
    *columns, cost = cost_columns(runs)
    for field, heading in (
        ("cached_input_tokens", "cached\nin"),
        ("reasoning_tokens", "reasoning\nout"),
    ):
        if any(run["usage"][field] for run in runs):
            cells = [figures.count(run["usage"][field]) for run in runs]
            columns.append(Column(heading, cells))
    columns += [cost, _each_thousand(runs), *_prices(material.runs)]
    blocks: list[Block] = [grid(columns, links=material.run_links)]
    if any(run["usage"]["unknown"] for run in runs):
        told = "≥ marks a sum without the answers that came without token counts."
        blocks.append(Line(told, "muted"))
    if any(run["cost_usd"] is None for run in runs):
        told = f"{figures.UNKNOWN} is a cost that is not known: no price was."
        blocks.append(Line(told, "muted"))
    return Section("cost", "Cost", blocks)


def total_cost(runs: Sequence[Mapping[str, Any]]) -> str:
    """What all runs cost together; `≥` if a part is not known."""
    known = [run["cost_usd"] for run in runs if run["cost_usd"] is not None]
    if not known:
        return figures.UNKNOWN
    partly = len(known) < len(runs) or any(run["usage"]["unknown"] for run in runs)
    return figures.dollars([sum(known)], at_least=[partly])[0]


def _each_thousand(runs: Sequence[Mapping[str, Any]]) -> Column:
    """The cost of a thousand samples, from those that were sent."""
    amounts = [
        (
            None
            if run["cost_usd"] is None or not run["completed"]
            else 1_000 * run["cost_usd"] / run["completed"]
        )
        for run in runs
    ]
    return Column("cost of\n1,000 samples", figures.dollars(amounts))


def _prices(runs: Sequence[RunRecord]) -> list[Column]:
    """What the calls were counted at, if any price was known."""
    told = [_price(run.price or {}) for run in runs]
    if not any(told):
        return []
    sources = [name((run.price or {}).get("source") or figures.UNKNOWN) for run in runs]
    cells = [text or figures.UNKNOWN for text in told]
    return [
        Column("price\nUSD per million tokens", cells, numeric=False),
        Column("price from", sources, numeric=False),
    ]


def _price(price: Mapping[str, Any]) -> str:
    rates = ((words, price.get(field)) for field, words in RATES.items())
    return ", ".join(f"{rate} {words}" for words, rate in rates if rate is not None)
