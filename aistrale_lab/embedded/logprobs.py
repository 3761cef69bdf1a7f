"""Probabilities of tokens, in the words of OpenAI's two APIs and of TGI's."""

from collections.abc import Sequence
from typing import Any

from aistrale_lab.embedded.models import Alternative, Token

Said = dict[str, Any]


def chat_logprobs(tokens: Sequence[Token]) -> Said:
    """The `logprobs` of a chat choice."""
    content = [
        _chat_token(token)
        | {"top_logprobs": [_chat_token(other) for other in token.alternatives]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def completion_logprobs(tokens: Sequence[Token], offset: int) -> Said:
    """The `logprobs` of a completion choice; `offset` is where its text begins."""
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return {
        "tokens": [_shown(token.written) for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [
            {_shown(other.written): other.logprob for other in token.alternatives}
            for token in tokens
        ],
        "text_offset": offsets,
    }


def tgi_token(token: Token) -> Said:
    """A token of TGI's `details`."""
    return {
        "id": token.number,
        "text": token.text,
        "logprob": token.logprob,
        "special": False,
    }


def tgi_alternatives(token: Token) -> list[Said]:
    """The likely tokens beside one, of TGI's `top_tokens`."""
    return [
        {
            "id": other.number,
            "text": _shown(other.written),
            "logprob": other.logprob,
            "special": False,
        }
        for other in token.alternatives
    ]


def _chat_token(token: Token | Alternative) -> Said:
    return {
        "token": _shown(token.written),
        "logprob": token.logprob,
        "bytes": list(token.written),
    }


def _shown(written: bytes) -> str:
    """A token's text; bytes that are no whole character are written `\\xe2`."""
    return written.decode("utf-8", "backslashreplace")
