"""Lowers its own limits and becomes the program: `launch.py CPU_SECONDS MEMORY FILE -- PROGRAM …`, in bytes.

A file of its own, started by path: in a process with threads, nothing may be done between fork and exec.
"""

import os
import resource
import sys

OPEN_FILES = 256


def main(arguments: list[str]) -> None:
    cut = arguments.index("--")
    cpu, memory, file = map(int, arguments[:cut])
    for limit, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lower, lower))
    program = arguments[cut + 1 :]
    try:
        os.execv(program[0], program)  # noqa: S606  # no shell is what we want
    except OSError as exc:
        sys.exit(f"{program[0]} could not be started: {exc.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
