"""What runs on several threads has the bits that it has on one: products in more parts than threads, kernels of rows, whole parameters."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import config, threads

pytestmark = pytest.mark.skipif(config.kernels() is None, reason="NumPy does the work without the compiled kernels")


@pytest.fixture
def on_threads(monkeypatch):
    """A function that gives the results of another on 1, 2, 3 and 4 threads, which are asked for however little there is to do."""
    monkeypatch.setattr(threads, "WORTH", 1e-9)
    before = mg.get_num_threads()

    def found(make):
        results = []
        for count in (1, 2, 3, 4):
            mg.set_num_threads(count)
            results.append([np.array(part).tobytes() for part in make()])
        return results

    yield found
    mg.set_num_threads(before)


def large(rng):
    """Products that are cut into more parts than there are threads."""
    x, weight, g = (rng.standard_normal(shape).astype("f") for shape in ((2048, 256), (512, 256), (2048, 512)))
    products = config.products()
    return lambda: [products.linear(x, weight, None), products.matmul(g, weight), products.outer_sum(g, x), products.outer_sum(x, g)]


def test_products_in_many_parts(on_threads):
    results = on_threads(large(np.random.default_rng(0)))
    assert results.count(results[0]) == 4


def test_many_threads_that_ask_for_products_at_once_all_get_theirs(on_threads):
    works = [large(np.random.default_rng(seed)) for seed in range(4)]
    wanted = [[part.tobytes() for part in work()] for work in works]
    mg.set_num_threads(3)
    found = [[] for _ in works]

    def run(number):
        for _ in range(5):
            found[number].append([part.tobytes() for part in works[number]()])

    runners = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert all(parts == want for several, want in zip(found, wanted, strict=True) for parts in several)
    assert [len(several) for several in found] == [5] * 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are moved on Linux alone")
def test_a_worker_leaves_the_core_of_its_caller():
    """Where another program keeps the second core busy, the system would leave both on the first for up to 4,000 turns of the worker."""
    code = """
import os, subprocess, sys, time
cores = sorted(os.sched_getaffinity(0))
if len(cores) < 2:
    raise SystemExit(7)
import numpy as np, minigrad as mg
mg.set_num_threads(2)
a, b = mg.rand(512, 512), mg.rand(512, 512)
before = set(os.listdir("/proc/self/task"))
wanted = (a @ b).numpy().tobytes()
worker, = map(int, set(os.listdir("/proc/self/task")) - before)

def core():
    with open(f"/proc/self/task/{worker}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[36])

def turns():
    with open(f"/proc/self/task/{worker}/status") as file:
        return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)

spin = "import os\\nos.sched_setaffinity(0, {%d})\\nwhile True: pass"
busy = [subprocess.Popen([sys.executable, "-c", spin % other]) for other in cores[1:]]
try:
    os.sched_setaffinity(0, cores[:1])
    time.sleep(0.3)
    for _ in range(5):
        os.sched_setaffinity(worker, cores[:1])
        assert all((a @ b).numpy().tobytes() == wanted for _ in range(8))
        so_far = turns()
        os.sched_setaffinity(worker, cores)
        while core() == cores[0]:
            assert turns() - so_far < 20, "the worker stays where the caller is"
            assert (a @ b).numpy().tobytes() == wanted
        end = time.monotonic() + 20
        while os.sched_getaffinity(worker) != set(cores):  # it may have to wait for its turn there
            assert time.monotonic() < end, "the worker is left with fewer cores"
            time.sleep(0.01)
finally:
    for one in busy:
        one.kill()
        one.wait()
raise SystemExit(7)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False).returncode == 7


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shape", [(1300, 103), (2001, 64), (130_000, 1), (5, 30_000), (1, 140_000)])
def test_kernels_of_rows(dtype, shape, on_threads):
    assert np.prod(shape) * 16 >= 2e6  # fewer have one thread (kernels/threads.pxi)
    rng, kernels = np.random.default_rng(0), config.kernels()
    x, target, g = (
        rng.standard_normal(shape).astype(dtype) * 5,
        rng.integers(0, shape[1], shape[0]),
        rng.standard_normal(shape[0]).astype(dtype),
    )
    results = on_threads(
        lambda: [
            *[kernel(x) for kernel in (kernels.softmax, kernels.log_softmax, kernels.logsumexp)],
            kernels.cross_entropy(x, target),
            kernels.cross_entropy_grad(g, x, target),
        ]
    )
    assert results.count(results[0]) == 4
    shifted = np.exp(x - x.max(axis=1, keepdims=True), dtype="d")
    softmax = shifted / shifted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        np.frombuffer(results[0][0], dtype).reshape(shape), softmax, rtol=1e-4 if dtype == "f" else 1e-12, atol=1e-30
    )


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 127_000, 131_072, 150_001])
def test_steps_and_norms_of_whole_parameters(dtype, size, on_threads):
    from minigrad._optim import adam_step, sum_of_squares

    rng = np.random.default_rng(0)
    arrays = [np.abs(rng.standard_normal(size)).astype(dtype) for _ in range(5)]

    def step():
        p, g, m, v, largest = (array.copy() for array in arrays)
        adam_step(p, g, m, v, largest, 0.5, 0.01, 0.9, 0.999, 1e-3, 1e-8, 0.999)
        adam_step(p, g, m, v, None, 1.0, 0.0, 0.9, 0.999, 1e-3, 1e-8, 1.0)
        return [p, m, v, largest, sum_of_squares(g)]

    results = on_threads(step)
    assert results.count(results[0]) == 4
    assert np.isclose(np.frombuffer(results[0][4])[0], (arrays[1].astype("d") ** 2).sum(), rtol=1e-13)
