"""The notebooks and prompt sets that come with the package."""

import filecmp
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from aistrale_lab.errors import NotFoundError


@dataclass(frozen=True)
class Copied:
    """What became of the files of one shipped folder, by name."""

    copied: tuple[str, ...]
    kept: tuple[str, ...]
    """There already, and left alone."""
    differing: tuple[str, ...]
    """Those of `kept` that are not what is shipped: changed, or of another version."""


def shipped(folder: str) -> Path:
    """`notebooks` or `datasets`: in the package, or beside it in a checkout."""
    package = Path(str(files("aistrale_lab")))
    for place in (package / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise NotFoundError(f"the {folder} of this project are not installed")


def copy_shipped(folder: str, where: Path, *patterns: str) -> Copied:
    """Copy a folder's files to work on them; what is there already is left alone."""
    own = where / folder
    own.mkdir(parents=True, exist_ok=True)
    source = shipped(folder)
    names = sorted(file.name for pattern in patterns for file in source.glob(pattern))
    copied = tuple(name for name in names if _add(source / name, own / name))
    kept = tuple(name for name in names if name not in copied)
    differing = tuple(name for name in kept if not _same(source / name, own / name))
    return Copied(copied, kept, differing)


def _add(source: Path, target: Path) -> bool:
    """Copy a file unless there is one, whoever made it and when."""
    content = source.read_bytes()
    try:
        stream = target.open("xb")  # never opens what exists
    except FileExistsError:
        return False
    try:
        with stream:
            stream.write(content)
    except BaseException:
        target.unlink(missing_ok=True)  # half a file would be kept ever after
        raise
    return True


def _same(source: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(source, target, shallow=False)
