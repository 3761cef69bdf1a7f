"""`user`: who may sign in to the team server. A password is never an argument."""

import sys
from getpass import getpass

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.serve import check_extra
from aistrale_lab.cli.showing import open_own_lab
from aistrale_lab.errors import ConfigError
from aistrale_lab.store.accounts import Accounts


def add(name: str, showing: Showing, *, admin: bool, from_stdin: bool) -> Exit:
    """Add a user whose password is asked for, or read from standard input."""
    check_extra()
    from aistrale_lab.server.passwords import Passwords, check_password

    with open_own_lab(showing, what="adding a user") as lab:
        accounts = Accounts(lab.store)
        accounts.check_free(name)
        password = _read_password() if from_stdin else _ask_password(name)
        check_password(password, name)
        hashed = Passwords().hash_now(password)
        user = accounts.add(name, hashed, role="admin" if admin else "user")
    if showing.json:
        emit_json(user.model_dump(mode="json"))
    else:
        emit(f"{user.name} ({user.role}) may sign in\n")
    return Exit.DONE


def list_users(showing: Showing) -> Exit:
    """Print the users by name."""
    with open_own_lab(showing, what="the list of users") as lab:
        users = Accounts(lab.store).list()
    if showing.json:
        emit_json([user.model_dump(mode="json") for user in users])
        return Exit.DONE
    for user in users:
        disabled = ", disabled" if user.disabled else ""
        emit(f"{user.name} ({user.role}{disabled})\n")
    return Exit.DONE


def _read_password() -> str:
    """The first line of standard input."""
    line = sys.stdin.buffer.readline()
    try:
        return line.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError("the password on standard input is no UTF-8") from None


def _ask_password(name: str) -> str:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask on; use --password-stdin")
    password = getpass(f"Password for {name} (15 characters or more are best): ")
    if getpass("The same again: ") != password:
        raise ConfigError("the two passwords differ")
    return password
