"""Text to tokens and back: whole words of a vocabulary, bytes for everything else.

A vocabulary is a `tokenizer.json` as Hugging Face's `tokenizers` reads it: byte-pair
encoding with no merges, which takes a piece as it is or byte by byte.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

PIECES = " ?[A-Za-z]+|[^A-Za-z]"
"""A text's pieces: a word with the space before it, or one other character."""

END = "<|end|>"
ROLES = {
    "system": "<|system|>",
    "developer": "<|system|>",
    "user": "<|user|>",
    "assistant": "<|assistant|>",
}
SPECIALS = (END, "<|system|>", "<|user|>", "<|assistant|>")
"""Tokens that no text can write."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""The conversation as `transformers` writes it: what `Tokenizer.conversation` does."""

BYTES = 256
_PIECE = re.compile(PIECES)


class Tokenizer:
    """Numbers of tokens: the bytes first, then the special ones, then the words."""

    def __init__(self, words: Sequence[str]) -> None:
        self._pieces = [bytes([number]) for number in range(BYTES)]
        self._specials = {name: BYTES + place for place, name in enumerate(SPECIALS)}
        self._pieces += [b""] * len(SPECIALS)
        self._words = {
            word: number for number, word in enumerate(words, len(self._pieces))
        }
        self._pieces += [word.encode() for word in words]
        self.end = self._specials[END]

    @classmethod
    def load(cls, file: Path) -> "Tokenizer":
        """The tokenizer of a `tokenizer.json` that `as_json` has written."""
        vocabulary = json.loads(file.read_text("utf-8"))["model"]["vocab"]
        ordered = sorted(vocabulary, key=vocabulary.__getitem__)
        unmapped = {shown: byte for byte, shown in enumerate(_byte_characters())}
        words = ordered[BYTES + len(SPECIALS) :]
        return cls([bytes(unmapped[sign] for sign in word).decode() for word in words])

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._pieces)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text; what looks like a special token is text too."""
        tokens: list[int] = []
        for piece in _PIECE.findall(text):
            word = self._words.get(piece)
            if word is None:
                tokens += piece.encode("utf-8", "replace")
            else:
                tokens.append(word)
        return tokens

    def conversation(self, turns: Iterable[tuple[str, str]]) -> list[int]:
        """The tokens of a conversation, up to where an assistant's answer begins."""
        tokens = []
        for role, text in turns:
            tokens += [self._specials[ROLES.get(role, "<|user|>")], *self.encode(text)]
            if role == "assistant":
                tokens.append(self.end)
        return [*tokens, self._specials["<|assistant|>"]]

    def bytes_of(self, token: int) -> bytes:
        """What a token writes: a byte, a word, or nothing."""
        return self._pieces[token]

    def as_json(self) -> dict[str, Any]:
        """The vocabulary as a `tokenizer.json`."""
        shown = _byte_characters()
        vocabulary: dict[str, int] = {sign: byte for byte, sign in enumerate(shown)}
        vocabulary |= self._specials
        for word, number in self._words.items():
            vocabulary["".join(shown[byte] for byte in word.encode())] = number
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [_added(*special) for special in self._specials.items()],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "Split",
                        "pattern": {"Regex": PIECES},
                        "behavior": "Isolated",
                        "invert": False,
                    },
                    _byte_level(),
                ],
            },
            "post_processor": None,
            "decoder": _byte_level(),
            "model": _model(vocabulary),
        }


def _added(name: str, number: int) -> dict[str, Any]:
    kinds = ("single_word", "lstrip", "rstrip", "normalized")
    flags = dict.fromkeys(kinds, False)
    return {"id": number, "content": name, "special": True, **flags}


def _byte_level() -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }


def _model(vocabulary: Mapping[str, int]) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": True,
        "vocab": dict(vocabulary),
        "merges": [],
    }


@lru_cache(maxsize=1)
def _byte_characters() -> tuple[str, ...]:
    """The visible character that stands for each byte in a byte-level vocabulary."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return tuple(
        chr(byte) if byte in shown else chr(next(others)) for byte in range(BYTES)
    )
