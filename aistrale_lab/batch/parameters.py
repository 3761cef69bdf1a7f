"""What a notebook can be told: its typed `parameters` cell, and words checked by it."""

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ConfigError, NotFoundError, ValidationError, one_of
from aistrale_lab.logs import redact

if TYPE_CHECKING:
    from nbformat import NotebookNode

TAG = "parameters"

KEY_NAME = re.compile(
    r"(^|_)(api_?)?key$|(^|_)token$|secret|passw|credential|authorization|bearer",
    re.IGNORECASE,
)
"""Names that promise a key; `max_tokens` and `keys` do not."""

TYPES: Mapping[str, type] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
}
WORDS_OF_TRUTH = {"true": True, "false": False, "yes": True, "no": False}


class Parameter(Value):
    """One line of the cell: `name: kind = default  # help`.

    `kind` is "" for a line without a type; a default that is no literal is unknown.
    """

    name: str
    kind: str
    default: Any = None
    known: bool = True
    """Whether the default is a literal."""
    help: str = ""

    def read(self, word: str) -> Any:
        """The value of a word of the command line; raises ValidationError."""
        return self.check(self._parse(word) if self._type() is not str else word)

    def check(self, value: Any) -> Any:
        """The value, as its type; raises ValidationError for one of another type."""
        wanted = self._type()
        if wanted is None or value is None and self.default is None and self.known:
            return value
        if wanted is float and type(value) is int:
            value = float(value)
        finite = not isinstance(value, float) or math.isfinite(value)
        if type(value) is not wanted or not finite:
            raise ValidationError(
                f"parameter {self.name} takes a {wanted.__name__}, not {value!r}"
            )
        return value

    def _type(self) -> type | None:
        """The type: the one that is written, else that of the default."""
        base = self.kind.partition("[")[0].strip().lower()
        if base in TYPES:
            return TYPES[base]
        known = type(self.default)
        return known if self.known and known in TYPES.values() else None

    def _parse(self, word: str) -> Any:
        if self._type() is bool:
            return WORDS_OF_TRUTH.get(word.strip().lower(), word)
        if word.strip().lower() in ("none", "null"):
            return None
        try:
            return json.loads(word)
        except ValueError:
            return word


def load_notebook(path: Path) -> "NotebookNode":
    """A notebook from its file; raises NotFoundError and ValidationError."""
    import nbformat

    if not path.is_file():
        raise NotFoundError(f"there is no notebook {str(path)!r}")
    try:
        found: NotebookNode = nbformat.read(  # type: ignore[no-untyped-call]
            path, as_version=4
        )
        return found
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise ValidationError(f"{path} is no notebook: {error}") from None


def read_parameters(notebook: "NotebookNode", path: Path) -> list[Parameter]:
    """The parameters of a notebook, in their order.

    Raises ValidationError if no cell is tagged `parameters`.
    """
    from papermill.translators import PythonTranslator

    tagged = [c for c in notebook.cells if TAG in c.metadata.get("tags", ())]
    if not tagged:
        raise ValidationError(
            f"{path} has no cell tagged {TAG!r}: tag the one with its settings"
        )
    found = PythonTranslator.inspect(tagged[0])
    return [_parameter(one) for one in found]


def find_parameter(known: Sequence[Parameter], name: str) -> Parameter:
    """The parameter of that name; raises ValidationError, naming those there are."""
    for one in known:
        if one.name == name:
            return one
    names = [one.name for one in known]
    raise ValidationError(
        f"the notebook has no parameter {name!r}; its parameters: {one_of(names)}"
    )


def check_no_key(given: Mapping[str, Any], secrets: Iterable[str]) -> None:
    """Refuse what is named or looks like a key: it would stand in every notebook.

    Raises ConfigError, which does not repeat the value.
    """
    for name, value in given.items():
        text = json.dumps(value, ensure_ascii=False)
        if KEY_NAME.search(name) or redact(text, secrets) != text:
            raise ConfigError(
                f"parameter {name} is named like a key or looks like one: a parameter "
                "is written into notebooks. Set the key in the environment, and name "
                "its variable as api_key_env in aistrale.toml"
            )


def help_lines(known: Sequence[Parameter]) -> list[str]:
    """One line for each parameter, for a terminal."""
    heads = [
        (
            f"{one.name}: {one.kind or 'any'} = {one.default!r}"
            if one.known
            else f"{one.name}: {one.kind or 'any'}"
        )
        for one in known
    ]
    wide = max(map(len, heads), default=0)
    return [
        f"  {head:{wide}}  {one.help}".rstrip()
        for head, one in zip(heads, known, strict=True)
    ]


def _parameter(found: Any) -> Parameter:
    kind = "" if found.inferred_type_name == "None" else found.inferred_type_name
    common = {"name": found.name, "kind": kind, "help": (found.help or "").strip()}
    try:
        return Parameter(default=ast.literal_eval(found.default), **common)
    except (ValueError, SyntaxError):
        return Parameter(known=False, **common)
