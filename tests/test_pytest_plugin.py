"""The plugin: a test of a model asserts claims, and says what does not hold."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HEAVY = ["aistrale_lab.lab", "numpy", "openai", "pandas", "pydantic", "sqlalchemy"]

UNUSED = ("cacheprovider", "xdist", "hypothesispytest", "schemathesis")
"""Plugins that take longer to load than the plugin under test."""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Writes a prompt set and a test, and runs it; notebooks in a process of their own."""
    lines = [
        {"input": f"What is {n} + {n}? Give only the number.", "target": str(2 * n)}
        for n in range(10, 50)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (pytester.path / "sums.jsonl").write_text(text)

    def run(body: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(body)
        unused = UNUSED if "--nbval" in options else (*UNUSED, "nbval")
        plain = [word for name in unused for word in ("-p", f"no:{name}")]
        if "--nbval" in options:
            return pytester.runpytest_subprocess(*plain, *options)
        return pytester.runpytest_inprocess(*plain, *options)

    return run


MARKED = """
import pytest

MODELS = ["embedded/constant", "embedded/calculator"]

@pytest.mark.aistrale(dataset="sums.jsonl", scorer="exact", models=MODELS, limit=20)
def test_it(aistrale):
"""


def test_claims_that_hold_let_a_test_pass(run: Run) -> None:
    ended = run(MARKED + """
    aistrale.claim("exact >= 0.8", model="embedded/calculator")
    aistrale.claim("exact <= 0.2", model="embedded/constant")
    found = aistrale.claim_difference("exact > 0.5")
    assert found.pairs == 20
""")

    ended.assert_outcomes(passed=1)


TOLD = {
    "claim('exact >= 0.999')": (
        "exact >= 0.999 @ 0.95 does not hold for embedded/constant: 0.000 *n = 20"
    ),
    "claim_difference('exact < 0')": (
        "exact < 0 does not hold for embedded/calculator *20 pairs, 20 won, 0 lost"
    ),
    "claim('beauty > 1')": "no metric 'beauty'; there are exact",
    "claim('exact')": "is no gate",
    "claim('exact > 0', model='embedded/x')": "embedded/x was not asked",
}


def test_what_does_not_hold_or_cannot_be_claimed_is_told(run: Run) -> None:
    tests = [
        MARKED.replace("test_it", f"test_{n}") + f"    aistrale.{claim}\n"
        for n, claim in enumerate(TOLD)
    ]

    ended = run("".join(tests), "--aistrale-store", "sqlite:///kept.db")

    ended.assert_outcomes(failed=len(TOLD))
    ended.stdout.fnmatch_lines([f"*{told}*" for told in TOLD.values()])


def test_calls_that_failed_fail_the_test(run: Run) -> None:
    ended = run("""
import pytest

@pytest.mark.aistrale(dataset="sums.jsonl", scorer="exact", limit=3)
def test_it(aistrale):
    aistrale.run("embedded/no-such-model")
""")

    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["*embedded/no-such-model did not complete: *"])


def test_a_store_of_its_own_spares_paying_twice(run: Run) -> None:
    body = MARKED + "    print('began', aistrale.run().runs[0].created_at)\n"
    store = ("--aistrale-store", "sqlite:///kept.db", "-s")

    first, again = run(body, *store), run(body, *store)
    fresh = run(body, *store, "--aistrale-fresh")

    began = [
        next(line for line in one.outlines if "began" in line)
        for one in (first, again, fresh)
    ]
    assert began[0] == began[1] != began[2]


def test_the_plugin_loads_nothing_heavy() -> None:
    program = (
        "import sys, aistrale_lab.pytest_plugin\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )

    assert ended.stdout == "[]\n", ended.stderr


ASKED = """
import aistrale_lab as lab
bench = lab.Lab.open("sqlite:///claims.db")
task = lab.Task(dataset=lab.load_dataset("sums.jsonl", limit=20), scorers=["exact"])
models = ["embedded/constant", "embedded/calculator"]
experiment = await bench.run(task, models=models)
experiment
"""


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook that claims to have printed something else."""
    shown = [{"output_type": "stream", "name": "stdout", "text": "another\n"}]
    code = {"cell_type": "code", "execution_count": 1, "metadata": {}}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [
        {**code, "id": f"c{n}", "source": source, "outputs": shown}
        for n, source in enumerate(cells)
    ]
    path.write_text(
        json.dumps(
            {
                "nbformat": 4,
                "nbformat_minor": 5,
                "metadata": {"kernelspec": kernel},
                "cells": made,
            }
        )
    )


NBVAL = ("--nbval", "--nbval-current-env", "-W", "ignore")


@pytest.mark.timeout(180)
def test_claims_of_a_notebook_are_tests_in_the_place_of_its_text(
    run: Run, pytester: pytest.Pytester
) -> None:
    write_notebook(
        pytester.path / "claims.ipynb",
        ASKED + "# LAB_CHECK: exact >= 0.8 @ 0.95 for embedded/calculator",
        "# LAB_CHECK: exact <= 0.17 @ 0.9\n# LAB_CHECK: exact >= 0.8\n1",
        "comparison = bench.compare(*experiment.runs)\n"
        "# LAB_CHECK: exact > 0.5\n"
        "# LAB_CHECK: exact > 0.5 @ 0.99\ncomparison",
        "# LAB_CHECK: exact > 0.5 for embedded/nobody\nexperiment",
        "# LAB_CHECK: exactly\nprint('kept')",
    )

    ended = run("", *NBVAL)

    ended.assert_outcomes(passed=5 + 2, failed=5)
    ended.stdout.fnmatch_lines_random(
        [
            "*exact <= 0.17 @ 0.9 does not hold for embedded/calculator: 1.000 *",
            "*exact >= 0.8 @ 0.95 does not hold for embedded/constant: 0.000 *",
            "*the comparison was made with level 0.95: compare(..., level=0.99)*",
            "*embedded/nobody was not asked; embedded/constant, embedded/calculator*",
            "*'exactly' is no gate*",
        ]
    )


@pytest.mark.timeout(180)
def test_without_a_claim_the_text_is_compared(
    run: Run, pytester: pytest.Pytester
) -> None:
    write_notebook(pytester.path / "text.ipynb", "print('this')")

    run("", *NBVAL).assert_outcomes(failed=1)
