"""Calls of operations as instructions of the executor: each works on rows, one for each sequence of the batch.

A value is seen as a matrix, B rows of some columns. What only looks at it in another way (a slice of columns, a reshape) becomes no
instruction but an address; what mixes rows has no place here, and the scan says so.
"""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np

from .hoist import CONST
from .sink import columns
from .trace import Call, Untraceable, Value

UNARY = {"neg", "exp", "log", "sqrt", "square", "abs", "sign", "tanh", "sigmoid", "softplus", "relu"}
UNARY |= {"expm1", "log1p", "log_sigmoid", "silu", "gelu", "erf", "erfc"}
COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
BINARY = {"add", "sub", "mul", "div", "maximum", "minimum", "tanh_grad", "sigmoid_grad", "softplus_grad", "relu_grad"} | COMPARISONS
WITH_NUMBER = {"leaky_relu": "negative_slope", "elu": "alpha"}  # the setting that is their second operand
POWERS = {0.5: ["sqrt"], 1: [], 1.5: ["sqrt", "mul"], 2: ["square"], 3: ["square", "mul"], 4: ["square", "square"]}
SAME = {"identity", "detach", "clone"}
SHAPES = {"reshape", "expand_dims", "squeeze"}
REDUCTIONS = {"sum", "mean", "max", "logsumexp", "sum_to"}


class Buffer:
    """Memory for a matrix of rows; `plan` decides where. One that is part of another (`parent`) lies in its columns from `start`."""

    __slots__ = ("dtype", "kind", "number", "parent", "start", "value", "varies", "width")

    def __init__(self, kind: str, number: int, width: int, dtype: Any, varies: bool = True, value: Any = None) -> None:
        self.kind = kind  # result, or where it comes from: input, carry, cotangent, const, number, kept
        self.number = number
        self.width = width
        self.dtype = dtype
        self.varies = varies  # has a row for each sequence, rather than one for all
        self.value = value  # of a constant: the Value and the shape to give it; of a number, the number
        self.parent: Buffer | None = None
        self.start = 0

    def root(self) -> tuple[Buffer, int]:
        """The outermost buffer this one is a part of, and at which column."""
        buffer, start = self, 0
        while buffer.parent is not None:
            start += buffer.start
            buffer = buffer.parent
        return buffer, start

    def __repr__(self) -> str:
        return f"{self.kind[0]}{self.number}"


class Ref:
    """Columns of a buffer; with step 0, one column that serves as many."""

    __slots__ = ("buffer", "start", "step", "width")

    def __init__(self, buffer: Buffer, start: int, width: int, step: int = 1) -> None:
        self.buffer = buffer
        self.start = start
        self.width = width
        self.step = step

    def whole(self) -> bool:
        """Whether this is a buffer in full."""
        return self.start == 0 and self.step == 1 and self.width == self.buffer.width

    def __repr__(self) -> str:
        part = "" if self.whole() else f"[{self.start}]" if self.step == 0 else f"[{self.start}:{self.start + self.width}]"
        return f"{self.buffer!r}{part}"


class Instruction:
    """One loop of the executor: out = name(ins), `columns` elements a row."""

    __slots__ = ("columns", "dtype", "ins", "name", "out", "settings")

    def __init__(self, name: str, dtype: Any, columns: int, settings: Any, out: Ref, ins: list[Ref]) -> None:
        self.name = name
        self.dtype = dtype  # in which the loop computes
        self.columns = columns
        self.settings = settings
        self.out = out
        self.ins = ins

    def __repr__(self) -> str:
        return f"{self.out!r:14s} = {self.name}({', '.join(map(repr, self.ins))})"


