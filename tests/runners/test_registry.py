"""Which adapter serves an endpoint, without loading the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from aistrale_lab.domain.chat import Request
from aistrale_lab.errors import ConfigError, UnknownProviderError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.registry import known_kinds, make_runner
from aistrale_lab.runners.replay import ReplayRunner

SDKS = "openai huggingface_hub httpx2 aiohttp numpy pandas sqlalchemy fastapi"


def endpoint(kind: str, **fields: object) -> Endpoint:
    return Endpoint.model_validate({"provider": kind, "kind": kind, **fields})


def test_a_kind_gets_its_own_adapter() -> None:
    runner = make_runner(endpoint("replay", options={"records": {}}))

    assert isinstance(runner, ReplayRunner)


def test_the_built_in_kinds_are_known() -> None:
    assert {"embedded", "huggingface", "openai", "replay"} <= set(known_kinds())


def test_an_unknown_kind_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownProviderError) as caught:
        make_runner(endpoint("openia"))

    assert "'openia'" in caught.value.message
    assert "embedded, huggingface, openai, replay" in caught.value.message
    assert "did you mean 'openai'?" in caught.value.message


def test_an_unknown_kind_names_the_provider_that_has_it() -> None:
    with pytest.raises(UnknownProviderError, match="'zzz' of provider 'vllm'"):
        make_runner(Endpoint(provider="vllm", kind="zzz"))


def test_importing_the_registry_loads_no_sdk() -> None:
    program = (
        "import sys, aistrale_lab.runners.registry\n"
        "aistrale_lab.runners.registry.known_kinds()\n"
        f"print([name for name in {SDKS.split()!r} if name in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed.strip() == "[]"


class TestThirdParty:
    """An installed package that registers the kind `parrot`."""

    @pytest.fixture(autouse=True)
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "parrot_runner.py").write_text(PARROT)
        installed = tmp_path / "parrot-1.0.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text("Name: parrot\nVersion: 1.0\n")
        (installed / "entry_points.txt").write_text(
            "[aistrale_lab.runners]\n"
            "parrot = parrot_runner:Parrot\n"
            "mute = parrot_runner:Mute\n"
            "broken = parrot_runner:broken\n"
            "absent = no_such_module:Runner\n"
            "openai = parrot_runner:Parrot\n"
        )
        monkeypatch.syspath_prepend(tmp_path)

    async def test_its_runner_is_made_from_the_endpoint(self) -> None:
        runner = make_runner(endpoint("parrot"))

        chunks = [c async for c in runner.stream(Request(model="m", messages=()))]
        assert [c.text for c in chunks] == ["parrot says m"]

    def test_its_kind_is_known(self) -> None:
        assert "parrot" in known_kinds()

    def test_it_cannot_take_a_built_in_kind(self) -> None:
        runner = make_runner(endpoint("openai", key="sk-x"))

        assert type(runner).__module__ == "aistrale_lab.runners.openai"

    def test_what_is_no_runner_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"'mute'.* no close, open\(\)"):
            make_runner(endpoint("mute"))

    @pytest.mark.parametrize("kind", ["broken", "absent"])
    def test_one_that_does_not_load_is_named(self, kind: str) -> None:
        with pytest.raises(ConfigError, match=f"'{kind}' .* of parrot"):
            make_runner(endpoint(kind, key="sk-SECRET"))

    def test_its_error_does_not_carry_the_key(self) -> None:
        with pytest.raises(ConfigError) as caught:
            make_runner(endpoint("broken", key="sk-SECRET"))

        assert "SECRET" not in str(caught.value)
        assert caught.value.__cause__ is None


PARROT = """
from aistrale_lab.domain.chat import Chunk, FinishReason

class Parrot:
    def __init__(self, endpoint):
        self.name = endpoint.provider

    async def open(self):
        pass

    async def stream(self, request):
        text = f"{self.name} says {request.model}"
        yield Chunk(text=text, finish_reason=FinishReason.STOP)

    async def close(self):
        pass

class Mute:
    def __init__(self, endpoint):
        pass

    def stream(self, request):
        pass

def broken(endpoint):
    raise RuntimeError("cannot use " + endpoint.secret)
"""
