"""Runs a program and reports what it used.

Small by design: the memory of the process that starts a program counts for the program too.
"""

import os
import sys


def main(report: str, program: str, *arguments: str) -> None:
    """Run a program to its end.

    Args:
        report: File for the report: exit code, seconds of processor time, kilobytes of memory.
        program: Path of the program.
        arguments: Arguments of the program.
    """
    child = os.posix_spawn(program, [program, *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    with open(report, "w", encoding="ascii") as file:  # noqa: PTH123  - pathlib takes megabytes
        seconds = usage.ru_utime + usage.ru_stime
        file.write(f"{os.waitstatus_to_exitcode(status)} {seconds} {usage.ru_maxrss}")


if __name__ == "__main__":
    main(*sys.argv[1:])
