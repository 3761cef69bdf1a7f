"""What is seen of a run while it goes on: live on a terminal, plain lines elsewhere."""

import asyncio
import sys
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeVar

from aistrale_lab.analysis import figures
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.logs import visible
from aistrale_lab.terminal import make_console, note

if TYPE_CHECKING:
    from rich.console import RenderableType

    from aistrale_lab.lab.handle import RunHandle

T = TypeVar("T")

EVERY = 5.0
"""Seconds between two reports in plain lines."""

ERRORS_SHOWN = 5
"""Errors of a lane that are shown as they come; the others are counted."""

BAR = 24


FRAME = 0.25
"""Seconds between two frames of what is live."""


async def watched(handle: "RunHandle[T]") -> T:
    """Wait for a run; on a terminal its lanes are drawn meanwhile, elsewhere not."""
    if handle.done() or not _on_terminal():
        return await handle
    display = LiveDisplay(handle.lanes)
    ticking = asyncio.create_task(_tick(display))
    try:
        return await handle
    finally:
        ticking.cancel()
        display.close()


async def _tick(display: "LiveDisplay") -> None:
    while True:
        await asyncio.sleep(FRAME)
        display.update()


def _on_terminal() -> bool:
    """Whether standard error is a screen on which lines can be drawn again."""
    return sys.stderr.isatty() and not make_console(sys.stderr).is_dumb_terminal


class Display(Protocol):
    """Shows the lanes; `update` is called four times a second, `close` at the end."""

    def update(self) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


def make_display(lanes: Sequence[LaneProgress], *, quiet: bool) -> Display:
    """The display that suits standard error."""
    if quiet:
        return Silence()
    if _on_terminal():
        return LiveDisplay(lanes)
    return LineDisplay(lanes)


class Silence:
    """Shows nothing but what must be said."""

    def update(self) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """A line on standard error."""
        note(text)

    def close(self) -> None:
        """Nothing."""


class LineDisplay:
    """One line per lane every few seconds, and one when it ends."""

    def __init__(self, lanes: Sequence[LaneProgress], *, every: float = EVERY) -> None:
        self._lanes = lanes
        self._every = every
        self._due = monotonic() + every
        self._errors = Errors(lanes)
        self._shown: dict[str, str] = {}
        self._ended: set[str] = set()

    def update(self) -> None:
        """Report what is due."""
        for line in self._errors.fresh():
            note(line)
        now = monotonic()
        for lane in self._lanes:
            if now >= self._due or is_over(lane):
                self._report(lane)
        if now >= self._due:
            self._due = now + self._every

    def say(self, text: str) -> None:
        """A line on standard error."""
        note(text)

    def close(self) -> None:
        """Report what was not yet said."""
        self._due = 0.0
        self.update()

    def _report(self, lane: LaneProgress) -> None:
        line = f"{title(lane)}: {' · '.join(facts(lane))}"
        if lane.run_id in self._ended or self._shown.get(lane.run_id) == line:
            return
        self._shown[lane.run_id] = line
        if is_over(lane):
            self._ended.add(lane.run_id)
        note(line)


class LiveDisplay:
    """Lanes that are redrawn in place; errors scroll by above them."""

    def __init__(self, lanes: Sequence[LaneProgress]) -> None:
        from rich.live import Live

        self._lanes = lanes
        self._errors = Errors(lanes)
        self._console = make_console(sys.stderr)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def update(self) -> None:
        """Redraw the lanes."""
        for line in self._errors.fresh():
            self._print(line, style="red")
        self._live.update(self._drawing(), refresh=True)

    def say(self, text: str) -> None:
        """A line above the lanes."""
        self._print(text, style="bold")

    def close(self) -> None:
        """Leave the last state on the screen."""
        self.update()
        self._live.stop()

    def _print(self, line: str, *, style: str) -> None:
        from rich.text import Text

        self._console.print(Text(visible(line), style=style), soft_wrap=True)

    def _drawing(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        room = max(1, (self._console.height - 2) // 2)
        lanes = sorted(self._lanes, key=is_over) if room < len(self._lanes) else None
        shown = (lanes or self._lanes)[:room]
        drawn = [draw(lane, self._console.width) for lane in shown]
        if len(shown) < len(self._lanes):
            left = len(self._lanes) - len(shown)
            drawn.append(Text(f"and {left} more", style="dim"))
        return Group(*drawn)


class Errors:
    """The errors that were not yet shown: the first few of each lane, then counts."""

    def __init__(self, lanes: Sequence[LaneProgress]) -> None:
        self._lanes = lanes
        self._seen = {lane.run_id: lane.failed for lane in lanes}
        self._shown = dict.fromkeys(self._seen, 0)

    def fresh(self) -> list[str]:
        """Lines for the errors that came since the last call."""
        lines = []
        for lane in self._lanes:
            lines += self._of(lane)
        return lines

    def _of(self, lane: LaneProgress) -> list[str]:
        failed = lane.failed
        new = failed - self._seen[lane.run_id]
        self._seen[lane.run_id] = failed
        room = ERRORS_SHOWN - self._shown[lane.run_id]
        if new <= 0 or room <= 0:
            return []
        texts = [" ".join(text.split()) for text in tuple(lane.recent)[-new:][:room]]
        self._shown[lane.run_id] += len(texts)
        lines = [f"{title(lane)}: sample {text}" for text in texts]
        if self._shown[lane.run_id] >= ERRORS_SHOWN:
            lines.append(f"{title(lane)}: further errors are counted and logged")
        return lines


def is_over(lane: LaneProgress) -> bool:
    """Whether the lane sends no more."""
    return lane.status not in (RunStatus.PENDING, RunStatus.RUNNING)


def title(lane: LaneProgress) -> str:
    """The full model name and the point of the sweep."""
    return f"{lane.model} {lane.params}".strip()


def facts(lane: LaneProgress) -> list[str]:
    """What is known of a lane, in the order in which one wants to know it."""
    done = f"{figures.share(lane.skipped + lane.done, lane.total)} done"
    known = [done] if lane.total else []
    if lane.failed:
        known.append(f"{lane.failed:,} failed")
    if lane.in_flight and not is_over(lane):
        known.append(f"{lane.in_flight} in flight")
    if lane.tokens_per_s is not None:
        known.append(f"{figures.rate(lane.tokens_per_s)} tokens/s")
    if lane.cost is not None:
        known.append(figures.dollars([float(lane.cost)])[0])
    if is_over(lane):
        known.append(lane.status.value + (f": {lane.reason}" if lane.reason else ""))
        return known
    wait = lane.rate_limited()
    if wait > 0:
        known.append(f"rate limited: waits {figures.span(wait)}")
    left = lane.seconds_left
    if left is not None:
        known.append(f"{figures.span(left)} left")
    return known


def draw(lane: LaneProgress, width: int) -> "RenderableType":
    """One lane: name, bar and facts, on one line if they fit, else on two."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    name = Text(visible(title(lane)), style="bold", overflow="fold")
    line = Text.assemble(*_bar(lane), "  ", visible(" · ".join(facts(lane))))
    if name.cell_len + 2 + line.cell_len <= width:
        return Text.assemble(name, "  ", line)
    return Group(name, Padding(line, (0, 0, 0, 2)))


def _bar(lane: LaneProgress) -> list[tuple[str, str]]:
    total = max(1, lane.total)
    done = round(BAR * min(lane.skipped + lane.done, total) / total)
    style = {RunStatus.FAILED: "red", RunStatus.INTERRUPTED: "yellow"}
    return [
        ("━" * done, style.get(lane.status, "green")),
        ("━" * (BAR - done), "bright_black"),
    ]
