"""How far the elementwise kernels are from the true values, in units in the last place (ULP).

float32 functions are tried on all 2^32 inputs (or every N-th bit pattern) against float64 NumPy, float64 functions on a
random sample of bit patterns and of moderate values against mpmath. The ULP of a subnormal result is the smallest
subnormal.

    python campaigns/ulp.py                                        # everything, half an hour on one core
    python campaigns/ulp.py --stride 1009                          # a few seconds
    python campaigns/ulp.py --function tanh --function exp --isa baseline

It ends with status 1 if a function is further off than --limit, or wrong about NaN, infinity or a sign anywhere.
"""

import argparse
import sys
import time

import mpmath
import numpy as np

from minigrad import _elementwise
from minigrad.ops import all_ops

CHUNK = 1 << 20


def sigmoid(x):
    """The logistic function in NumPy."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    """log(1 + e^x) in NumPy."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def of_the_body(name):
    """The NumPy body of the operation of that name, which was written apart from its kernel: float64 is enough to judge float32."""
    return all_ops()[name].body


REFERENCES = {
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "square": np.square,
    "abs": np.abs,
    "sign": np.sign,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": lambda x: np.where(x <= 0, 0, x),
    "expm1": np.expm1,
    "log1p": np.log1p,
    "log_sigmoid": lambda x: -softplus(-x),
    "silu": lambda x: x * sigmoid(x),
    "gelu": of_the_body("gelu"),
    "erf": of_the_body("erf"),
    "erfc": of_the_body("erfc"),
}

EXACT = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
}


def compare(got, want):
    """ULPs between float32 results and float64 references, and where NaN, infinity or the sign is wrong."""
    rounded = want.astype(np.float32)  # an infinity here is one that the float32 function may also give
    finite = np.isfinite(rounded) & np.isfinite(got)
    both_nan = np.isnan(got) & np.isnan(want)
    at_the_edge = np.isfinite(rounded) != np.isfinite(got)  # an overflow one ULP early or late is no wrong infinity
    largest = np.finfo(np.float32).max
    at_the_edge &= (np.abs(rounded) >= largest) & (np.abs(got) >= largest)
    wrong = ~finite & ~both_nan & ~at_the_edge & (got != rounded)
    wrong |= ~both_nan & (np.signbit(got) != np.signbit(rounded))  # zeros included
    exponent = np.maximum(np.frexp(np.where(finite, want, 1.0))[1], -125)
    ulps = np.abs(np.where(finite, got.astype(np.float64) - want, 0.0)) / np.ldexp(1.0, exponent - 24)
    return ulps, wrong


def all_float32(name, stride):
    """(largest error, its input, number of wrong NaNs, infinities and signs, inputs tried)."""
    kernel, reference = getattr(_elementwise, name), REFERENCES[name]
    worst, where, wrong, tried = 0.0, np.float32(0), 0, 0
    for start in range(0, 1 << 32, CHUNK * stride):
        patterns = np.arange(start, min(start + CHUNK * stride, 1 << 32), stride, dtype=np.uint64)
        x = patterns.astype(np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            ulps, bad = compare(kernel(x), reference(x.astype(np.float64)))
        at = int(ulps.argmax())
        if ulps[at] > worst:
            worst, where = float(ulps[at]), x[at]
        wrong += int(bad.sum())
        tried += x.size
    return worst, where, wrong, tried


def some_float64(name, count, seed):
    """The same for float64 and a sample."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 2**64, count // 2, dtype=np.uint64).view(np.float64)
    x = np.concatenate([patterns[np.isfinite(patterns)], rng.normal(size=count // 4), rng.uniform(-745, 709, count // 4)])
    if name in ("log", "sqrt", "log1p"):
        x = np.abs(x) - (name == "log1p") * np.where(rng.random(x.size) < 0.5, 0, np.minimum(np.abs(x), 1))  # down to -1
        x = np.abs(x) if name != "log1p" else x[x > -1]
    elif name != "tanh":  # beyond, mpmath would need exponents of a million digits, and the result is 0 or x
        x = x[np.abs(x) < 745]
    parts = np.split(x, range(1000, x.size, 1000))  # the roots of more are NumPy's
    got = np.concatenate([getattr(_elementwise, name)(part) for part in parts])
    worst, where = 0.0, np.float64(0)
    with mpmath.workprec(120):
        for value, result in zip(x, got, strict=True):
            # Past 40, tanh is 1 to 34 digits, more than any reference needs.
            want = EXACT[name](mpmath.mpf(float(value)) if name != "tanh" else mpmath.mpf(min(max(float(value), -40), 40)))
            ulp = mpmath.ldexp(1, max(int(mpmath.frexp(want)[1]), -1021) - 53) if want else mpmath.mpf(2) ** -1074
            error = float(abs(mpmath.mpf(float(result)) - want) / ulp)
            if not error <= worst:
                worst, where = error, value
    return worst, where, 0, x.size


def main():
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--function", action="append", choices=sorted(REFERENCES), help="may be repeated; all by default")
    parser.add_argument("--isa", action="append", choices=_elementwise.isas(), help="may be repeated; all by default")
    parser.add_argument("--stride", type=int, default=1, help="try every N-th float32 bit pattern")
    parser.add_argument("--samples", type=int, default=20_000, help="float64 inputs; 0 leaves float64 out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=2.5, help="ULPs that are still good")
    arguments = parser.parse_args()
    good = True
    for isa in arguments.isa or _elementwise.isas():
        _elementwise._use_isa(isa)
        for name in arguments.function or REFERENCES:
            runs = [("float32", lambda name=name: all_float32(name, arguments.stride))]
            if name in EXACT and arguments.samples:
                runs.append(("float64", lambda name=name: some_float64(name, arguments.samples, arguments.seed)))
            for dtype, run in runs:
                began = time.perf_counter()
                worst, where, wrong, tried = run()
                good &= worst <= arguments.limit and not wrong
                print(
                    f"{isa:9}{dtype:8} {name:9} {worst:.3f} ULP at {where!r:32} wrong NaN/inf/sign: {wrong:<6}"
                    f" {tried} inputs, {time.perf_counter() - began:.0f} s",
                    flush=True,
                )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
