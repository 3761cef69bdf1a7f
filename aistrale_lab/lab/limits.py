"""What the machine allows: open files bound the calls in flight."""

try:
    import resource
except ImportError:  # not on Windows, where sockets do not count as files
    resource = None  # type: ignore[assignment]  # the module is simply absent

RESERVED_FILES = 128
"""Files that the store, the log, the kernel and the rest keep open."""


def affordable_concurrency(wanted: int, lanes: int) -> int:
    """Calls that each lane may have in flight without running out of files.

    Raises the process's soft limit towards the hard one first.
    """
    if resource is None:
        return wanted
    needed = wanted * lanes + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and needed > soft:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        soft = max(soft, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return wanted
    return max(1, (soft - RESERVED_FILES) // max(1, lanes))
