"""The notebooks and prompt sets that come with the package."""

import shutil
from importlib.resources import files
from pathlib import Path

from aistrale_lab.errors import NotFoundError


def shipped(folder: str) -> Path:
    """`notebooks` or `datasets`: in the package, or beside it in a checkout."""
    package = Path(str(files("aistrale_lab")))
    for place in (package / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise NotFoundError(f"the {folder} of this project are not installed")


def copy_shipped(folder: str, where: Path, pattern: str) -> Path:
    """Copy a folder's files to work on them; what is there already is left alone."""
    own = where / folder
    own.mkdir(exist_ok=True)
    for source in sorted(shipped(folder).glob(pattern)):
        if not (own / source.name).exists():
            shutil.copyfile(source, own / source.name)
    return own
