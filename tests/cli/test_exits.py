"""Which exit code counts, and what is said instead of a traceback."""

import pytest

from aistrale_lab import errors
from aistrale_lab.cli.exits import Exit, code_of, explain, worst

ORDER = [130, 5, 4, 3, 1, 2, 0]


@pytest.mark.parametrize("place", range(len(ORDER)))
def test_the_precedence_is_that_of_the_contract(place: int) -> None:
    assert worst(Exit(code) for code in reversed(ORDER[place:])) == ORDER[place]


def test_a_sigterm_outranks_a_broken_store() -> None:
    assert worst([Exit.BROKEN, Exit.TERMINATED]) == 143


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.MissingKeyError("x"), 2),
        (errors.UnknownScorerError("x"), 2),
        (errors.DatasetError("x"), 2),
        (errors.PromptError("x"), 2),
        (errors.NotFoundError("x"), 2),
        (errors.BudgetError("x"), 4),
        (errors.AuthenticationError("x"), 3),
        (errors.StoreError("x"), 5),
        (OSError(28, "No space left on device"), 5),
        (MemoryError(), 5),
        (KeyError("x"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_code(error: BaseException, code: int) -> None:
    assert code_of(error) == code


def test_a_known_error_is_told_in_its_own_words() -> None:
    assert explain(errors.ConfigError("no such thing")) == "no such thing"


def test_an_error_of_the_machine_names_the_file() -> None:
    error = OSError(28, "No space left on device", "results.csv")

    assert explain(error) == "No space left on device: 'results.csv'"


def test_a_fault_of_ours_shows_its_traceback_without_keys() -> None:
    def fail(api_key: str) -> None:
        raise KeyError("refused sk-abcdefghijklmnopqrstuvwxyz")

    with pytest.raises(KeyError) as caught:
        fail(api_key="local-value")
    said = explain(caught.value)

    assert "KeyError" in said
    assert "[redacted]" in said
    assert "sk-abcdef" not in said
    assert "local-value'" not in said


def test_escape_sequences_in_an_error_are_made_visible() -> None:
    assert "\x1b" not in explain(errors.DatasetError("\x1b]52;c;ZXZpbA==\x07"))
