"""How many threads compiled loops and large kernels use; workers.h has them. Work is cut by rows: results do not depend on it."""

from __future__ import annotations

import os

from minigrad.config import flag

WORTH = 1e6  # floating operations that a second thread must save to be woken
limit = 0


def physical_cores() -> int:
    """Cores this process may run on, counting those that share one core once where the system says so."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        try:
            with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", "rb") as file:
                cores.add(file.read())
        except OSError:
            cores.add(b"%d" % cpu)
    return max(1, len(cores))


def set_num_threads(count: int) -> None:
    """Use at most `count` threads for compiled scans, matrix products, rows of softmax and steps of Adam. Raises ValueError below 1.

    The environment variable MINIGRAD_NUM_THREADS sets the number at import; by default it is that of the physical cores. Results have the
    same bits for any number.

    >>> before = get_num_threads(); set_num_threads(1); get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global limit
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: the number of threads is a whole number from 1, got {count!r}")
    limit = count


def get_num_threads() -> int:
    """How many threads compiled scans, matrix products and other large kernels use at most.

    >>> get_num_threads() >= 1
    True
    """
    return limit


def worth(work: float, rows: int) -> int:
    """How many threads to use for so many floating operations that can be cut into `rows`."""
    return max(1, min(limit, rows, int(work / WORTH)))


def asked_for() -> int:
    """What MINIGRAD_NUM_THREADS says, or the number of physical cores."""
    text = flag("MINIGRAD_NUM_THREADS")
    if not text:
        return physical_cores()
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"MINIGRAD_NUM_THREADS is a whole number from 1, got {text!r}")
    return int(text)


limit = asked_for()
