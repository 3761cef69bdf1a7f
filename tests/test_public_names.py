"""The package's face: sorted names, all of them there, and light to import."""

import subprocess
import sys

import aistrale_lab

HEAVY = ("openai", "huggingface_hub", "ipywidgets", "papermill", "fastapi")
HEAVY += ("sqlalchemy", "pandas", "pydantic")


def test_the_public_names_are_sorted_and_exist() -> None:
    names = aistrale_lab.__all__

    assert names == sorted(names)
    assert all(getattr(aistrale_lab, name) is not None for name in names)


def test_each_lazy_name_is_the_one_that_type_checkers_see() -> None:
    assert sorted(aistrale_lab._HOMES) == aistrale_lab.__all__


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, aistrale_lab; print([m for m in {HEAVY} if m in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"
