"""Every operation, from its declaration and its SAMPLES: a test here is a promise that all operations keep.

Here: values, dtypes, shapes, what is kept and what shares memory. The derivatives have a file of their own, test_op_gradients.py.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from oracles import CALLS, F32, F64, OPS, cases, close, differentiable, direction, error, lift, print_errors
from references import REFERENCES
from samples import SAMPLES

from minigrad import Tensor, from_numpy, ops
from minigrad.op import Into

KERNELED = sorted(name for name in OPS if OPS[name].kernel is not None)
named = pytest.mark.parametrize("name", sorted(OPS))
every = pytest.mark.parametrize("name", sorted(CALLS))  # functions made of operations too


# ---- (0) nothing is left out


def test_every_operation_has_samples_and_a_reference() -> None:
    assert sorted(SAMPLES) == sorted(CALLS) == sorted(REFERENCES)
    count = sum(len(found) for found in SAMPLES.values())
    print(f"\n{len(OPS)} operations, {count} samples, {sum(len(cases(name)) for name in CALLS)} of them with gradients")
    for name, found in SAMPLES.items():
        layouts = {sample.layout for sample in found}
        assert len(layouts) >= 7, f"{name}: only the layouts {layouts}"
        assert any(isinstance(arg, np.ndarray) and not arg.size for sample in found for arg in sample.args), f"{name}: no empty array"


# ---- (1) values: the body against the reference, the kernel against the body


@every
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_body_agrees_with_the_reference(name: str) -> None:
    for sample in SAMPLES[name]:
        if sample.kind != "extreme":
            want = REFERENCES[name](*sample.arrays(F64), **sample.settings)
            close("value against the reference", CALLS[name](*sample.tensors(F64), **sample.settings).numpy(), want, 1e-13, sample)


def ulps(got: Any, want: Any) -> float:
    """The largest distance in units in the last place of `want`, subnormals counted as such."""
    finite = np.isfinite(want)
    assert np.array_equal(np.isfinite(got), finite) and np.array_equal(got[~finite], want[~finite], equal_nan=True), f"{got}\n{want}"
    return float(np.max(np.abs(got[finite].astype(np.longdouble) - want[finite]) / np.spacing(np.abs(want[finite])), initial=0.0))


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", KERNELED)
def test_kernel_agrees_with_the_body(name: str, dtype: Any) -> None:
    """Where it serves. A row kernel sums in another order, and differences cancel: those are allowed a few ULP of the largest term."""
    op, served = OPS[name], 0
    rows = name in (
        "linear",
        "matmul",
        "outer_sum",
        "sum_to",
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy_rows",
        "cross_entropy_grad",
    )
    for sample in SAMPLES[name]:
        arrays = sample.arrays(dtype)
        with np.errstate(all="ignore"):
            got = op.kernel(*arrays, **sample.settings)
            if got is NotImplemented:
                continue
            served += 1
            want = np.asarray(op.body(*arrays, **sample.settings))
        assert type(got) is np.ndarray and got.dtype == want.dtype and got.shape == want.shape, (
            f"{sample}: {got.dtype}{got.shape}, {want.dtype}{want.shape}"
        )
        if want.dtype.kind == "f":
            close_enough = ulps(got, want) <= 8 or (rows and error(got, want) <= 8 * np.finfo(dtype).eps)
            assert close_enough, f"{sample}: {ulps(got, want)} ULP\n{got}\n{want}"
        else:
            assert np.array_equal(got, want), f"{sample}\n{got}\n{want}"
    assert served or (name, dtype) == ("gelu", F64), f"the kernel of {name} served none of {len(SAMPLES[name])} samples"


def test_a_row_with_infinity_is_the_same_in_kernel_and_body() -> None:
    """With +inf in a row the loss is NaN as its log_softmax is; a row of -inf costs inf. Once the kernel and the body differed."""
    op, target = OPS["cross_entropy_rows"], np.array([1, 0])
    x = np.array([[np.inf, 1.0], [-np.inf, -np.inf]])
    assert np.array_equal(op(from_numpy(x), from_numpy(target)).numpy(), [np.nan, np.inf], equal_nan=True)
    with np.errstate(all="ignore"):
        assert np.array_equal(op.body(x, target), [np.nan, np.inf], equal_nan=True)


# ---- (2) shapes and dtypes


def history(node: Any) -> list[Any]:
    """Every entry of the tape that `node` was computed from, and itself."""
    found = {node.tick: node}
    todo = [node]
    while todo:
        for parent in todo.pop().parents:
            if parent is not None and parent.tick not in found:
                found[parent.tick] = parent
                todo.append(parent)
    return list(found.values())


@every
def test_gradients_have_the_shape_and_dtype_of_their_arguments(name: str) -> None:
    """Also when float32 and float64 are mixed; and nothing on the way back is float64 when everything was float32."""
    for sample in SAMPLES[name]:
        count = len(sample.args)
        mixes = [(F32,), (F64,)] + ([(F32, F64), (F64, F32)] if count > 1 else []) + ([(F32, F32, F64)] if count > 2 else [])
        for mix in mixes:
            args, leaves = lift(name, sample, mix)
            out = CALLS[name](*args, **sample.settings)
            if len(mix) == 1 and out.dtype.kind == "f" and "dtype" not in sample.settings:
                floats = any(isinstance(arg, np.ndarray) and arg.dtype.kind == "f" for arg in sample.args)
                assert out.dtype == (mix[0] if floats else out.dtype), f"{mix[0]} became {out.dtype} for {sample}"
            if out.dtype.kind != "f":
                assert not out.requires_grad, f"a result of {out.dtype} is a constant: {sample}"
            if not out.requires_grad:
                continue
            seed = Tensor(direction(out.shape, 0).astype(out.dtype), requires_grad=True)
            out.backward(seed, create_graph=True)
            for leaf in leaves:
                assert leaf.grad is not None and leaf.grad.shape == leaf.shape and leaf.grad.dtype == leaf.dtype, f"{sample} {mix}"
                if mix == (F32,) and "dtype" not in sample.settings and leaf.grad.requires_grad:
                    drifted = {node.name for node in history(leaf.grad.node) if node.dtype != F32}
                    assert not drifted, f"float64 inside the gradient of a float32 {name}, in {drifted}: {sample}"


# ---- (3) no input was changed


@every
def test_no_input_is_changed(name: str) -> None:
    """Read-only arrays through both passes, and bytes compared in case somebody writes through a pointer."""
    for sample in SAMPLES[name]:
        for dtype in (F32, F64):
            args, _ = lift(name, sample, [dtype])
            arrays = [arg.numpy() for arg in args if isinstance(arg, Tensor)]
            before = [array.tobytes() for array in arrays]
            for arg in args:
                base = arg._array if isinstance(arg, Tensor) else None
                while isinstance(base, np.ndarray):
                    base.flags.writeable = False
                    base = base.base
            out = CALLS[name](*args, **sample.settings)
            if out.requires_grad and out.dtype.kind == "f":
                seed = direction(out.shape, 0).astype(out.dtype)
                seed.flags.writeable = False
                kept = seed.tobytes(), out.numpy().tobytes()
                out.backward(from_numpy(seed))
                assert kept == (seed.tobytes(), out.numpy().tobytes()), f"{sample}: the cotangent or the result was changed"
            assert before == [array.tobytes() for array in arrays], f"{sample}: an argument was changed"


# ---- (4) what is kept


def names_of(rule: Any) -> set[str]:
    """What a rule asks for, but for the g of the walk."""
    return set(inspect.signature(rule.rule if isinstance(rule, Into) else rule).parameters) - {"g"}


@named
def test_kept_is_what_the_rules_name(name: str) -> None:
    """For each subset of arguments: the labels, and on the tape those very values and no others."""
    op = OPS[name]
    if op.variadic:
        assert set(op.recipe(1).labels()) == names_of(op.rules[0])
        return
    for mask in range(1 << op.count):
        needed = [op.rules[i] for i in range(op.count) if mask >> i & 1 and op.rules[i] is not None]
        labels = op.recipe(mask).labels()
        assert len(labels) == len(set(labels)) and set(labels) == set().union(*map(names_of, needed)), (
            f"{name}, arguments {mask:b}: {labels}"
        )
    for sample in cases(name)[:12]:
        for size in range(1, len(differentiable(name, sample)) + 1):
            for chosen in itertools.combinations(differentiable(name, sample), size):
                args, _ = lift(name, sample, [F64], chosen)
                out = op(*args, **sample.settings)
                labels = out.node.recipe.labels()
                assert set(labels) == set().union(*[names_of(op.rules[i]) for i in chosen])
                for label, value in zip(labels, out.node.kept, strict=True):
                    if label in op.settings:
                        assert np.array_equal(value, sample.settings.get(label, op.settings[label]))
                    elif label.endswith("_shape"):
                        assert value == args[op.arguments.index(label.removesuffix("_shape"))].shape
                    else:
                        source = out if label == "out" else args[op.arguments.index(label)]
                        assert value is (source._array if isinstance(source, Tensor) else source) or not isinstance(source, Tensor)


# ---- (5) the shape line


def shape_line(doc: str) -> str:
    """`(m,k),(k,n) -> (m,n)`: the end of the first paragraph."""
    paragraph = " ".join(doc.split("\n\n")[0].split())
    found = re.search(r"((?:\([^()]*\),?)+ -> \([^()]*\))$", paragraph)
    assert found, f"no shape line at the end of: {paragraph}"
    return found.group(1)


def length(term: str, bound: dict[str, int]) -> int | None:
    """`m+n`, `2` or `2n` as a number; None if a name in it is not bound."""
    total = 0
    for part in term.split("+"):
        factor, name = re.fullmatch(r"(\d*)([a-z]*)", part.strip()).groups()  # type: ignore[union-attr]
        if name and name not in bound:
            return None
        total += (int(factor) if factor else 1) * (bound[name] if name else 1)
    return total


def matches(line: str, shapes: list[tuple[int, ...]], result: tuple[int, ...]) -> bool | None:
    """Whether the line holds; None where it does not speak of arguments of these shapes."""
    left, right = line.split(" -> ")
    *patterns, last = [[term for term in text.split(",") if term] for text in re.findall(r"\(([^()]*)\)", left + right)]
    if len(patterns) != len(shapes) or any(len(p) != len(s) for p, s in zip(patterns, shapes, strict=True)):
        return None
    bound: dict[str, int] = {}
    for pattern, shape in zip(patterns, shapes, strict=True):
        for term, size in zip(pattern, shape, strict=True):
            if (length(term, bound) if not re.fullmatch("[a-z]", term) else bound.setdefault(term, size)) != size:
                return None
    if len(set(bound.values())) < len(bound) or len(last) != len(result):
        return None if len(last) == len(result) else False
    return all(length(term, bound) in (None, size) for term, size in zip(last, result, strict=True))


@named
def test_the_shape_line_holds(name: str) -> None:
    """For at least one sample whose lengths all differ; of elementwise operations, for all by the rules of broadcasting."""
    op = OPS[name]
    line = shape_line(op.body.__doc__)
    verdicts = []
    for sample in SAMPLES[name]:
        shapes = [np.shape(arg) for arg in sample.args if arg is not None]
        result = op(*sample.tensors(F64), **sample.settings).shape
        if op.broadcasts:
            assert line == ",".join(["()"] * op.count) + " -> ()" and result == np.broadcast_shapes(*shapes), f"{name}: {line}, {sample}"
        verdicts.append(matches(line, shapes, result))
    assert any(verdicts), f"{name}: no sample bears out {line}"


def test_a_wrong_shape_line_is_noticed() -> None:
    assert matches("(m,k),(k,n) -> (m,n)", [(2, 3), (3, 4)], (2, 4)) is True
    assert matches("(m,k),(k,n) -> (n,m)", [(2, 3), (3, 4)], (2, 4)) is False
    assert matches("(m,k),(n,k) -> (m+n,k)", [(2, 3), (4, 3)], (6, 3)) is True
    assert matches("(n) -> (n,n)", [(2,)], (2,)) is False
    assert matches("(m,k),(k,n) -> (m,n)", [(2, 3), (4, 4)], (2, 4)) is None


# ---- (6) and (7) subsets, and memory


@every
def test_any_subset_of_arguments_gets_the_same_gradients(name: str) -> None:
    for sample in cases(name):
        places = differentiable(name, sample)
        found: dict[int, bytes] = {}
        for size in range(len(places), 0, -1):
            for chosen in itertools.combinations(places, size):
                args, leaves = lift(name, sample, [F64], chosen)
                out = CALLS[name](*args, **sample.settings)
                out.backward(direction(out.shape, 0).astype(out.dtype))
                for i, leaf in zip(chosen, leaves, strict=True):
                    assert found.setdefault(i, leaf.grad.numpy().tobytes()) == leaf.grad.numpy().tobytes(), (
                        f"{sample}, argument {i} of {chosen}"
                    )


@every
def test_gradients_share_no_memory(name: str) -> None:
    """Neither with each other, nor with the cotangent, the arguments or the result; also when one tensor is every argument."""
    for sample in cases(name):
        args, leaves = lift(name, sample, [F64])
        out = CALLS[name](*args, **sample.settings)
        seed = Tensor(direction(out.shape, 0), dtype=out.dtype)
        out.backward(seed)
        grads = [leaf.grad.numpy() for leaf in leaves]
        others = [arg.numpy() for arg in args if isinstance(arg, Tensor)] + [seed.numpy(), out.numpy()]
        for i, g in enumerate(grads):
            for other in grads[:i] + others:
                assert not np.shares_memory(g, other), f"{sample}: the gradient of argument {i} is memory that somebody else holds"


@every
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_tensor_as_every_argument_gets_the_sum(name: str) -> None:
    for sample in cases(name):
        places = differentiable(name, sample)
        if len(places) < 2 or len({sample.args[i].shape for i in places}) > 1:
            continue
        args, leaves = lift(name, sample, [F64])
        value = leaves[0].numpy()
        for i in places:
            args[i] = leaves[0]
        out = CALLS[name](*args, **sample.settings)
        seed = direction(out.shape, 0)
        out.backward(seed)
        apart = [Tensor(value, requires_grad=True) if i in places else arg for i, arg in enumerate(args)]
        CALLS[name](*apart, **sample.settings).backward(seed)
        close("f(x, x) against the sum of its parts", leaves[0].grad.numpy(), sum(apart[i].grad.numpy() for i in places), 1e-14, sample)


METHODS = (
    "abs all any argmax argmin argsort ceil clip clone cos cumsum erf exp expm1 floor log log1p log_softmax logsumexp max mean min norm "
    "prod reciprocal relu round sigmoid sign sin softmax sort sqrt square squeeze std sum tanh transpose var"
)


@pytest.mark.parametrize("name", METHODS.split())
def test_methods_are_the_functions(name: str) -> None:
    x = Tensor([[0.5, -1.0, 2.0], [0.25, 3.0, -0.75]])
    got, want = getattr(x, name)(), getattr(ops, name)(x)
    assert got.dtype == want.dtype
    assert np.array_equal(got.numpy(), want.numpy(), equal_nan=True)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (lambda x: x.var(0, 1), lambda x: ops.var(x, axis=0, ddof=1)),
        (lambda x: x.std(axis=1, ddof=1, keepdims=True), lambda x: ops.std(x, axis=1, ddof=1, keepdims=True)),
        (lambda x: x.norm(1, 0, True), lambda x: ops.norm(x, ord=1, axis=0, keepdims=True)),
        (lambda x: x.min(1), lambda x: ops.min(x, axis=1)),
        (lambda x: x.prod(1, True), lambda x: ops.prod(x, axis=1, keepdims=True)),
        (lambda x: x.cumsum(0), lambda x: ops.cumsum(x, axis=0)),
        (lambda x: x.argsort(0, True), lambda x: ops.argsort(x, axis=0, descending=True)),
    ],
)
def test_settings_of_methods_arrive(got: Any, want: Any) -> None:
    x = Tensor([[0.5, -1.0, 2.0], [0.25, 3.0, -0.75]])
    assert got(x).numpy().tobytes() == want(x).numpy().tobytes() and got(x).shape == want(x).shape


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """Prints the largest errors at the end of the module (pytest -s); they are asserted where they arise."""
    yield
    print_errors()