class Lowering:
    """Turns calls into instructions, given where the values that come in lie."""

    def __init__(self, batch: int | None, level: dict[Value, int]) -> None:
        self.batch = batch
        self.level = level
        self.refs: dict[Value, Ref] = {}
        self.instructions: list[Instruction] = []
        self.matrices: list[tuple[Value, bool]] = []  # right sides of products; True: transposed
        self.count = 0

    # ---- where values lie

    def source(self, kind: str, number: int, value: Value) -> None:
        """A value that comes in from outside lies in memory of its own."""
        varies = self.batch is None or (len(value.shape) > 0 and value.shape[0] == self.batch)
        width = self.columns_of(value.shape) if varies else prod(value.shape)
        self.refs[value] = Ref(Buffer(kind, number, width, value.dtype, varies, value), 0, width)

    def columns_of(self, shape: tuple[int, ...]) -> int:
        """Columns of a value of this shape."""
        if self.batch is None:
            return prod(shape)
        if not shape or shape[0] != self.batch:
            raise Untraceable(f"a value of shape {shape} inside the loop has no row for each of the {self.batch} sequences")
        return prod(shape[1:])

    def result(self, value: Value, width: int, dtype: Any = None) -> Ref:
        """New memory for a result."""
        self.count += 1
        ref = Ref(Buffer("result", self.count, width, value.dtype if dtype is None else dtype, True, value), 0, width)
        return ref

    def number(self, number: float, dtype: Any) -> Ref:
        """A Python number as an operand."""
        return Ref(Buffer("number", 0, 1, dtype, False, number), 0, 1, 0)

    def emit(self, name: str, dtype: Any, columns: int, settings: Any, out: Ref, *ins: Ref) -> Ref:
        """One more instruction; returns its result."""
        self.instructions.append(Instruction(name, dtype, columns, settings, out, list(ins)))
        return out

    def operand(self, arg: Any, call: Call, dtype: Any) -> Ref:
        """An argument of an elementwise call, as wide as its result, in the dtype the loop computes in."""
        shape = call.out.shape
        width = self.columns_of(shape)
        if not isinstance(arg, Value):
            return self.number(arg, dtype)
        if self.level[arg] == CONST:
            return self.constant(arg, shape, width, dtype)
        ref = self.refs[arg]
        if arg.dtype != dtype:
            ref = self.cast(ref, arg, dtype)
        if arg.shape == shape:
            return ref
        tail, size = shape if self.batch is None else shape[1:], ref.width
        loose = ref.buffer.kind in ("input", "kept") and not ref.buffer.varies
        if self.batch is not None and not loose and len(arg.shape) != len(shape):
            raise Untraceable(f"'{call.op.name}' lines up the rows of shape {arg.shape} with columns of {shape}")
        if size == 1:
            return Ref(ref.buffer, ref.start, width, 0)
        if (loose or self.batch is None) and [n for n in arg.shape if n != 1] == [n for n in tail if n != 1] and size == width:
            return ref
        raise Untraceable(f"'{call.op.name}' stretches {arg.shape} to {shape} in a way that rows cannot express")

    def constant(self, value: Value, shape: tuple[int, ...], width: int, dtype: Any) -> Ref:
        """A constant beside rows of `shape`: one row for all, or a row for each, or one number."""
        size = prod(value.shape)
        if size == 1:
            return Ref(Buffer("const", value.number, 1, dtype, False, (value, (1,))), 0, width, 0)
        if self.batch is None:
            return Ref(Buffer("const", value.number, width, dtype, True, (value, shape)), 0, width)
        own = (1,) * (len(shape) - len(value.shape)) + value.shape
        varies = own[0] == self.batch and self.batch > 1
        if prod(own[1:]) == 1 and varies:
            return Ref(Buffer("const", value.number, 1, dtype, True, (value, own)), 0, width, 0)
        target = (self.batch if varies else 1, *shape[1:])
        return Ref(Buffer("const", value.number, width, dtype, varies, (value, target)), 0, width)

    def place(self, value: Value) -> Ref:
        """Where a value of the loop, or a constant beside one, lies."""
        if self.level[value] == CONST:
            return self.constant(value, value.shape, self.columns_of(value.shape), value.dtype)
        return self.refs[value]

    def cast(self, ref: Ref, value: Value, dtype: Any) -> Ref:
        """The same values in another dtype."""
        if np.dtype(dtype).kind != "f" or value.dtype.name not in ("bool", "int32", "int64", "float32", "float64"):
            raise Untraceable(f"the loop does not turn {value.dtype} into {np.dtype(dtype)}")
        if not ref.buffer.varies:
            raise Untraceable(f"the loop does not convert x of shape {value.shape}")
        return self.emit("cast", dtype, ref.width, value.dtype.name, self.result(value, ref.width, dtype), ref)

    def dense(self, ref: Ref, width: int, value: Value) -> Ref:
        """A ref whose elements follow each other in rows."""
        if ref.step and ref.buffer.varies:
            return ref
        out = self.result(value, width, ref.buffer.dtype)
        return self.emit("copy", ref.buffer.dtype, width, None, out, ref)

    # ---- calls

    def lower(self, call: Call) -> None:
        """The instructions of one call."""
        name = call.op.name
        if name in UNARY or name in BINARY or name in WITH_NUMBER or name in ("where", "clip", "astype", "pow", "reciprocal"):
            self.refs[call.out] = self.elementwise(call)
        elif name in SAME or name in SHAPES:
            self.refs[call.out] = self.same(call)
        elif name in ("matmul", "linear"):
            self.refs[call.out] = self.product(call)
        elif name == "getitem":
            self.refs[call.out] = self.slice(call)
        elif name == "concatenate":
            self.refs[call.out] = self.join(call)
        elif name in REDUCTIONS or name in ("softmax", "log_softmax"):
            self.refs[call.out] = self.reduction(call)
        elif name == "broadcast_to":
            self.refs[call.out] = self.stretched(call)
        else:
            raise Untraceable(f"'{name}' has no form that the loop can run")

    def elementwise(self, call: Call) -> Ref:
        """An operation that works element by element."""
        name, out, width = call.op.name, call.out, self.columns_of(call.out.shape)
        if name == "astype":
            return (
                self.refs[call.args[0]] if out.dtype == call.args[0].dtype else self.cast(self.refs[call.args[0]], call.args[0], out.dtype)
            )
        if name == "where":
            return self.where(call, width)
        floats = [arg.dtype for arg in call.values() if arg.dtype.kind == "f"]
        dtype = np.result_type(*floats) if name in COMPARISONS and floats else out.dtype
        if dtype.kind != "f":
            raise Untraceable(f"'{name}' of whole numbers or booleans has no form that the loop can run")
        ins = [self.operand(arg, call, dtype) for arg in call.args]
        if name == "pow":
            return self.power(call, ins[0], width)
        if name == "clip":
            bounds = (
                -inf if call.settings["lo"] is None else call.settings["lo"],
                inf if call.settings["hi"] is None else call.settings["hi"],
            )
            return self.emit("clip", dtype, width, bounds, self.result(out, width), self.dense(ins[0], width, out))
        if name == "gelu" and call.settings["approximate"] != "none":
            raise Untraceable("the approximate 'gelu' has no form that the loop can run")
        if name in WITH_NUMBER:
            ins.append(self.number(call.settings[WITH_NUMBER[name]], dtype))
        if name == "reciprocal":
            name, ins = "div", [self.number(1.0, dtype), *ins]
        if name in UNARY:
            ins = [self.dense(ins[0], width, out)]
        elif not [ref for ref in ins if ref.step]:
            ins[0] = Ref(ins[0].buffer, ins[0].start, width, 1) if width == 1 else self.dense(ins[0], width, out)
        return self.emit(name, dtype, width, None, self.result(out, width), *ins)

    def where(self, call: Call, width: int) -> Ref:
        """where(cond, a, b)."""
        cond, *sides = call.args
        if not isinstance(cond, Value) or cond.dtype != np.bool_ or call.out.dtype.kind != "f":
            raise Untraceable("'where' in the loop wants a condition of booleans and floating sides")
        chosen = self.operand(cond, call, cond.dtype)
        if not chosen.step:
            chosen = self.emit("copy", cond.dtype, width, None, self.result(cond, width), chosen)
        ins = [self.operand(side, call, call.out.dtype) for side in sides]
        return self.emit("where", call.out.dtype, width, None, self.result(call.out, width), chosen, *ins)

    def power(self, call: Call, x: Ref, width: int) -> Ref:
        """x to a few exponents that are other operations."""
        exponent, out = call.args[1], call.out
        if isinstance(exponent, Value) or abs(exponent) not in POWERS:
            raise Untraceable(f"'pow' with the exponent {exponent!r} has no form that the loop can run")
        power = x = self.dense(x, width, out)
        for name in POWERS[abs(exponent)]:
            ins = (power, x) if name == "mul" else (power,)
            power = self.emit(name, out.dtype, width, None, self.result(out, width), *ins)
        if exponent < 0:
            power = self.emit("div", out.dtype, width, None, self.result(out, width), self.number(1.0, out.dtype), power)
        return power

    def same(self, call: Call) -> Ref:
        """The same elements in another shape."""
        value = call.args[0]
        width = self.columns_of(call.out.shape)
        if self.level[value] == CONST:
            constant = self.constant(value, value.shape, width, value.dtype)
            return self.emit("copy", value.dtype, width, None, self.result(call.out, width), constant)
        return self.refs[value]

    def product(self, call: Call) -> Ref:
        """Rows times a constant matrix."""
        a, b = call.args[:2]
        rank = 1 if self.batch is None else 2
        if not isinstance(a, Value) or not isinstance(b, Value) or self.level[b] != CONST or self.level[a] == CONST:
            raise Untraceable(f"'{call.op.name}' in the loop wants rows on the left and a constant matrix on the right")
        single = self.batch is None and prod(a.shape[:-1]) == 1
        if len(b.shape) != 2 or not (len(a.shape) == rank or single) or (call.op.name == "linear" and call.args[2] is not None):
            raise Untraceable(f"'{call.op.name}' of shapes {a.shape} and {b.shape} has no form that the loop can run")
        if a.dtype != b.dtype:
            raise Untraceable(f"'{call.op.name}' of {a.dtype} and {b.dtype}: give both one dtype")
        width = self.columns_of(call.out.shape)
        key = (b, call.op.name == "linear")
        if key not in self.matrices:
            self.matrices.append(key)
        left = self.dense(self.refs[a], a.shape[-1], a)
        return self.emit("matmul", call.out.dtype, width, self.matrices.index(key), self.result(call.out, width), left)

    def slice(self, call: Call) -> Ref:
        """Columns of a value: no instruction, an address."""
        value = call.args[0]
        rank = 1 if self.batch is None else 2
        found = columns(call) if len(value.shape) == rank and self.level[value] != CONST else None
        if found is None:
            raise Untraceable(f"'getitem' with {call.settings['index']} of shape {value.shape} takes more than columns")
        self.columns_of(call.out.shape)
        ref = self.refs[value]
        return Ref(ref.buffer, ref.start + (found[0] if ref.step else 0), found[1] - found[0], ref.step)

    def join(self, call: Call) -> Ref:
        """Columns side by side: what was just computed is written there in the first place."""
        rank = 1 if self.batch is None else 2
        if len(call.out.shape) != rank or call.settings["axis"] not in (-1, rank - 1):
            raise Untraceable(f"'concatenate' along axis {call.settings['axis']} in the loop; the last axis is what it can join")
        out = self.result(call.out, self.columns_of(call.out.shape))
        start = 0
        for piece in call.args:
            if not isinstance(piece, Value) or piece.dtype != call.out.dtype:
                raise Untraceable("'concatenate' of tensors and numbers, or of two dtypes, in the loop")
            width = piece.shape[-1]
            ref = self.constant(piece, piece.shape, width, piece.dtype) if self.level[piece] == CONST else self.refs[piece]
            owner = ref.buffer
            if owner.kind == "result" and owner.parent is None and ref.whole() and owner is not out.buffer and width:
                owner.parent, owner.start = out.buffer, start
            elif width:
                self.emit("copy", piece.dtype, width, None, Ref(out.buffer, start, width), ref)
            start += width
        return out

    def reduction(self, call: Call) -> Ref:
        """One number a row from all its columns, or softmax along them."""
        name, value = call.op.name, call.args[0]
        out, width, rank = call.out, self.columns_of(call.out.shape), len(value.shape)
        first = 0 if self.batch is None else 1
        if name == "sum_to":
            whole = (1,) * (rank - first) == tuple(out.shape[len(out.shape) - rank + first :]) and len(out.shape) == rank
        else:
            axis = call.settings["axis"]
            axes = range(rank) if axis is None else [a % rank for a in (axis if isinstance(axis, tuple | list) else (axis,))]
            whole = sorted(axes) == list(range(first, rank))
        if not whole or self.level[value] == CONST or value.dtype != out.dtype or value.dtype.kind != "f":
            raise Untraceable(f"'{name}' of shape {value.shape} to {out.shape} crosses the rows of the batch")
        count = self.columns_of(value.shape)
        if count == 0:
            raise Untraceable(f"'{name}' over no columns")
        x = self.dense(self.refs[value], count, value)
        if name in ("softmax", "log_softmax"):
            return self.emit(name, out.dtype, count, None, self.result(out, width), x)
        total = self.emit({"mean": "sum", "sum_to": "sum"}.get(name, name), out.dtype, count, None, self.result(out, 1), x)
        if name == "mean":
            total = self.emit("div", out.dtype, 1, None, self.result(out, 1), total, self.number(float(count), out.dtype))
        return total

    def stretched(self, call: Call) -> Ref:
        """broadcast_to: one column that serves as many."""
        value, width = call.args[0], self.columns_of(call.out.shape)
        if self.level[value] == CONST:
            return self.constant(value, call.out.shape, width, value.dtype)
        ref = self.operand(value, call, value.dtype)
        return Ref(ref.buffer, ref.start, width, ref.step)
