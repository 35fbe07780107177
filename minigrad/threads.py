"""One pool of threads for compiled loops and large products. Work is cut by rows, so results do not depend on their number."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from minigrad.config import flag

WORTH = 4e6  # floating operations that a second thread must save to be woken
lock = threading.Lock()
pool: ThreadPoolExecutor | None = None
limit = 0


def physical_cores() -> int:
    """Cores this process may run on, counting those that share one core once where the system says so."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        try:
            with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", encoding="ascii") as file:
                cores.add(file.read())
        except OSError:
            cores.add(str(cpu))
    return max(1, len(cores))


def set_num_threads(count: int) -> None:
    """Use at most `count` threads for compiled scans and matrix products. Raises ValueError below 1.

    The environment variable MINIGRAD_NUM_THREADS sets the number at import; by default it is that of the physical cores. Results have the
    same bits for any number.

    >>> before = get_num_threads(); set_num_threads(1); get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global limit, pool
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: the number of threads is a whole number from 1, got {count!r}")
    with lock:
        if pool is not None and count != limit:
            pool.shutdown(wait=False)
            pool = None
        limit = count


def get_num_threads() -> int:
    """How many threads compiled scans and matrix products use at most.

    >>> get_num_threads() >= 1
    True
    """
    return limit


def worth(work: float, rows: int) -> int:
    """How many threads to use for so many floating operations that can be cut into `rows`."""
    return max(1, min(limit, rows, int(work / WORTH)))


def together(part: Callable[[int], None], count: int, halt: Callable[[], None]) -> None:
    """part(0) in this thread and part(1) ... part(count - 1) in others; returns when all have. An exception in one halts all."""
    futures = [workers().submit(part, number) for number in range(1, count)]
    try:
        part(0)
    except BaseException:
        halt()
        raise
    finally:
        for future in futures:
            future.exception()  # waits
    for future in futures:
        future.result()


def workers() -> ThreadPoolExecutor:
    """The pool, made at first use."""
    global pool
    with lock:
        if pool is None:
            pool = ThreadPoolExecutor(max(limit - 1, 1), thread_name_prefix="minigrad")
        return pool


def forget() -> None:
    """In a child of fork: the threads of the parent are not here."""
    global pool, lock
    pool = None
    lock = threading.Lock()


def asked_for() -> int:
    """What MINIGRAD_NUM_THREADS says, or the number of physical cores."""
    text = flag("MINIGRAD_NUM_THREADS")
    if not text:
        return physical_cores()
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"MINIGRAD_NUM_THREADS is a whole number from 1, got {text!r}")
    return int(text)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
limit = asked_for()
