"""What every widget is: one state shown, acts taken, and a static twin beside it."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import anywidget
import traitlets

from aistrale_lab.domain import rich
from aistrale_lab.errors import LabError
from aistrale_lab.logs import visible

Act = Callable[..., None]
"""What is done when the person does something: keyword arguments from the browser."""


LARGEST = 150_000
"""Bytes of a static twin's HTML, as a notebook file holds it."""

LONGEST = 5_000
"""Characters of a static twin's text."""


def weight(text: str) -> int:
    """Bytes that a text takes in a notebook file."""
    return len(json.dumps(text, ensure_ascii=False).encode())


@cache
def asset(*names: str) -> str:
    """The texts of the package's own scripts or styles, one after the other."""
    folder = files("aistrale_lab.widgets") / "assets"
    return "\n".join((folder / name).read_text("utf-8") for name in names)


class View(anywidget.AnyWidget):
    """A widget over `state`, all of which the kernel decides.

    The browser draws the state and sends acts, `{"act": NAME, ...fields}`; `acts`
    names what can be done. What an act refuses with a LabError stands in the state's
    `notice`. Every display carries `static_html` and `static_text`; `refresh_static`
    writes them anew where the widget was displayed.
    """

    state = traitlets.Dict().tag(sync=True)

    EMPTY: ClassVar[Mapping[str, Any]] = {"notice": ""}

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__(state={**self.EMPTY, **state})
        self._acting = threading.RLock()
        self._display: Any = None
        self.on_msg(lambda _, message, __: self.act(message))

    def acts(self) -> Mapping[str, Act]:
        """What the person can do, by name."""
        raise NotImplementedError

    def static_html(self) -> str:
        """The present state without a kernel or script; all text escaped."""
        raise NotImplementedError

    def static_text(self) -> str:
        """The present state in a few lines of text."""
        raise NotImplementedError

    def act(self, message: Mapping[str, Any]) -> None:
        """Do what the browser asks for; acts come one at a time, in any thread."""
        asked = dict(message)
        found = self.acts().get(asked.pop("act", ""))
        if found is None:
            return
        with self._acting:
            try:
                self.show(notice="")
                found(**asked)
            except LabError as error:
                self.show(notice=visible(str(error)))

    def show(self, **changed: Any) -> None:
        """Set parts of the state; nothing is sent if nothing differs."""
        with self._acting:
            state = {**self.state, **changed}
            if state != self.state:
                self.state = state

    def refresh_static(self) -> None:
        """Write the static twin anew in the outputs where the widget stands."""
        if self._display is not None:
            self._display.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, Any]:
        """By type, all that is kept in the notebook; never large."""
        shown = super()._repr_mimebundle_()
        bundle: dict[str, Any] = dict(shown[0]) if shown else {}
        told, html = self.static_text(), self.static_html()
        if len(told) > LONGEST:
            told = f"{told[:LONGEST]}…"
        if weight(html) > LARGEST:
            html = f"<p>{rich.text(told)}</p>"
        return {**bundle, "text/plain": told, "text/html": rich.plain(html)}

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._bundle(), {}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        bundle = self._bundle()
        self._display = display(  # type: ignore[no-untyped-call]
            bundle, raw=True, display_id=self.model_id
        )
