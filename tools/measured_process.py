"""Starts a program and writes down what it used; small, for the memory of who starts it counts."""

import os
import sys


def main(report: str, program: str, *arguments: str) -> None:
    """Run a program to its end.

    Args:
        report: the file to write into: status, processor seconds, kilobytes of memory.
        program: its path.
        arguments: its command line.
    """
    child = os.posix_spawn(program, [program, *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    with open(report, "w", encoding="ascii") as file:  # noqa: PTH123  - pathlib is megabytes
        seconds = usage.ru_utime + usage.ru_stime
        file.write(f"{os.waitstatus_to_exitcode(status)} {seconds} {usage.ru_maxrss}")


if __name__ == "__main__":
    main(*sys.argv[1:])
