"""`RunPanel`: choose, see what it takes, run, watch, stop, resume; in a notebook."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import traitlets

from aistrale_lab.analysis import figures
from aistrale_lab.domain import rich
from aistrale_lab.domain.tasks import Task
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.errors import ConfigError, LabError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.logs import visible
from aistrale_lab.scorers.registry import SCORERS
from aistrale_lab.widgets.lanes import HEADINGS, lanes_state, rows_of
from aistrale_lab.widgets.plan_line import plan_line
from aistrale_lab.widgets.run_code import as_code
from aistrale_lab.widgets.run_form import RunForm, fill_form, short_path
from aistrale_lab.widgets.view import Act, View, asset

EVERY = 0.25
"""Seconds between two looks at a run."""

OFFERED = 30
"""Models that are offered at a time; the search narrows them."""

PREVIEW = 4_000
"""Characters of each message in the preview."""

PLACES = (".", "datasets", "../datasets")
KINDS = (".jsonl", ".json", ".csv", ".tsv", ".yaml", ".yml", ".parquet")
"""Where prompt sets are looked for, and by which suffix."""

NOTHING = {"lanes": [], "more": 0, "errors": [], "sums": "", "said": ""}


class RunPanel(View):
    """A task on models as a panel: its form, its plan, its progress, its end.

    `task`, `models` and the options are those of `Lab.run`; whatever is left out can
    be chosen in the panel. Nothing is sent before Run is pressed, or `start` or `run`
    is called. A task that was run before is shown as it stands: finished, it is not
    paid twice; unfinished, only what is missing is sent; `fresh` pays again.
    Raises ValidationError for an unknown option.
    """

    _esm = asset("common.js", "picker.js", "run_panel.js")
    _css = asset("common.css", "run_panel.css")

    progress = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        bench: Lab,
        task: Task | None = None,
        models: Iterable[str] | str = (),
        *,
        name: str | None = None,
        fresh: bool = False,
        **options: Any,
    ) -> None:
        chosen = (models,) if isinstance(models, str) else tuple(models)
        form = fill_form(task, chosen, name=name, fresh=fresh, options=options)
        self._bench = bench
        self._given = (form, task)
        self._options = options
        self._offers: tuple[str, ...] = ()
        self.handle: RunHandle[Experiment] | None = None
        """The run that the panel shows, once there is one."""
        super().__init__(
            {
                "form": form.model_dump(mode="json"),
                "phase": "ready",
                "datasets": _datasets(),
                "known_scorers": SCORERS.names(),
                "offered": [],
                "listing": "",
                "headings": [list(pair) for pair in HEADINGS],
                "store": bench.store_url,
                **_UNCHECKED,
            }
        )
        self.progress = NOTHING
        self._check()
        self._show_earlier()

    @classmethod
    def attach(cls, bench: Lab, experiment: str) -> "RunPanel":
        """The panel of an experiment in the store, by its id or the beginning of it.

        It follows the run if one goes on, in whatever process; else it offers to
        resume what is missing. Raises NotFoundError.
        """
        handle = bench.attach(experiment)
        found = handle.so_far()
        models = tuple(dict.fromkeys(run.model for run in found.runs))
        panel = cls(bench, found.task, models, name=found.name)
        panel._follow(handle)
        return panel

    def start(self) -> RunHandle[Experiment]:
        """Press Run, unless it goes on already: nothing is ever paid twice.

        Gives the handle, of a finished experiment too. Raises a LabError for what is
        wrong in the form; then nothing was sent.
        """
        if self.handle is None or self.handle.done():
            self._run()
        assert self.handle is not None
        return self.handle

    async def run(self) -> Experiment:
        """`start`, and wait for the end; interrupting the wait stops the run."""
        handle = self.start()
        experiment = await handle
        # Within the cell that waited: what a thread sends later, papermill drops.
        self._look(handle)
        return experiment

    @property
    def experiment(self) -> Experiment:
        """The experiment as it stands now; raises ConfigError before there is one."""
        if self.handle is None:
            raise ConfigError("nothing was run yet: press Run, or call panel.start()")
        return self.handle.so_far()

    @property
    def form(self) -> RunForm:
        """The form as it stands."""
        return RunForm.model_validate(self.state["form"])

    def acts(self) -> Mapping[str, Act]:
        """What the person can do."""
        return {
            "edit": self._edit,
            "list_models": self._list_models,
            "search_models": self._search_models,
            "run": self._run,
            "stop": self._stop,
            "resume": self._resume,
        }

    def static_html(self) -> str:
        """What was asked, how far it came, and the summary of what was answered."""
        form = self.form
        asked = [
            ("dataset", form.dataset or None),
            ("models", ", ".join(form.models) or None),
            ("prompt", form.prompt),
            ("system", form.system or None),
            ("parameters", form.params or None),
            ("scorers", ", ".join(form.scorers) or None),
            ("epochs", form.epochs),
            ("plan", self.state["plan"] or None),
        ]
        known = [(name, value) for name, value in asked if value is not None]
        parts = [rich.facts(f"Run: {self._title()}", known)]
        if self.progress["lanes"]:
            parts.append(self._lanes_html())
            parts.append(f"<p>{rich.text(self.progress['said'])}</p>")
        if self.handle is not None and self.handle.done():
            parts.append(self.handle.so_far()._repr_html_())
        return "\n".join(parts)

    def static_text(self) -> str:
        """The same in a line for each lane."""
        lanes = self.progress["lanes"]
        said = self.progress["said"] or self.state["plan"] or self.state["problem"]
        lines = [f"RunPanel {self._title()}: {said}"]
        lines += [
            f"  {lane['lane']}: {lane['done']} done, {lane['failed']} failed, "
            f"{lane['status']}"
            for lane in lanes
        ]
        return "\n".join(lines)

    def _title(self) -> str:
        name = self.form.name or Path(self.form.dataset).stem
        return name or "nothing chosen yet"

    def _lanes_html(self) -> str:
        keys = [key for key, _ in HEADINGS]
        rows = [[lane[key] for key in keys] for lane in self.progress["lanes"]]
        titles = [title for _, title in HEADINGS]
        return rich.table(titles, rows, numbers=range(1, len(titles) - 1))

    # What the person does

    def _edit(self, **fields: Any) -> None:
        self.show(form=self.form.edited(**fields).model_dump(mode="json"))
        self._check()

    def _list_models(self) -> None:
        """Ask the endpoints; what they say is shown when it comes."""
        if self._offers or self.state["listing"]:
            return
        self.show(listing="asking the endpoints for their models ...")
        self._bench.start_models().add_done_callback(self._take_models)

    def _take_models(self, listed: Any) -> None:
        if listed.cancelled() or listed.exception() is not None:
            self.show(listing="the models could not be listed; type a name")
            return
        found = listed.result()
        self._offers = found.models
        missing = [
            f"{name}: {why.partition(';')[0]}" for name, why in found.missing.items()
        ]
        listing = visible(f"{len(found.models):,} models; {'; '.join(missing)}")
        self.show(listing=listing.rstrip("; "), offered=list(found.models[:OFFERED]))

    def _search_models(self, text: str) -> None:
        words = text.casefold().split()
        fitting = [m for m in self._offers if all(w in m.casefold() for w in words)]
        self.show(offered=[visible(name) for name in fitting[:OFFERED]])

    def _stop(self) -> None:
        """Once: send no more. Twice: drop what is in flight too."""
        if self.handle is not None and not self.handle.done():
            self.handle.cancel()
            self.show(phase="stopping")

    def _resume(self, failed: bool = False) -> None:
        if self.handle is None:
            return
        options = self.form.options(self._options)
        which = self.handle.experiment_id
        self._follow(self._bench.start_resume(which, failed=bool(failed), **options))

    def _run(self) -> None:
        if self.handle is not None and not self.handle.done():
            return
        form = self.form
        task, options = self._task(), form.options(self._options)
        _check_models(form)
        models, name = form.models, form.name or None
        earlier = None
        if not form.fresh:
            earlier = self._bench.find(task, models, name=name, **options)
        if earlier is None:
            start = partial(self._bench.start, task, models, name=name)
            self._follow(start(fresh=form.fresh, **options))
        else:
            self._go_on(earlier, options)
        if form.fresh:  # asked for once: pressing Run again is not asking again
            self.show(form=form.edited(fresh=False).model_dump(mode="json"))

    def _go_on(self, earlier: Experiment, options: dict[str, Any]) -> None:
        """What was run before: shown if it is complete or goes on, else resumed."""
        handle = self._bench.attach(earlier.id)
        if handle.done() and not earlier.complete:
            handle = self._bench.start_resume(earlier.id, **options)
        self._follow(handle)

    # What the panel shows

    def _task(self) -> Task:
        """The task of the form; an unchanged one is the very task that was given."""
        filled, given = self._given
        form = self.form
        if given is not None and _asked(form) == _asked(filled):
            return given
        dataset = None
        if given is not None and _source(form) == _source(filled):
            dataset = given.dataset
        shots = given.prompt.shots if given is not None else ()
        return form.make_task(dataset or form.load_dataset(), shots)

    def _check(self) -> None:
        """Preview, plan and code of the form as it stands, or what is wrong with it."""
        form = self.form
        shown: dict[str, Any] = dict(_UNCHECKED)
        try:
            task = self._task()
            shown["preview"] = _preview(task)
            options = form.options(self._options)
            _check_models(form)
            plan = self._bench.plan(task, form.models, **options)
            shown["plan"] = plan_line(plan)
            shown["known"] = self._known(task, options)
            shown["code"] = as_code(form, task, options, store=self._bench.store_url)
        except LabError as error:
            shown["problem"] = visible(error.message)
        except ValueError as error:  # pydantic: a field of the task itself
            shown["problem"] = visible(str(error))
        self.show(**shown)

    def _known(self, task: Task, options: dict[str, Any]) -> str:
        """What Run would do with an experiment of the same task, in words."""
        form = self.form
        if form.fresh:
            return "Run pays for every call again."
        found = self._bench.find(task, form.models, name=form.name or None, **options)
        if found is None:
            return ""
        if found.complete:
            return (
                f"Experiment {found.id} answered this: Run shows it, and sends nothing."
            )
        return f"Experiment {found.id} began this: Run sends only what is missing."

    def _show_earlier(self) -> None:
        """A task that was run before stands there as it is: nothing to press."""
        if self.form.fresh or not self.state["known"]:
            return
        form = self.form
        options = form.options(self._options)
        name = form.name or None
        earlier = self._bench.find(self._task(), form.models, name=name, **options)
        if earlier is not None:
            self._follow(self._bench.attach(earlier.id))

    def _follow(self, handle: RunHandle[Experiment]) -> None:
        self.handle = handle
        self.show(phase="running", experiment_id=handle.experiment_id)
        self._look(handle)
        if not handle.done():
            every = EVERY * max(1, len(handle.lanes) / 10)
            handle.watch(partial(self._look, handle), every=every)

    def _look(self, handle: RunHandle[Experiment]) -> None:
        """Show how far the run is; at its end also what can be done now."""
        if handle is not self.handle:
            return
        ended = handle.done()
        watched = handle.owner is not None
        now = lanes_state(handle.lanes, watched=watched)
        self.progress = {**now, "said": self._said(handle, ended)}
        if not ended:
            return
        with self._acting:
            if handle is not self.handle:  # an act turned to another run meanwhile
                return
            self.show(**self._ending(handle))
        self.refresh_static()

    def _said(self, handle: RunHandle[Experiment], ended: bool) -> str:
        """What a screen reader says: the phase, and every tenth of the way."""
        rows, total = rows_of(handle.lanes)
        if ended:
            return self._end_said(handle, rows, total)
        tenth = 10 * (10 * rows // max(1, total))
        by = f" in {handle.owner}" if handle.owner else ""
        return f"Running{by}: {tenth} % done"

    def _end_said(self, handle: RunHandle[Experiment], rows: int, total: int) -> str:
        failed = sum(lane.failed for lane in handle.lanes)
        failing = f", {figures.count(failed)} of them failed" if failed else ""
        share = f"{figures.share(rows, total)} answered{failing}"
        if handle.failure() is not None:
            return f"Broken off: {share}. {visible(str(handle.failure()))}"
        if rows < total:
            return f"Stopped: {share}. Resume sends the rest."
        return f"Done: {share}."

    def _ending(self, handle: RunHandle[Experiment]) -> dict[str, Any]:
        rows, total = rows_of(handle.lanes)
        return {
            "phase": "done",
            "missing": total - rows,
            "failed": sum(lane.failed for lane in handle.lanes),
        }


_UNCHECKED: dict[str, Any] = {
    "preview": None,
    "plan": "",
    "problem": "",
    "known": "",
    "code": "",
    "experiment_id": "",
    "missing": 0,
    "failed": 0,
}


def _check_models(form: RunForm) -> None:
    if not form.models:
        raise ConfigError("choose a model: whom to ask")


def _asked(form: RunForm) -> dict[str, Any]:
    """The fields that make the task."""
    others = {"models", "concurrency", "budget", "fresh"}
    return form.model_dump(exclude=others)


def _source(form: RunForm) -> tuple[str, str, str]:
    return form.dataset, form.limit, form.columns


def _preview(task: Task) -> dict[str, Any]:
    """The first sample as it would be sent."""
    first = task.dataset[0]
    messages = compile_prompt(task.prompt).render(first)
    return {
        "sample": f"Sample {visible(first.id)}, the first of {len(task.dataset):,}",
        "messages": [
            {"role": message.role, "text": _cut(visible(message.text))}
            for message in messages
        ],
        "target": _cut(visible(first.target)) if first.target is not None else "",
    }


def _cut(text: str) -> str:
    if len(text) <= PREVIEW:
        return text
    return f"{text[:PREVIEW]}… ({len(text) - PREVIEW:,} characters more)"


def _datasets() -> list[str]:
    """The prompt sets that lie near the notebook."""
    found = [
        path
        for place in PLACES
        for path in sorted(Path(place).glob("*"))
        if path.suffix in KINDS and path.is_file()
    ]
    return [short_path(str(path)) for path in found[:100]]
