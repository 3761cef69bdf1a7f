"""Which adapter serves an endpoint. Adapters and their SDKs load on first use.

Other packages add an adapter with an entry point in the group
`aistrale_lab.runners`: its name is the kind, its object a callable that takes an
`Endpoint` and returns a `Runner`. The built-in kinds cannot be replaced.
"""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from aistrale_lab.errors import ConfigError, LabError, UnknownProviderError, one_of
from aistrale_lab.runners.base import Endpoint, Runner

GROUP = "aistrale_lab.runners"

RunnerFactory = Callable[[Endpoint], Runner]
"""What an adapter registers: an endpoint in, a runner that is not yet open out."""

_BUILT_IN = {
    "embedded": "aistrale_lab.runners.embedded:make",
    "huggingface": "aistrale_lab.runners.huggingface:HuggingFaceRunner",
    "openai": "aistrale_lab.runners.openai:OpenAIRunner",
    "replay": "aistrale_lab.runners.replay:ReplayRunner",
}


def make_runner(endpoint: Endpoint) -> Runner:
    """The runner of an endpoint, not yet open, chosen by `endpoint.kind`.

    Raises UnknownProviderError for a kind that no adapter has, ConfigError for a
    third-party adapter that does not load or makes something else than a runner.
    """
    path = _BUILT_IN.get(endpoint.kind)
    if path is not None:
        module, _, name = path.partition(":")
        factory: RunnerFactory = getattr(import_module(module), name)
        return factory(endpoint)
    for entry in entry_points(group=GROUP, name=endpoint.kind):
        return _make_foreign(entry, endpoint)
    raise _unknown(endpoint)


def known_kinds() -> tuple[str, ...]:
    """All kinds that `make_runner` serves, sorted; third-party ones included."""
    return tuple(sorted({*_BUILT_IN, *entry_points(group=GROUP).names}))


def _make_foreign(entry: EntryPoint, endpoint: Endpoint) -> Runner:
    try:
        runner: Runner = entry.load()(endpoint)
    except LabError:
        raise
    except Exception as error:  # the border to foreign code
        # Without its text and its cause: either may hold the endpoint's key.
        raise ConfigError(
            f"{_origin(entry)} failed with {type(error).__name__}"
        ) from None
    missing = [
        name
        for name in ("open", "stream", "close")
        if not callable(getattr(runner, name, None))
    ]
    if missing:
        raise ConfigError(f"{_origin(entry)} made no runner: no {one_of(missing)}()")
    return runner


def _origin(entry: EntryPoint) -> str:
    package = f" of {entry.dist.name}" if entry.dist else ""
    return f"the runner {entry.name!r} ({entry.value}{package})"


def _unknown(endpoint: Endpoint) -> UnknownProviderError:
    kinds = known_kinds()
    close = get_close_matches(endpoint.kind, kinds, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    whose = "" if endpoint.provider == endpoint.kind else " of provider "
    named = f"{whose}{endpoint.provider!r}" if whose else ""
    return UnknownProviderError(
        f"unknown kind {endpoint.kind!r}{named}; known kinds: {one_of(kinds)}{hint}"
    )
