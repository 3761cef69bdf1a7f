"""One opened result as a pane shows it: texts, scores, times, attempts, payload."""

import json
from collections.abc import Mapping
from typing import Any

from aistrale_lab.domain.tasks import PromptTemplate
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.errors import PromptError
from aistrale_lab.logs import visible
from aistrale_lab.store.opened import AttemptRecord, OpenedResult, ScoreRecord
from aistrale_lab.widgets.cells import cell, long_text, number

UNITS = {
    "duration_s": "duration, s",
    "time_to_first_token_s": "time to first token, s",
    "inter_token_p50_s": "between tokens, median, s",
    "inter_token_p95_s": "between tokens, 95th percentile, s",
    "queue_s": "waited in our queue, s",
    "retry_wait_s": "waited between attempts, s",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cached_input_tokens": "of them cached",
    "reasoning_tokens": "of them reasoning",
    "cost_usd": "cost, USD",
    "attempts": "attempts",
    "finish_reason": "finish reason",
    "response_model": "model that answered",
    "system_fingerprint": "system fingerprint",
    "request_id": "request id",
    "started_at": "started at, UTC",
    "flags": "flags",
}
"""The facts of a result in the order of the pane, with their units."""


def opened_state(
    found: OpenedResult, template: Mapping[str, Any], *, model: str
) -> dict[str, Any]:
    """The pane of a result; all texts cut and made visible."""
    sample = found.sample
    epoch = found.fields["epoch"]
    return {
        "title": f"{model}, sample {visible(sample.id)}, epoch {epoch}",
        "texts": _texts(found, template),
        "scores": [_score(score) for score in found.scores],
        "facts": [
            [title, cell(name, found.fields[name])]
            for name, title in UNITS.items()
            if found.fields.get(name) not in (None, "")
        ],
        "attempts": [_attempt(attempt) for attempt in found.attempts],
        "raw": long_text(_pretty(found.raw)),
    }


def _texts(found: OpenedResult, template: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was sent, what was wanted, and what came."""
    parts = [(f"prompt: {role}", text) for role, text in _prompt(found, template)]
    if found.sample.target is not None:
        parts.append(("target", found.sample.target))
    if found.reasoning:
        parts.append(("reasoning", found.reasoning))
    if found.error_type is not None:
        parts.append(("error", f"{found.error_type}: {found.error}"))
    else:
        parts.append(("output", found.output or ""))
    return [{"title": title, **long_text(text)} for title, text in parts]


def _prompt(found: OpenedResult, template: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The messages as they were sent; the template and the sample make them anew."""
    try:
        prompt = compile_prompt(PromptTemplate.model_validate(template))
        return [(message.role, message.text) for message in prompt.render(found.sample)]
    except PromptError as error:
        return [("cannot be shown", error.message)]


def _score(score: ScoreRecord) -> dict[str, Any]:
    value = "–" if score.value is None else number(score.value)
    return {
        "scorer": visible(score.scorer),
        "value": value,
        "answer": long_text(score.answer, longest=2_000)["text"],
        "explanation": long_text(score.error or score.explanation, longest=2_000)[
            "text"
        ],
    }


def _attempt(attempt: AttemptRecord) -> list[str]:
    return [
        str(attempt.number),
        cell("duration_s", attempt.duration_s),
        cell("wait_s", attempt.wait_s),
        cell("status", attempt.status),
        visible(f"{attempt.error_type or ''}: {attempt.error or ''}"[:1_000]),
    ]


def _pretty(raw: str | None) -> str | None:
    """The payload as indented JSON, if it is JSON and not huge."""
    if raw is None or len(raw) > 200_000:
        return raw
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return raw
