"""The groups that a filter offers: the first of many, and a search for the others."""

from dataclasses import dataclass

from aistrale_lab.lab.experiment import Experiment


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """The groups on offer, the chosen one among them; `said` if some are left out."""

    groups: list[str]
    chosen: str
    search: str
    said: str


def choose_group(experiment: Experiment, chosen: str, search: str) -> GroupChoice:
    """What is offered where `chosen` is in force, and groups with `search` are sought."""
    groups, total = experiment.groups(search), experiment.count_groups()
    found = experiment.count_groups(search) if search else total
    said = _said(len(groups), found, total)
    if chosen and chosen not in groups:
        groups.insert(0, chosen)
    return GroupChoice(groups, chosen, search, said)


def _said(offered: int, found: int, total: int) -> str:
    """How many groups are on offer, if that is not all of them."""
    if offered == total:
        return ""
    if offered < found:
        return f"the first {offered:,} of {found:,} groups are offered"
    return f"{found:,} of {total:,} groups are offered"
