"""Runs as the tables get them."""

from collections.abc import Callable
from typing import Any

import pytest


def one_run(**fields: Any) -> dict[str, Any]:
    run = {
        "run_id": "01",
        "model": "openai/gpt-5-mini",
        "params": {},
        "status": "completed",
        "reason": None,
        "samples": 200,
        "completed": 200,
        "failed": 0,
        "metrics": {
            "number": {
                "value": 0.9,
                "ci_low": 0.8506,
                "ci_high": 0.9343,
                "n": 200,
                "method": "wilson",
            }
        },
        "usage": {"input_tokens": 12345, "output_tokens": 678, "unknown": 0},
        "cost_usd": 0.0123,
        "latency": {
            "duration_s": {"p50": 0.8, "p95": 1.9, "p99": 2.5},
            "time_to_first_token_s": {"p50": 0.21, "p95": 0.4, "p99": 0.5},
            "queue_s": {"p50": 0.0, "p95": 0.0, "p99": 0.0},
        },
        "tokens_per_s": 85.123,
        "errors": {},
    }
    return run | fields


@pytest.fixture
def make_run() -> Callable[..., dict[str, Any]]:
    return one_run
