"""Jinja2 for templates that nobody vouches for: no code, no files, and no excess.

Jinja's own sandbox keeps templates from Python's insides. It does not keep them from
taking all memory or all day (`{{ 'a' * 10**9 }}`, nested loops), so here every way
to grow is bounded: what a template may use is listed, operators and methods that
multiply are checked before they run, loops and calls are counted, and output is cut
off while it is made.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from aistrale_lab.errors import PromptError

MOST_CHARACTERS = 4_000_000
"""Of a rendered text, and of any text on the way."""

MOST_STEPS = 100_000
"""Loop turns and calls of one rendering."""

MOST_SECONDS = 0.5
"""Time for one rendering."""

MOST_PARTS = 100_000
"""Elements of a list or mapping that is turned into text."""

_NODES = (
    nodes.Assign,
    nodes.Call,
    nodes.CondExpr,
    nodes.Expr,
    nodes.Filter,
    nodes.For,
    nodes.If,
    nodes.Keyword,
    nodes.NSRef,
    nodes.Operand,
    nodes.Output,
    nodes.Pair,
    nodes.Template,
    nodes.TemplateData,
    nodes.Test,
)
_FILTERS = (
    "abs",
    "batch",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
)
_METHODS = frozenset(
    "capitalize casefold count endswith find get index isalnum isalpha isdigit "
    "islower isspace isupper items join keys lower lstrip partition removeprefix "
    "removesuffix replace rfind rpartition rsplit rstrip split splitlines "
    "startswith strip swapcase title upper values".split()
)


class Meter:
    """Counts the steps of one rendering, and its time."""

    def __init__(self) -> None:
        self.steps = 0
        self._end = perf_counter() + MOST_SECONDS

    def step(self) -> None:
        """One more; raises SecurityError when it is one too many."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise SecurityError(f"more than {MOST_STEPS} loop turns and calls")
        if perf_counter() > self._end:
            raise SecurityError(f"takes longer than {MOST_SECONDS:g} s")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of prompts and of expressions over a record's fields."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,
            finalize=_printable,
        )
        self.meter = Meter()
        self.globals = {
            name: self.globals[name] for name in ("range", "dict", "namespace")
        }
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= {
            "batch": _batch,
            "indent": _indent,
            "join": _join,
            "replace": _replace,
            "string": lambda value: str(_printable(value)),
            "tojson": _tojson,
            "_concat": _concat,
            "_turns": self._turns,
        }

    def render_text(self, template: Any, variables: Mapping[str, Any]) -> str:
        """The template's text; raises SecurityError when it exceeds a cap."""
        self.meter = Meter()
        pieces: list[str] = []
        size = 0
        for piece in template.generate(variables):
            size += len(piece)
            if size > MOST_CHARACTERS:
                raise SecurityError(f"makes more than {MOST_CHARACTERS} characters")
            pieces.append(piece)
        return "".join(pieces)

    def _parse(self, source: str, name: Any, filename: Any) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _NODES):
                kind = type(node).__name__
                raise PromptError(f"templates cannot use {kind} (line {node.lineno})")
        return _bounded(tree)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """`+ * ** %` with their results bounded before they are made."""
        _check_binop(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, called: Any, *args: Any, **kwargs: Any) -> Any:
        """A call that is counted, and whose result cannot be larger than allowed."""
        self.meter.step()
        owner = getattr(called, "__self__", None)
        if isinstance(owner, str | Mapping | list | tuple):
            _check_method(owner, getattr(called, "__name__", ""), args)
        return super().call(context, called, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` can pad to any width: it is not offered at all."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("the method 'format' is not available in templates")

    def _turns(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.meter.step()
            yield item


def _bounded(tree: nodes.Template) -> nodes.Template:
    """Count every loop's turns, and check the size of what `~` joins."""
    for loop in list(tree.find_all(nodes.For)):
        if loop.recursive:
            raise PromptError(f"templates cannot loop recursively (line {loop.lineno})")
        loop.iter = nodes.Filter(
            loop.iter, "_turns", [], [], None, None, lineno=loop.lineno
        )
    bounded: nodes.Template = _ConcatBounder().visit(tree)
    return bounded


class _ConcatBounder(NodeTransformer):
    """Turns `a ~ b` into a call that knows the size beforehand."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        first, *others = node.nodes
        return nodes.Filter(
            first, "_concat", others, [], None, None, lineno=node.lineno
        )


def _check_binop(operator: str, left: Any, right: Any) -> None:
    if operator == "%" and isinstance(left, str):
        raise SecurityError("% does not format text here; use ~ to join texts")
    if operator == "**":
        if not (_is_number(left) and _is_number(right)):
            return
        if abs(right) > 64 or abs(left) > 1_000_000:
            raise SecurityError(f"{left} ** {right} is too large")
    if operator == "*":
        _check_product(left, right)
    if operator == "+" and not _is_number(left):
        _check_size(_length(left) + _length(right))


def _check_product(left: Any, right: Any) -> None:
    if _is_number(left) and _is_number(right):
        if max(abs(left), abs(right)) > 1e100:
            raise SecurityError("a product is too large")
        return
    text, times = (left, right) if isinstance(right, int) else (right, left)
    if not isinstance(text, str) or not isinstance(times, int):
        raise SecurityError("only texts and numbers can be multiplied")
    _check_size(len(text) * max(0, times))


def _check_method(owner: Any, name: str, args: tuple[Any, ...]) -> None:
    if name not in _METHODS:
        raise SecurityError(f"the method {name!r} is not available in templates")
    if name == "join" and args:
        _check_joined(owner, args[0])
    if name == "replace" and isinstance(owner, str) and len(args) > 1:
        _check_size(len(owner) + owner.count(str(args[0])) * len(str(args[1])))


def _check_joined(separator: Any, items: Any) -> None:
    parts = items if isinstance(items, list | tuple | str) else []
    _check_size(len(str(separator)) * len(parts) + sum(_length(p) for p in parts))


def _check_size(size: int) -> None:
    if size > MOST_CHARACTERS:
        raise SecurityError(f"makes more than {MOST_CHARACTERS} characters")


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | Mapping) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _concat(first: Any, *others: Any) -> str:
    """What `~` makes, with the size known before it is made."""
    texts = [str(_printable(part)) for part in (first, *others)]
    _check_size(sum(map(len, texts)))
    return "".join(texts)


def _printable(value: Any) -> Any:
    """A value that may be turned into text: lists and mappings only if small."""
    if not isinstance(value, str | int | float | bool | None):
        _count_parts(value, 0)
    return value


def _count_parts(value: Any, counted: int) -> int:
    counted += 1
    if counted > MOST_PARTS:
        raise SecurityError(f"a list of more than {MOST_PARTS} parts as text")
    if isinstance(value, str):
        counted += len(value) // 40
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            counted = _count_parts(inner, _count_parts(key, counted))
    elif isinstance(value, list | tuple | set | range):
        for inner in value:
            counted = _count_parts(inner, counted)
    return counted


def _join(items: Iterable[Any], separator: str = "", attribute: Any = None) -> str:
    parts = list(items)
    if attribute is not None:
        parts = [part[attribute] for part in parts]
    texts = [str(_printable(part)) for part in parts]
    _check_joined(separator, texts)
    return str(separator).join(texts)


def _replace(value: Any, old: str, new: str, count: int = -1) -> str:
    text: str = str(_printable(value))
    _check_method(text, "replace", (old, new))
    return text.replace(str(old), str(new), count)


def _indent(text: str, width: int = 4, first: bool = False) -> str:
    lines = str(text).splitlines() or [""]
    _check_size(len(str(text)) + width * len(lines))
    margin = " " * width
    head = margin + lines[0] if first else lines[0]
    return "\n".join([head, *(margin + line if line else line for line in lines[1:])])


def _batch(items: Iterable[Any], size: int) -> list[list[Any]]:
    every = list(items)
    step = max(1, size)
    return [every[start : start + step] for start in range(0, len(every), step)]


def _tojson(value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= 16:
        raise SecurityError("an indent is between 0 and 16")
    return json.dumps(_printable(value), indent=indent, ensure_ascii=False)
