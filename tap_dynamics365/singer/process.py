"""Process-wide settings of a run: threads, memory, signals, log levels, standard output."""

from __future__ import annotations

import atexit
import ctypes
import gc
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds after which a busy thread yields to others. Responses are read, and requests are sent, in
# many small steps. Each step may have to wait this long.
SWITCH_INTERVAL = 0.001
# Parameters of glibc's mallopt (malloc.h), and their values. Only one thread computes at a time, so
# one heap is enough: with a heap for each thread, every heap would keep the memory of some pages.
# Keeping the memory of a page for the next page saves a fifth of the CPU time.
M_ARENA_MAX, ONE = -8, 1
M_MMAP_THRESHOLD, LARGEST_BODY = -3, 32 * 2**20
M_TRIM_THRESHOLD, KEPT = -1, 32 * 2**20
# Below these levels, the loggers of packages log tokens and the messages of a sign-in.
LOG_LEVELS = {"azure": logging.ERROR, "msal": logging.ERROR, "spnego": logging.WARNING}


def hide_secrets() -> None:
    """Keep secrets out of the log that packages for the sign-in write to it."""
    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)


def read_bodies_whole() -> None:
    """Have requests read the body of a response as a whole.

    Pages have megabytes. requests reads a body in pieces of 10 kB, which costs several times the
    CPU time; pieces of any size cost copies. Only this constant changes that.
    """
    requests.models.CONTENT_CHUNK_SIZE = None  # type: ignore[assignment]  # as `iter_content` has it


def tune() -> None:
    """Tune interpreter and memory for threads of which only one computes at a time."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    # Other C libraries have other parameters, or no mallopt.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, ONE)
        mallopt(M_MMAP_THRESHOLD, LARGEST_BODY)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def freeze() -> None:
    """Exclude all existing objects from garbage collection.

    They live until the end of the run. Scanning them repeatedly takes a tenth of the CPU time.
    """
    gc.freeze()


def arm_watchdog(check: Callable[[], None], first: float, every: float) -> None:
    """Call a function in the main thread again and again, whatever the main thread waits for.

    Args:
        check: The function. It may raise to end the process.
        first: Seconds before the first call.
        every: Seconds between two calls.
    """
    # Windows has no such timer.
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: check())
        signal.setitimer(signal.ITIMER_REAL, first, every)
        # Once the interpreter has removed its handlers, the timer would kill the process.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)


def redirect_stdout_to_devnull() -> None:
    """Discard what is left in buffers, and whatever is written later.

    The interpreter flushes its buffers when it ends. That would block, or fail with a message.
    """
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
