"""One-off calls: a request outside any run, and what became of it."""

from datetime import datetime
from decimal import Decimal

from aistrale_lab.domain.chat import FinishReason, GenerateConfig, Message, Usage
from aistrale_lab.domain.runs import Timing
from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.domain.values import Value


class Answer(Value):
    """What became of a call: the answer, or the error and what was heard before it.

    `finish_reason` is None where the answer is not whole. `cost` is USD, None if it is
    not known; 0 if the provider refused before it began.
    """

    id: str
    model: ModelRef
    messages: tuple[Message, ...]
    config: GenerateConfig
    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage = Usage()
    response_model: str | None = None
    request_id: str | None = None
    raw: str | None = None
    error_type: str | None = None
    error: str | None = None
    timing: Timing = Timing()
    attempts: int = 1
    cost: Decimal | None = None
    started_at: datetime
