"""Process-wide settings of a run: threads, memory, garbage collection, body reading, log levels."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
from contextlib import suppress

import requests

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


def tune() -> None:
    """Tune interpreter and memory for threads of which only one computes at a time."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    # Pages have megabytes. requests reads a body in pieces of 10 kB, which costs several times the
    # CPU time; pieces of any size cost copies. Only this constant changes that; None reads a body
    # as a whole.
    requests.models.CONTENT_CHUNK_SIZE = None  # type: ignore[assignment]  # as `iter_content` has it
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
