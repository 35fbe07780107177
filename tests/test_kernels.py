"""The elementwise kernels against NumPy in higher precision, on every instruction set that this machine runs.

What must hold: the value (2.5 ULP for the transcendental functions, NumPy's very bits for the rest); the bits of an
element depend on nothing but the element; what is not a kernel's case is NotImplemented; no input changes.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

kernels = pytest.importorskip("minigrad._elementwise")
sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from ulp import EXACT, some_float64  # noqa: E402
from ulp import REFERENCES as UNARY  # noqa: E402

DTYPES = [np.float32, np.float64]
WIDER = {np.float32: np.float64, np.float64: np.longdouble}
rng = np.random.default_rng(20240611)


@pytest.fixture(params=kernels.isas(), autouse=True)
def isa(request):
    before = kernels.isa()
    kernels._use_isa(request.param)
    yield request.param
    kernels._use_isa(before)


def special(dtype):
    limits = np.finfo(dtype)
    positive = [
        0.0,
        limits.smallest_subnormal,
        limits.tiny,
        limits.eps,
        1e-30,
        0.3,
        1.0,
        1.5,
        20.0,
        88.72,
        709.78,
        limits.max,
        np.inf,
    ]
    return np.array([*positive, *[-x for x in positive], np.nan], dtype)


BY_MPMATH = {"erf", "erfc", "gelu"}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "tanh_grad": lambda g, out: g * (1 - out * out),
    "sigmoid_grad": lambda g, out: g * out * (1 - out),
    "relu_grad": lambda g, x: np.where(x <= 0, np.zeros_like(g), g),
}
BINARY["leaky_relu"] = lambda x, slope: np.where(x > 0, x, x * slope)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def quiet(function, *args):
    with np.errstate(all="ignore"):
        return function(*args)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def ulps(got, want, dtype):
    """Distance in units in the last place; infinite where NaN, infinity or the sign is wrong."""
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        rounded = want.astype(dtype)
        ordinary = np.isfinite(rounded) & np.isfinite(got) & (np.signbit(rounded) == np.signbit(got))
        right = (np.isnan(got) & np.isnan(want)) | (got == rounded) & (np.signbit(rounded) == np.signbit(got))
        exponent = np.maximum(np.frexp(np.where(ordinary, want, 1))[1], limits.minexp + 1)
        distance = np.abs(got.astype(want.dtype) - want) / np.ldexp(want.dtype.type(1), exponent - limits.nmant - 1)
    return np.where(ordinary, distance, np.where(right, 0, np.inf)).astype(float)


# ---- values ----------------------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("name", UNARY)
def test_unary_is_within_two_and_a_half_ulps(name, dtype):
    if dtype is np.float64 and name in BY_MPMATH:
        pytest.skip("its reference is no better than float64: see the test below")
    if np.finfo(np.longdouble).nmant <= np.finfo(dtype).nmant:
        pytest.skip("this machine's long double is no wider than double")
    words, count = (np.uint32, 200_000) if dtype is np.float32 else (np.uint64, 15_000)
    patterns = rng.integers(0, np.iinfo(words).max, count, dtype=words, endpoint=True).view(dtype)
    x = np.concatenate([special(dtype), patterns, *[rng.normal(0, s, count // 4).astype(dtype) for s in (0.1, 1, 10, 100)]])
    with np.errstate(all="ignore"):
        want = UNARY[name](x.astype(WIDER[dtype]))
    distance = ulps(getattr(kernels, name)(x), want, dtype)
    worst = int(distance.argmax())
    assert distance[worst] <= 2.5, f"{name}({x[worst]!r}) is {distance[worst]} ULP off"


@pytest.mark.parametrize("name", EXACT)
def test_float64_is_within_two_and_a_half_ulps_of_mpmath(name):
    worst, where, _, tried = some_float64(name, 1000, 7)
    assert tried > 500
    assert worst <= 2.5, f"{name}({where!r}) is {worst} ULP off"


def test_many_roots_and_quotients_of_float64_are_left_to_numpy_and_keep_their_bits():
    x, y = np.abs(rng.normal(size=(2, 40_000))) + 0.01
    assert kernels.sqrt(x) is NotImplemented and kernels.div(x, y) is NotImplemented
    assert same_bits(np.sqrt(x)[:100], kernels.sqrt(x[:100]))
    assert same_bits(np.divide(x, y)[:100], kernels.div(x[:100], y[:100]))


def test_gelu_of_float64_is_left_to_numpy():
    assert kernels.gelu(np.ones(3)) is NotImplemented


@each_dtype
@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_ends_of_the_error_function(name, dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 30.0, -30.0], dtype)
    want = np.array([0.0, -0.0, 1, -1, np.nan, 1, -1] if name == "erf" else [1, 1, 0, 2, np.nan, 0, 2], dtype)
    assert same_bits(np.abs(getattr(kernels, name)(x)), np.abs(want))  # NaN has no sign
    assert same_bits(np.signbit(getattr(kernels, name)(x))[:4], np.signbit(want)[:4])


def test_the_ulp_measure_sees_an_error():
    one = np.ones(1)
    assert ulps(np.float32([1 + 2**-23]), one, np.float32) == 1
    assert ulps(np.float32([-0.0]), one * 0, np.float32) == np.inf
    assert ulps(np.float32([np.nan]), one, np.float32) == np.inf


@each_dtype
@pytest.mark.parametrize("name", BINARY)
def test_binary_has_the_bits_of_numpy(name, dtype):
    a, b = (m.ravel() for m in np.meshgrid(special(dtype), special(dtype)))
    a, b = (np.concatenate([m, rng.normal(size=1000).astype(dtype)]) for m in (a, b))
    got, want = getattr(kernels, name)(a, b), quiet(BINARY[name], a, b)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)  # NaN equals NaN, and 0 equals -0 as maximum may choose


@each_dtype
def test_elu(dtype):
    x = np.concatenate([special(dtype), rng.normal(0, 4, 1000).astype(dtype)])
    for alpha in (1.0, 0.5, -2.0):
        assert same_bits(kernels.elu(x, alpha), np.where(x > 0, x, dtype(alpha) * kernels.expm1(np.where(x > 0, 0, x).astype(dtype))))
        np.testing.assert_allclose(
            kernels.elu(x, alpha), np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), rtol=5 * np.finfo(dtype).eps
        )


@each_dtype
def test_softplus_grad(dtype):
    x, g = rng.normal(0, 4, 5000).astype(dtype), rng.normal(size=5000).astype(dtype)
    assert same_bits(kernels.softplus_grad(g, x), g * kernels.sigmoid(x))


def test_large_results_take_memory_that_is_free_and_no_other():
    x = rng.normal(size=70001)
    a, b = kernels.tanh(x), kernels.neg(x)
    assert not np.shares_memory(a, b)
    place, before = a.ctypes.data, b.copy()
    del a
    c = kernels.abs(x)
    assert c.ctypes.data == place  # or fresh pages would be paid for
    assert same_bits(b, before)
    part = c[5:10]
    del c
    d = kernels.neg(x)  # the memory that `part` looks at is not free
    assert same_bits(part, np.abs(x[5:10]))
    assert not np.shares_memory(d, part)


@each_dtype
def test_relu_grad_of_a_closed_unit_is_zero_whatever_comes_in(dtype):
    g = np.array([np.nan, np.inf, np.nan, 3, np.inf], dtype)
    x = np.array([-1, 0, np.nan, np.nan, 2], dtype)
    np.testing.assert_array_equal(kernels.relu_grad(g, x), np.array([0, 0, np.nan, 3, np.inf], dtype))


@each_dtype
@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (None, 0.5), (0, None), (None, None), (2.0, -2.0), (float("nan"), 1.0)])
def test_clip(dtype, bounds):
    x = np.concatenate([special(dtype), rng.normal(size=100).astype(dtype)])
    want = x if bounds == (None, None) else quiet(np.clip, x, *bounds)
    np.testing.assert_array_equal(kernels.clip(x, *bounds), want)


@each_dtype
def test_where(dtype):
    a, b = rng.normal(size=(2, 6, 7)).astype(dtype)
    cond = a > 0
    one = np.array([3], dtype)
    for x, y in [
        (a, b),
        (a, 2.0),
        (1, b),
        (a, one),
        (one, b),
        (one, 2),
        (a, one.reshape(1, 1)),
        (a, one[0:1].reshape(())),
    ]:
        assert same_bits(kernels.where(cond, x, y), np.where(cond, x, y).astype(dtype))
    column = a[:, :1].copy()
    for case in [
        (cond.astype(int), a, b),
        (cond, 1.0, 2.0),
        (cond, a, b[:5]),
        (cond[0], a, b),
        (cond.T, a.T, b.T),
        (cond, column, b),
    ]:
        assert kernels.where(*case) is NotImplemented


# ---- layouts ---------------------------------------------------------------------------------------------------------

SHAPES = [
    ((), ()), ((3,), ()), ((1,), (1, 1)), ((4, 4), (4,)), ((4, 4), (1, 4)), ((4, 4), (4, 1)), ((2, 3, 4), (3, 4)),
    ((2, 3, 4), (1, 1, 4)), ((2, 3, 4), (2, 3, 1)), ((2, 3, 1), (3, 1)), ((5, 1), (1,)), ((0,), ()), ((0, 4), (4,)),
    ((3, 0), (3, 0)), ((2, 40000), (40000,)), ((40000, 2), (1,)), ((2, 40000), (2, 1)),
]  # fmt: skip


@each_dtype
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_broadcasting(shapes, dtype):
    a, b = (np.asarray(rng.normal(size=shape)).astype(dtype) for shape in shapes)
    for x, y in [(a, b), (b, a)]:
        for name in ("sub", "lt"):
            got = getattr(kernels, name)(x, y)
            if name == "lt" and dtype is np.float64 and max(x.size, y.size) >= 32768:
                assert got is NotImplemented  # NumPy is faster
                continue
            assert type(got) is np.ndarray
            assert got.flags.c_contiguous
            assert not np.shares_memory(got, x) and not np.shares_memory(got, y)
            assert same_bits(got, np.asarray(BINARY[name](x, y)))


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((4, 1), (1, 4)), ((0, 4), (1, 4)), ((2, 3, 4), (2, 1, 4)), ((3, 4), (3,))], ids=str)
def test_other_broadcasting_is_left_to_numpy(shapes):
    a, b = (np.ones(shape, np.float32) for shape in shapes)
    assert kernels.add(a, b) is NotImplemented
    assert kernels.add(b, a) is NotImplemented


@each_dtype
def test_python_numbers_are_weak(dtype):
    x = rng.normal(size=(3, 5)).astype(dtype)
    for number in (2, -0.1, 1e300, float("nan"), 10**300):
        cell = quiet(dtype, float(number))
        assert same_bits(kernels.sub(x, number), quiet(np.subtract, x, cell))
        assert same_bits(kernels.sub(number, x), quiet(np.subtract, cell, x))
        assert same_bits(kernels.lt(number, x), quiet(np.less, cell, x))
    for stranger in (10**400, True, None, "2", 1j, np.float64(2), [1.0]):
        assert kernels.mul(x, stranger) is NotImplemented
        assert kernels.mul(stranger, x) is NotImplemented
    assert kernels.mul(2.0, 3.0) is NotImplemented


@each_dtype
def test_rows_apart_in_memory(dtype):
    """The gates of a recurrent cell are column slices of one matrix."""
    m = rng.normal(size=(3, 5, 24)).astype(dtype)
    slices = [
        m[0, :, 8:16],
        m[:, :, 8:16],
        m[:, 2, 1:9],
        m[::-1, 1, :8],
        m[:1, :, :8],
        m[:, :, 3:4],
        np.broadcast_to(m[0, 0, :8], (5, 8)),
    ]
    for x in slices:
        packed = x.copy()
        assert same_bits(kernels.tanh(x), kernels.tanh(packed))
        for y, packed_y in [
            (x, packed),
            (packed, packed),
            (2.0, 2.0),
            (packed.ravel()[: x.shape[-1]].copy(),) * 2,
            (packed[..., :1].copy(),) * 2,
        ]:
            assert same_bits(kernels.sub(x, y), packed - packed_y)
            assert same_bits(kernels.sub(y, x), packed_y - packed)
            assert same_bits(kernels.lt(y, x), packed_y < packed)


class Sub(np.ndarray):
    pass


def strangers(dtype):
    x = rng.normal(size=(4, 6)).astype(dtype)
    bytes_ = np.zeros(x.nbytes + 1, np.uint8)
    misaligned = bytes_[1:].view(dtype).reshape(4, 6)
    misaligned[...] = x
    return {
        "strided": x[:, ::2],
        "transposed": x.T,
        "reversed": x[:, ::-1],
        "swapped": x.astype(x.dtype.newbyteorder()),
        "half": x.astype(np.float16),
        "integer": np.arange(6),
        "bool": x > 0,
        "complex": x.astype(complex),
        "object": x.astype(object),
        "subclass": x.view(Sub),
        "misaligned": misaligned,
        "uneven": rng.normal(size=(3, 4, 6)).astype(dtype)[:, :2, :3],
        "list": [1.0, 2.0],
        "number": 2.0,
        "none": None,
    }


@each_dtype
@pytest.mark.parametrize("kind", strangers(np.float32))
def test_what_is_not_its_case_is_not_implemented(kind, dtype):
    x = strangers(dtype)[kind]
    target = np.zeros(4, np.int64)
    for name in [*UNARY, "softmax", "log_softmax", "logsumexp"]:
        assert getattr(kernels, name)(x) is NotImplemented
    for name in [*BINARY, "softplus_grad", "iadd"]:
        assert getattr(kernels, name)(x, x) is NotImplemented
    assert kernels.clip(x, 0.0, 1.0) is NotImplemented
    assert kernels.cross_entropy(x, target) is NotImplemented
    assert kernels.cross_entropy_grad(np.ones(4, dtype), x, target) is NotImplemented
    assert kernels.cross_entropy_grad(x, np.ones((4, 2), dtype), target) is NotImplemented
    if isinstance(x, np.ndarray):
        assert kernels.where(np.ones(x.shape, bool), x, x) is NotImplemented


def test_mixed_precision_and_wrong_bounds_are_not_implemented():
    x = np.ones(3, np.float32)
    assert kernels.add(x, x.astype(float)) is NotImplemented
    assert kernels.where(x > 0, x, x.astype(float)) is NotImplemented
    assert kernels.clip(x, x, 1.0) is NotImplemented


@pytest.mark.parametrize("name", UNARY)
def test_empty_and_zero_dimensional(name):
    for x in (np.zeros((0, 3), np.float32), np.array(0.5, np.float32 if name == "gelu" else np.float64), np.float32([0.25]).reshape(())):
        got = getattr(kernels, name)(x)
        assert type(got) is np.ndarray
        assert (got.shape, got.dtype) == (x.shape, x.dtype)


# ---- bits, memory, threads -------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("name", [*UNARY, "softplus_grad", "tanh_grad", "elu"])
def test_bits_depend_on_the_element_alone(name, dtype):
    if (name, dtype) == ("gelu", np.float64):
        pytest.skip("not its case")
    x = np.abs(rng.normal(0, 3, 70)).astype(dtype) + dtype(0.01)
    x[::2] *= 1 if name in ("log", "sqrt") else -1
    function = getattr(kernels, name) if name in UNARY else lambda v: getattr(kernels, name)(v, v)
    whole = function(x)
    for n in range(71):
        assert same_bits(function(x[:n]), whole[:n])
        assert same_bits(function(x[n:]), whole[n:])
    if (name, dtype) == ("sqrt", np.float64):
        return  # many are left to NumPy, which rounds right as the processor does
    long = np.resize(x, 70 * 700)  # this one runs without the lock, and its head apart from the rest
    assert same_bits(function(long), np.resize(whole, long.size))


@each_dtype
def test_no_input_changes_and_read_only_inputs_are_fine(dtype):
    x, y = rng.normal(size=(2, 5, 9)).astype(dtype)
    target = np.arange(5)
    before = x.copy(), y.copy(), target.copy()
    for array in (x, y, target):
        array.flags.writeable = False
    for name in [*UNARY, "softmax", "log_softmax", "logsumexp"]:
        assert not np.shares_memory(quiet(getattr(kernels, name), x), x)
    for name in [*BINARY, "softplus_grad"]:
        assert not np.shares_memory(getattr(kernels, name)(x, y), x)
    kernels.where(x > 0, x, y), kernels.clip(x, 0.0, None), kernels.cross_entropy(x, target)
    kernels.cross_entropy_grad(y[:, 0].copy(), x, target)
    assert all(same_bits(a, b) for a, b in zip((x, y, target), before, strict=True))


@each_dtype
def test_iadd(dtype):
    m = rng.normal(size=(6, 20)).astype(dtype)
    for a, b in [(m[:, :8], m[:, 8:16]), (m.copy(), m), (m[:3], m[3:]), (m[:2, :4], m[:2, :4].copy())]:
        a, b = a.copy() if a.flags.c_contiguous else a, b.copy()
        want = a + b
        assert kernels.iadd(a, b) is a
        assert same_bits(a.copy(), want)
    a = m.copy()
    assert same_bits(kernels.iadd(a, a), m + m)
    line = m.ravel().copy()
    assert kernels.iadd(line[1:], line[:-1]) is NotImplemented  # overlaps, shifted
    assert kernels.iadd(a, a[0]) is NotImplemented
    assert kernels.iadd(a, 1.0) is NotImplemented
    a.flags.writeable = False
    assert kernels.iadd(a, m) is NotImplemented
    assert same_bits(a, m + m)


def test_threads_get_the_same_bits():
    x = rng.normal(size=200_000).astype(np.float32)
    want = kernels.tanh(x)
    with ThreadPoolExecutor(4) as pool:
        assert all(same_bits(got, want) for got in pool.map(kernels.tanh, [x] * 16))


# ---- rows ------------------------------------------------------------------------------------------------------------


def reference_rows(x):
    x = x.astype(np.longdouble)
    e = np.exp(x - x.max(-1, keepdims=True))
    log_sum = np.log(e.sum(-1, keepdims=True))
    return (
        e / e.sum(-1, keepdims=True),
        x - x.max(-1, keepdims=True) - log_sum,
        (x.max(-1, keepdims=True) + log_sum)[..., 0],
    )


@each_dtype
@pytest.mark.parametrize("n", [1, 2, 7, 16, 17, 64, 255, 256, 257, 1000])
def test_row_functions(n, dtype):
    x = rng.normal(0, 5, (2, 3, n)).astype(dtype)
    tolerance = 40 * np.finfo(dtype).eps  # what rounding x - 33 alone may cost
    softmax, log_softmax, logsumexp = reference_rows(x)
    np.testing.assert_allclose(kernels.softmax(x), softmax, rtol=tolerance)
    np.testing.assert_allclose(kernels.log_softmax(x), log_softmax, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(kernels.logsumexp(x), logsumexp, rtol=tolerance, atol=tolerance)
    target, g = rng.integers(0, n, 6), rng.normal(size=6).astype(dtype)
    flat, chosen = x.reshape(6, n), np.arange(n) == target[:, None]
    np.testing.assert_allclose(kernels.cross_entropy(flat, target), -log_softmax.reshape(6, n)[chosen], rtol=tolerance, atol=tolerance)
    want = g[:, None] * (softmax.reshape(6, n) - chosen)
    np.testing.assert_allclose(kernels.cross_entropy_grad(g, flat, target), want, rtol=tolerance, atol=tolerance)
    for name in ("softmax", "log_softmax", "logsumexp"):  # a row's bits do not depend on the batch around it
        assert same_bits(getattr(kernels, name)(x[1, 2]), np.asarray(getattr(kernels, name)(x)[1, 2]))


@each_dtype
def test_rows_with_infinities(dtype):
    inf = np.inf
    x = np.array([[-inf, -inf, -inf], [1, -inf, 1], [1, inf, 1], [1, np.nan, 1], [1000, 0, -1000]], dtype)
    nan = [np.nan] * 3
    np.testing.assert_array_equal(kernels.softmax(x), np.array([[0, 0, 0], [0.5, 0, 0.5], nan, nan, [1, 0, 0]], dtype))
    half = -np.log(dtype(2))
    want = np.array([[-inf] * 3, [half, -inf, half], nan, nan, [0, -1000, -2000]], dtype)
    np.testing.assert_allclose(kernels.log_softmax(x), want, rtol=1e-6)
    np.testing.assert_allclose(kernels.logsumexp(x), np.array([-inf, 1 - half, inf, np.nan, 1000], dtype), rtol=1e-6)


def test_row_shapes():
    x = np.ones((0, 3), np.float32)
    assert kernels.softmax(x).shape == (0, 3)
    assert kernels.logsumexp(x).shape == (0,)
    assert type(kernels.logsumexp(np.ones(3))) is np.ndarray
    for empty in (np.ones((3, 0)), np.ones(())):  # no maximum: NumPy says so
        assert kernels.softmax(empty) is NotImplemented
        assert kernels.logsumexp(empty) is NotImplemented


def test_targets_must_be_classes():
    x, g = np.ones((3, 4), np.float32), np.ones(3, np.float32)
    good = np.array([0, 3, 1])
    assert kernels.cross_entropy(x, good).shape == (3,)
    wrong = [
        np.array([0, 4, 1]),
        np.array([0, -1, 1]),
        good[:2],
        good.astype(np.int32),
        good.astype(">i8"),
        good[:, None],
        [0, 3, 1],
    ]
    for target in [*wrong, np.arange(6)[::2], good.astype(float)]:
        assert kernels.cross_entropy(x, target) is NotImplemented
        assert kernels.cross_entropy_grad(g, x, target) is NotImplemented
    assert kernels.cross_entropy_grad(g[:2], x, good) is NotImplemented
    assert kernels.cross_entropy_grad(g.astype(float), x, good) is NotImplemented
    assert kernels.cross_entropy(np.ones((0, 4)), np.ones(0, np.int64)).shape == (0,)


# ---- instruction sets ------------------------------------------------------------------------------------------------


def test_isa_names():
    assert kernels.isas()[0] == "baseline"
    assert kernels.isa() in kernels.isas()
    with pytest.raises(ValueError, match="'sse9'; this machine runs baseline"):
        kernels._use_isa("sse9")


@pytest.mark.parametrize("isa", ["baseline"], indirect=True)  # once is enough
@pytest.mark.parametrize("name", ["baseline", "sse9"])
def test_the_environment_chooses(name, isa):
    code = "from minigrad import _elementwise; print(_elementwise.isa())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MINIGRAD_ISA": name},
        capture_output=True,
        text=True,
        check=False,
    )
    if name == "baseline":
        assert done.stdout.strip() == name
    else:
        assert "MINIGRAD_ISA names the instruction set 'sse9'; this machine runs baseline" in done.stderr
