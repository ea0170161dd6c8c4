"""Threads in which a service does what takes long, so that other requests are served meanwhile."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Threads:
    """Threads of a service.

    Args:
        number: Largest number of threads.
    """

    def __init__(self, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="page")

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of a function that runs in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Shut down the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
