"""Recorded answers, given again."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aistrale_lab import errors
from aistrale_lab.domain.chat import Chunk, FinishReason, Request, Usage
from aistrale_lab.errors import (
    ConfigError,
    DatasetError,
    InvalidRequestError,
    RunnerError,
)
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.recordings import RecordedAnswer, load_records
from aistrale_lab.runners.replay import ReplayRunner


def runner(*answers: RecordedAnswer, **options: Any) -> ReplayRunner:
    records = {(answer.sample_id, answer.epoch): answer for answer in answers}
    return ReplayRunner(endpoint(records=records, **options))


def endpoint(**options: Any) -> Endpoint:
    return Endpoint(provider="replay", kind="replay", options=options)


def ask(sample_id: str | None, epoch: int = 1) -> Request:
    return Request(model="m", messages=(), sample_id=sample_id, epoch=epoch)


async def answer_of(replay: ReplayRunner, request: Request) -> Chunk:
    [chunk] = [chunk async for chunk in replay.stream(request)]
    return chunk


FOUR = RecordedAnswer(
    sample_id="four",
    model="small",
    output="It is 4.",
    reasoning="2 + 2",
    finish_reason=FinishReason.STOP,
    input_tokens=9,
    output_tokens=5,
    cached_input_tokens=0,
    response_model="small-2026",
    request_id="req_1",
    raw="{}",
    duration_s=1.5,
    time_to_first_token_s=0.25,
)


class TestAnswers:
    async def test_an_answer_comes_back_as_it_was_recorded(self) -> None:
        chunk = await answer_of(runner(FOUR), ask("four"))

        assert chunk == Chunk(
            text="It is 4.",
            reasoning="2 + 2",
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=9, output_tokens=5, cached_input_tokens=0),
            response_model="small-2026",
            request_id="req_1",
            raw="{}",
            duration=1.5,
            time_to_first_token=0.25,
        )

    async def test_times_are_unknown_when_asked_for_none(self) -> None:
        chunk = await answer_of(runner(FOUR, timings="none"), ask("four"))

        assert (chunk.duration, chunk.time_to_first_token) == (None, None)
        assert chunk.untimed

    async def test_what_was_not_recorded_is_unknown(self) -> None:
        bare = RecordedAnswer(sample_id="a", output="yes")

        chunk = await answer_of(runner(bare), ask("a"))

        assert chunk == Chunk(
            text="yes", finish_reason=FinishReason.UNKNOWN, untimed=True
        )

    async def test_each_epoch_has_its_own_answer(self) -> None:
        replay = runner(
            RecordedAnswer(sample_id="a", epoch=1, output="one"),
            RecordedAnswer(sample_id="a", epoch=2, output="two"),
        )

        assert (await answer_of(replay, ask("a", epoch=2))).text == "two"

    async def test_records_may_be_a_function(self) -> None:
        replay = ReplayRunner(
            endpoint(records=lambda sample_id, epoch: FOUR if epoch == 3 else None)
        )

        assert (await answer_of(replay, ask("any", epoch=3))).text == "It is 4."

    async def test_a_sample_without_a_record_is_named(self) -> None:
        with pytest.raises(InvalidRequestError, match="'five', epoch 2"):
            await answer_of(runner(FOUR), ask("five", epoch=2))

    async def test_a_request_without_a_sample_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="sample id"):
            await answer_of(runner(FOUR), ask(None))


class TestErrors:
    @pytest.mark.parametrize(
        "name",
        sorted(
            name
            for name, kind in vars(errors).items()
            if isinstance(kind, type)
            and issubclass(kind, RunnerError)
            and name == kind.__name__
        ),
    )
    async def test_a_recorded_error_is_raised_again(self, name: str) -> None:
        failed = RecordedAnswer(
            sample_id="a", error_type=name, error="it broke", request_id="req_2"
        )

        with pytest.raises(RunnerError, match="it broke") as caught:
            await answer_of(runner(failed), ask("a"))
        assert type(caught.value).__name__ == name
        assert caught.value.request_id == "req_2"

    async def test_it_is_neither_retried_nor_ends_the_lane(self) -> None:
        limited = RecordedAnswer(sample_id="a", error_type="RateLimitError", error="x")
        refused = RecordedAnswer(sample_id="b", error_type="AuthenticationError")
        replay = runner(limited, refused)

        with pytest.raises(errors.RateLimitError) as slow:
            await answer_of(replay, ask("a"))
        with pytest.raises(errors.AuthenticationError) as closed:
            await answer_of(replay, ask("b"))
        assert not slow.value.transient
        assert not closed.value.stops_lane
        assert not pickle.loads(pickle.dumps(slow.value)).transient

    @pytest.mark.parametrize("name", ["ZeroDivisionError", "LabError", "one_of"])
    async def test_a_foreign_error_keeps_its_name_in_the_text(self, name: str) -> None:
        failed = RecordedAnswer(sample_id="a", error_type=name, error="it broke")

        with pytest.raises(RunnerError, match=f"{name}: it broke") as caught:
            await answer_of(runner(failed), ask("a"))
        assert type(caught.value) is RunnerError


class TestOptions:
    @pytest.mark.parametrize("records", [None, [FOUR], "answers.jsonl"])
    def test_records_of_another_kind_are_refused(self, records: Any) -> None:
        with pytest.raises(ConfigError, match="'records'.*got"):
            ReplayRunner(endpoint(records=records))

    def test_unknown_timings_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="'recorded' nor 'none'"):
            ReplayRunner(endpoint(records={}, timings="fast"))


def write(path: Path, *rows: Mapping[str, Any] | str) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


class TestLoading:
    def test_the_columns_of_an_export_are_read(self, file: Path) -> None:
        row = {
            "experiment_id": "e",
            "run_id": "r",
            "provider": "openai",
            "model": "small",
            "sample_id": "four",
            "epoch": 2,
            "output": "4 \u00fc\u2028\U0001f600",
            "finish_reason": "length",
            "error_type": None,
            "input_tokens": 9.0,
            "cached_input_tokens": 3,
            "duration_s": 1.25,
            "score_number": 1.0,
        }

        records = load_records(write(file, row))

        assert records == {
            ("four", 2): RecordedAnswer(
                sample_id="four",
                epoch=2,
                provider="openai",
                model="small",
                output="4 \u00fc\u2028\U0001f600",
                finish_reason=FinishReason.LENGTH,
                input_tokens=9,
                cached_input_tokens=3,
                duration_s=1.25,
            )
        }

    def test_a_minimal_file_has_id_and_output(self, file: Path) -> None:
        records = load_records(write(file, {"id": 7, "output": ""}, ""))

        assert records == {("7", 1): RecordedAnswer(sample_id="7", output="")}

    def test_a_byte_order_mark_and_windows_line_ends_are_read(self, file: Path) -> None:
        file.write_bytes(b'\xef\xbb\xbf{"id": "a", "output": "x"}\r\n\r\n')

        assert list(load_records(file)) == [("a", 1)]

    def test_nan_is_unknown(self, file: Path) -> None:
        row = '{"id": "a", "output": "x", "input_tokens": NaN, "epoch": null}'

        [answer] = load_records(write(file, row)).values()

        assert answer.usage is None

    def test_all_faults_are_reported_at_once_by_line(self, file: Path) -> None:
        write(
            file,
            {"id": "a", "output": "fine"},
            "{broken",
            {"output": "whose?"},
            {"id": "b", "output": 7.5, "input_tokens": -1},
            {"id": "c"},
            {"id": "d", "output": "x", "epoch": 0},
            {"id": "e", "output": "x", "finish_reason": "bored"},
            "[1]",
            '{"id": "f", "output": "x", "duration_s": Infinity}',
            "[" * 200_000,
        )
        with file.open("ab") as handle:
            handle.write(b'{"id": "\xff"}\n')

        with pytest.raises(DatasetError) as caught:
            load_records(file)

        message = caught.value.message
        assert message.startswith(f"{file}: line 2: ")
        for fault in [
            "line 3: sample_id: Field required",
            "line 4: input_tokens: ",
            "line 5: neither an output nor an error_type",
            "line 6: epoch: ",
            "line 7: finish_reason: ",
            "line 8: a list, not an object",
            "line 9: Infinity is no number",
            "line 10: ",
            "line 11: 'utf-8' codec",
        ]:
            assert fault in message

    def test_the_list_of_faults_ends_somewhere(self, file: Path) -> None:
        with pytest.raises(DatasetError, match="and 980 more$"):
            load_records(write(file, *["?"] * 1000))

    def test_two_answers_to_one_question_are_a_fault(self, file: Path) -> None:
        row = {"id": "a", "output": "x"}

        with pytest.raises(
            DatasetError, match="line 3: a second answer for sample 'a', epoch 1; .* 1"
        ):
            load_records(write(file, row, {"id": "b", "output": "x"}, row))

    @pytest.mark.parametrize("content", ["", "\n\n"])
    def test_an_empty_file_is_refused(self, file: Path, content: str) -> None:
        file.write_text(content)

        with pytest.raises(DatasetError, match="no recorded answer"):
            load_records(file)

    def test_a_missing_file_is_refused(self, file: Path) -> None:
        with pytest.raises(DatasetError, match="No such file"):
            load_records(file)


class TestSeveralModels:
    @pytest.fixture
    def several(self, file: Path) -> Path:
        return write(
            file,
            {"id": "a", "provider": "openai", "model": "small", "output": "s"},
            {"id": "a", "provider": "openai", "model": "large", "output": "l"},
            {"id": "a", "provider": "huggingface", "model": "Q/large", "output": "h"},
            {"id": "a", "provider": "proxy", "model": "large", "output": "p"},
        )

    @pytest.mark.parametrize(
        "model, output",
        [("small", "s"), ("openai/large", "l"), ("Q/large", "h")],
    )
    def test_one_is_picked_by_name(
        self, several: Path, model: str, output: str
    ) -> None:
        [answer] = load_records(several, model).values()

        assert answer.output == output

    @pytest.mark.parametrize("model", [None, "large"])
    def test_an_unclear_choice_lists_them(
        self, several: Path, model: str | None
    ) -> None:
        with pytest.raises(DatasetError, match="choose one with #MODEL") as caught:
            load_records(several, model)

        assert caught.value.message.endswith(
            "huggingface/Q/large, openai/large, openai/small, proxy/large"
        )

    def test_an_unknown_one_lists_them(self, several: Path) -> None:
        with pytest.raises(DatasetError, match="no answers of 'medium'.*openai/small"):
            load_records(several, "medium")
