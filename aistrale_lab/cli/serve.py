"""`serve`: the team server in the foreground."""

from importlib.util import find_spec

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit
from aistrale_lab.cli.showing import open_own_lab
from aistrale_lab.errors import ConfigError
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.terminal import note

NEEDED = {"argon2": "argon2-cffi", "prometheus_client": "prometheus-client"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_extra() -> None:
    """Raise ConfigError, naming the extra, if what the server needs is absent."""
    missing = [package for name, package in NEEDED.items() if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} is not installed; "
            "pip install 'aistrale-lab[server]'"
        )


def serve(host: str, port: int, showing: Showing) -> Exit:
    """Serve until a signal; the URL goes to standard output once it answers."""
    check_extra()
    from aistrale_lab.server import serving

    with open_own_lab(showing, what="a server") as lab:
        if not Accounts(lab.store).list():
            note("nobody can sign in yet: aistrale user add NAME --admin")
        if host not in LOOPBACK:
            note(
                "browsers sign in over HTTPS only: put a proxy that speaks TLS in "
                "front, and set AISTRALE_PUBLIC_URL to its address"
            )
        serving.serve(lab, host, port, lambda url: emit(f"{url}\n"))
    return Exit.DONE
