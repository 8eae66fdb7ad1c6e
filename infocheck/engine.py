"""Where work runs: this process or its threads; the only file that knows joblib.

Every task writes to its own memory and results come back in order, so the
numbers are the same for any number of workers. BLAS runs on one thread inside:
there is one level of parallelism, and its rounding does not depend on it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


def _silent(step: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Engine:
    """How many workers there are and whom to tell about progress.

    Attributes
    ----------
    jobs
        Worker threads; None is one per core.
    progress
        Called as ``progress(step, done, total)`` from the main thread.
    """

    jobs: int | None = None
    progress: Callable[[str, int, int], None] = _silent

    @property
    def workers(self) -> int:
        return self.jobs or os.cpu_count() or 1

    def map(self, function: Callable[..., T], tasks: Iterable) -> list[T]:
        """``[function(task) for task in tasks]``, in that order, on the workers."""
        tasks = list(tasks)
        if self.workers == 1 or len(tasks) < 2:
            return [function(task) for task in tasks]
        from joblib import Parallel, delayed

        parallel = Parallel(n_jobs=self.workers, require="sharedmem")
        return parallel(delayed(function)(task) for task in tasks)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep BLAS on one thread for as long as infocheck computes."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            yield
