"""An experiment as a report: which sections it has, in which order."""

from datetime import UTC, datetime
from importlib.metadata import version

from aistrale_lab.analysis.summary_plots import PLOTS
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report.costs import cost_section, speed_section
from aistrale_lab.report.description import Block, Report
from aistrale_lab.report.differences import comparison_section
from aistrale_lab.report.examples import flipped_section, worst_section
from aistrale_lab.report.failures import failures_section
from aistrale_lab.report.findings import findings_section, key_figures, subject
from aistrale_lab.report.links import NOWHERE, Links
from aistrale_lab.report.material import find_evidence, read_material
from aistrale_lab.report.pictures import compare_picture, summary_pictures
from aistrale_lab.report.plan import plan_section, provenance_section
from aistrale_lab.report.ranking import leaderboard_section, results_section
from aistrale_lab.report.texts import NAME, name, shown

QUALITY, TIMES, *FRONTS = PLOTS
"""The titles of the plots, by the section that they stand in."""


def describe(
    experiment: Experiment,
    *,
    title: str = "",
    drawn: bool = True,
    links: Links = NOWHERE,
) -> Report:
    """All that a report says of an experiment; `drawn` with its plots.

    Of the answers only the excerpts that are shown are read: neither time nor memory
    grows with the length of texts, and the report's own length is bounded.
    """
    material = read_material(experiment, links)
    evidence = find_evidence(material)
    pictures = summary_pictures(material, material.metric) if drawn else {}

    def plots(*titles: str) -> list[Block]:
        return [pictures[title] for title in titles if title in pictures]

    compared: list[Block] = []
    if drawn and evidence.comparison is not None:
        compared = [compare_picture(evidence.comparison)]
    return Report(
        title=shown(title or material.record.name, 2 * NAME),
        subject=subject(material),
        figures=key_figures(material),
        sections=[
            findings_section(material, evidence),
            plan_section(material),
            results_section(material, plots(QUALITY)),
            leaderboard_section(evidence, plots(*FRONTS), links),
            comparison_section(evidence, compared),
            speed_section(material, plots(TIMES)),
            cost_section(material),
            worst_section(material, evidence),
            flipped_section(material, evidence),
            failures_section(material),
            provenance_section(material),
        ],
        colophon=_colophon(experiment),
    )


def describe_so_far(experiment: Experiment, *, links: Links = NOWHERE) -> Report:
    """What can be said of an experiment whose runs still go on, at little cost."""
    material = read_material(experiment, links)
    return Report(
        title=shown(material.record.name, 2 * NAME),
        subject=subject(material),
        figures=key_figures(material),
        sections=[
            results_section(material, []),
            failures_section(material),
            plan_section(material),
            provenance_section(material),
        ],
        colophon=_colophon(experiment),
    )


def _colophon(experiment: Experiment) -> str:
    made = datetime.now(UTC)
    return (
        f"Experiment {name(experiment.id)} as it stood on {made:%Y-%m-%d %H:%M} UTC; "
        f"made by AISTRALE Lab {version('aistrale-lab')}."
    )
