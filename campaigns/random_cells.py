"""Random recurrent cells, compiled by mg.scan and run as the loop they are: the same results and gradients, to rounding?

Each cell is a step of 5 to 40 random operations over a carry of one to three leaves, random inputs, weights and constants, some of
which require gradients; some of the results are used. Everything is float64. A difference counts unless it is under 1e-12 of the
largest element, or under 100 times what a change of the inputs by one unit in the last place makes, or under 1e-13 where terms cancel.
On a part of the cells one of the passes is off; on a tenth, gradients of gradients are compared too.

    python campaigns/random_cells.py                               # a thousand cells
    python campaigns/random_cells.py --cells 1 --seed 1234 --show  # one of them again; cell k of --seed S is cell 0 of --seed S+k
    python campaigns/random_cells.py --cells 300 --shrink          # and the smallest cell that still fails

It ends with status 1 if any cell gives something else compiled than as a loop, or fails.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import minigrad as mg
from minigrad.scan.tree import flatten

scans: Any = sys.modules["minigrad.scan"]  # mg.scan is the function
CLOSE, ALLOWED, BOUND = 1e-12, 100.0, 20.0
ZEROS = "zeros, where the loop gives None, as the gradient"
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum"]
UNARY = ["tanh", "sigmoid", "exp", "softplus", "relu", "neg", "square", "sqrt", "clip", "detach", "softmax"]
REDUCTIONS = ["sum", "mean", "max", "logsumexp"]
OTHERS = ["matmul", "linear", "linear bias", "where", "number", "bias", "peephole", "slice", "split", "concatenate"]
WEIGHTS = {"matmul": 4, "linear": 3, "concatenate": 3, "slice": 2, "split": 2, "detach": 0.4, "softmax": 0.7}


@dataclass(frozen=True)
class Line:
    """One statement of a step: `name = text`, of so many columns, and which operation it is."""

    name: str
    text: str
    width: int
    op: str


@dataclass(frozen=True)
class Cell:
    """A cell, and the numbers to run it on."""

    seed: int
    steps: int
    batch: int
    reverse: bool
    passes: frozenset[str]
    second: bool
    arrays: dict[str, tuple[str, tuple[Any, ...]]]  # name -> (kind, shape); "T" and "B" stand for steps and batch
    wanted: frozenset[str]
    carry: str
    xs: str
    ins: tuple[str, str]
    body: tuple[Line, ...]
    new_carry: tuple[str, ...]
    carry_form: str
    y: str
    used: frozenset[int]
    widths: dict[str, int] = field(default_factory=dict)

    def source(self) -> str:
        """The step in Python."""
        lines = [f"{self.ins[0]} = carry", f"{self.ins[1]} = x", *[f"{one.name} = {one.text}" for one in self.body]]
        lines = [line for line in lines if not line.startswith("None =")]
        lines.append(f"return {self.carry_form.format(*self.new_carry)}, {self.y}")
        return "def step(carry, x):\n" + "".join([f"    {line}\n" for line in lines])

    def __str__(self) -> str:
        shapes = ", ".join(f"{name}{self.shape(name)}{'*' if name in self.wanted else ''}" for name in self.arrays)
        return (
            f"# seed {self.seed}: T={self.steps} B={self.batch} passes={','.join(sorted(self.passes)) or 'none'} second={self.second}\n"
            f"# arrays (* requires a gradient): {shapes}\n{self.source()}"
            f"mg.scan(step, {self.carry}, {self.xs}, reverse={self.reverse})  # results used: {sorted(self.used)}"
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, in numbers."""
        return tuple([{"T": self.steps, "B": self.batch}.get(size, size) for size in self.arrays[name][1]])

    def numbers(self) -> dict[str, Any]:
        """The arrays, each from its own stream, so that a smaller cell keeps what it has."""
        found = {}
        for name, (kind, _) in self.arrays.items():
            rng = np.random.default_rng([self.seed, *name.encode()])
            shape = self.shape(name)
            if kind == "index":
                found[name] = rng.integers(0, 4, shape)
            elif kind == "weight":
                found[name] = rng.normal(size=shape) * 0.7 / np.sqrt(shape[0])
            else:
                found[name] = rng.uniform(-1, 1, shape)
        return found


class Maker:
    """Writes one random cell."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.arrays: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self.pool: list[tuple[str, int, float]] = []  # name, columns, bound of the absolute value
        self.body: list[Line] = []

    def pick(self, items: Any) -> Any:
        """One of several."""
        return items[int(self.rng.integers(len(items)))]

    def chance(self, p: float) -> bool:
        """True so often."""
        return bool(self.rng.random() < p)

    def array(self, kind: str, prefix: str, *shape: Any) -> str:
        """A new array from outside."""
        name = f"{prefix}{len(self.arrays)}"
        self.arrays[name] = (kind, shape)
        return name

    def const(self, kind: str, prefix: str, *shape: Any) -> str:
        """A constant of that shape, at times one that is used already."""
        same = [name for name, form in self.arrays.items() if form == (kind, shape)]
        return self.pick(same) if same and self.chance(0.4) else self.array(kind, prefix, *shape)

    def say(self, text: str, width: int, op: str, bound: float) -> str:
        """One more statement; what could grow too large goes through tanh."""
        name = f"v{len(self.body)}"
        self.body.append(Line(name, text, width, op))
        if bound > BOUND:
            return self.say(f"mg.tanh({name})", width, "tanh", 1.0)
        self.pool.append((name, width, bound))
        return name

    def value(self) -> tuple[str, int, float]:
        """A value computed so far, rather one that nobody reads yet."""
        unread = self.unread()
        return self.pick(unread if unread and self.chance(0.75) else self.pool)

    def unread(self) -> list[tuple[str, int, float]]:
        """The values that no statement reads yet."""
        read = set(re.findall(r"\w+", " ".join([one.text for one in self.body])))
        return [one for one in self.pool if one[0] not in read]

    def partner(self, width: int) -> tuple[str, float]:
        """A second operand that broadcasts with so many columns."""
        fitting = [(name, bound) for name, columns, bound in self.pool if columns in (width, 1)]
        unread = [(name, bound) for name, columns, bound in self.unread() if columns in (width, 1)]
        fitting = unread if unread and self.chance(0.5) else fitting
        return self.pick(fitting) if fitting else ("0.5", 0.5)

    def operation(self) -> None:
        """One random operation."""
        names = BINARY + UNARY + REDUCTIONS + OTHERS
        weights = np.array([WEIGHTS.get(name, 1.0) for name in names])
        op = str(self.rng.choice(names, p=weights / weights.sum()))
        a, width, bound = self.value()
        columns = int(self.rng.integers(1, 7))
        if op in BINARY:
            b, other = self.partner(width)
            swap = self.chance(0.3) and op != "div"
            text = {
                "add": "{} + {}",
                "sub": "{} - {}",
                "mul": "{} * {}",
                "div": "{} / (1.5 + mg.abs({}))",
                "maximum": "mg.maximum({}, {})",
                "minimum": "mg.minimum({}, {})",
            }[op].format(*((b, a) if swap else (a, b)))
            grown = {"add": bound + other, "sub": bound + other, "mul": bound * other, "div": bound}.get(op, max(bound, other))
            self.say(text, width, op, grown)
        elif op in UNARY:
            text, grown = {
                "exp": ("mg.exp(mg.tanh({}))", 2.8),
                "neg": ("-{}", bound),
                "square": ("mg.square({})", bound**2),
                "sqrt": ("mg.sqrt(mg.square({}) + 1.0)", bound + 1),
                "clip": (f"mg.clip({{}}, lo={self.pick(['-0.5', '-0.2', 'None'])}, hi={self.pick(['0.3', '0.7'])})", max(0.7, bound)),
                "detach": ("{}.detach()", bound),
                "softmax": ("mg.softmax({}, axis=-1)", 1.0),
                "softplus": ("mg.softplus({})", bound + 0.7),
            }.get(op, (f"mg.{op}({{}})", bound if op == "relu" else 1.0))
            self.say(text.format(a), width, op, grown)
        elif op in REDUCTIONS:
            self.say(f"mg.{op}({a}, axis=-1, keepdims=True)", 1, op, bound * width + (np.log(width) if op == "logsumexp" else 0))
        elif op == "matmul":
            self.say(f"{a} @ {self.const('weight', 'w', width, columns)}", columns, op, bound * 2)
        elif op == "linear":
            self.say(f"mg.linear({a}, {self.const('weight', 'w', columns, width)})", columns, op, bound * 2)
        elif op == "linear bias":
            w, b = self.const("weight", "w", columns, width), self.const("vector", "b", columns)
            self.say(f"mg.linear({a}, {w}, {b})", columns, op, bound * 2 + 1)
        elif op == "where":
            b, other = self.partner(width)
            left, one = self.partner(width)
            limit = self.pick([b, "0.1", "0"])
            sides = self.pick([(a, left), (left, a), (a, "0.25"), ("0", a), (a, a)])
            self.say(f"mg.where({a} {self.pick(['>', '<', '>=', '<='])} {limit}, {sides[0]}, {sides[1]})", width, op, max(bound, one, 1))
        elif op == "number":
            text = self.pick(
                ["{} * 0.5", "1 - {}", "{} + 2", "{} / 3", "2.0 * {}", "mg.maximum({}, 0.1)", "{} - 0.25", "1.0 / (2.5 + mg.abs({}))"]
            )
            self.say(text.format(a), width, op, bound * 2 + 2)
        elif op == "bias":
            b = self.const("vector", "b", width)
            self.say(f"{a} {self.pick(['+', '*', '-'])} {self.pick([b, f'mg.tanh({b})', f'({b} * 2.0)'])}", width, op, bound * 2 + 2)
        elif op == "peephole":
            b = self.pick([("B", width), (1, width), ("B", 1), (1, 1), (1,), ()])
            self.say(f"{self.const('vector', 'p', *b)} {self.pick(['+', '*', '-'])} {a}", width, op, bound + 1)
        elif op == "slice":
            start = int(self.rng.integers(0, width))
            stop = int(self.rng.integers(start + 1, width + 1))
            index = self.pick([f":, {start}:{stop}", f"..., {start}:{stop}", f":, {start - width}:{stop - width or ''}"])
            self.say(f"{a}[{index}]", stop - start, op, bound)
        elif op == "split" and width > 1:
            parts = self.pick([n for n in range(2, width + 1) if width % n == 0])
            for number in range(parts) if self.chance(0.7) else [self.pick(range(parts))]:
                self.say(f"mg.split({a}, {parts}, axis=-1)[{number}]", width // parts, op, bound)
        elif op == "concatenate":
            pieces = [(a, width, bound)] + [self.value() for _ in range(int(self.rng.integers(1, 3)))]
            if self.chance(0.15):
                pieces.append((self.const("vector", "p", "B", 2), 2, 1.0))
            pieces = [pieces[k] for k in self.rng.permutation(len(pieces))]
            total = sum([size for _, size, _ in pieces])
            if total <= 12:
                text = f"mg.concatenate([{', '.join([name for name, *_ in pieces])}], axis=-1)"
                self.say(text, total, op, max([most for *_, most in pieces]))

    def form(self, count: int) -> str:
        """A tree of so many leaves, as a format."""
        return str(
            self.pick(
                {
                    0: ["None", "()"],
                    1: ["{}", "({},)", "{{'a': {}}}"],
                    2: ["({}, {})", "{{'a': {}, 'b': {}}}", "({}, ({},))", "[{}, {}]"],
                    3: ["({}, {}, {})", "({}, ({}, {}))", "({}, {{'a': {}, 'b': {}}})", "{{'a': {}, 'b': ({}, {})}}"],
                }[count]
            )
        )

    def make(self) -> Cell:
        """The cell."""
        rng = self.rng
        count, inputs = int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25])), int(rng.choice([0, 1, 2, 3], p=[0.08, 0.5, 0.27, 0.15]))
        widths = [int(rng.integers(1, 7)) for _ in range(count)]
        if count > 1 and self.chance(0.6):
            widths = [widths[0]] * count
        starts = [self.array("vector", "h", "B", width) for width in widths]
        if count > 1 and widths[0] == widths[1] and self.chance(0.08):
            del self.arrays[starts[1]]
            starts[1] = starts[0]
        carry_form, xs_form = self.form(count), self.form(inputs)
        carried = [f"c{k}" for k in range(count)]
        for name, width in zip(carried, widths, strict=True):
            self.pool.append((name, width, 1.0))
        inside, outside = [], []
        for number in range(inputs):
            inside.append(f"x{number}")
            width = int(rng.integers(1, 7))
            if self.chance(0.25):
                outside.append(self.array("index", "i", "T", "B"))
                table = self.array("weight", "e", 4, width)
                self.say(f"mg.take({table}, x{number})", width, "take", 3.0)
            else:
                outside.append(self.array("vector", "s", "T", "B", width))
                self.pool.append((f"x{number}", width, 1.0))
        if self.chance(0.15):
            self.pool.append((self.array("vector", "p", "B", int(rng.integers(1, 5))), 0, 1.0))
            name = self.pool[-1][0]
            self.pool[-1] = (name, self.arrays[name][1][1], 1.0)
        size = int(rng.integers(5, 41))
        while len(self.body) < size:
            self.operation()
        new = [self.leaf(k, widths[k], carried, widths) for k in range(count)]
        tensors = [name for name, *_ in self.pool]
        y = self.pick(["None", "one", "one", "carry", "several", "several", "several", "x", "new"])
        if y == "one":
            y = self.pick(tensors)
        elif y == "carry":
            y = self.pick(carried)
        elif y == "new":
            y = self.form(count).format(*new)
        elif y == "several":
            unread = [name for name, *_ in self.unread()]
            y = self.form(3).format(*[self.pick(unread if unread and self.chance(0.7) else tensors + new) for _ in range(3)])
        elif y == "x":
            y = "x" if inputs else self.pick(new)
        used = frozenset([k for k in range(12) if self.chance(0.6)])
        wanted = frozenset([name for name, (kind, _) in self.arrays.items() if kind != "index" and self.chance(0.6)])
        if self.chance(0.1):
            wanted = frozenset([name for name in wanted if name[0] not in self.pick(["h", "s", "hs", "wbpe"])])
        passes = frozenset(scans.PASSES)
        if self.chance(0.4):
            passes -= {self.pick(sorted(scans.PASSES))}
        elif self.chance(0.1):
            passes = frozenset()
        return Cell(
            seed=self.seed,
            steps=int(rng.integers(1, 10)),
            batch=int(rng.integers(1, 6)),
            reverse=self.chance(0.4),
            passes=passes,
            second=self.chance(0.1),
            arrays=dict(self.arrays),
            wanted=wanted,
            carry=carry_form.format(*starts),
            xs=xs_form.format(*outside),
            ins=(unpacked(carry_form, carried), unpacked(xs_form, inside)),
            body=tuple(self.body),
            new_carry=tuple(new),
            carry_form=carry_form,
            y=y,
            used=used,
            widths={**{name: width for name, width, _ in self.pool}, **{one.name: one.width for one in self.body}},
        )

    def leaf(self, k: int, width: int, carried: list[str], widths: list[int]) -> str:
        """What leaf k of the carry becomes: something computed, mostly, or an old leaf, its own or another."""
        old = [name for name, size in zip(carried, widths, strict=True) if size == width]
        if self.chance(0.12):
            return self.pick(old)
        fitting = [(name, bound) for name, size, bound in self.unread() if size == width and name[0] == "v"]
        if fitting and self.chance(0.7):
            name, bound = self.pick(fitting)
        else:
            source, size, _ = self.value()
            name, bound = self.say(f"{source} @ {self.const('weight', 'w', size, width)}", width, "matmul", 9.0), 9.0
        if bound <= 1.0:
            return name
        form = self.pick(["mg.tanh({})", "mg.tanh({})", "mg.sigmoid({})", "mg.clip({}, lo=-1.0, hi=1.0)", "0.5 * mg.tanh({})"])
        return self.say(form.format(name), width, "leaf", 1.0)


def unpacked(form: str, names: list[str]) -> str:
    """The left side of an assignment that takes a tree apart: dicts give up their values in order of their keys."""
    if not names:
        return "None"
    return f"{', '.join(names)}," if "{{" in form or "(" in form or "[" in form else names[0]


@dataclass
class Outcome:
    """What one run gave: arrays (or None) by name, and the report of the scan."""

    found: dict[str, Any]
    report: Any


def run(cell: Cell, mode: str, nudge: bool = False) -> Outcome:
    """Run a cell; with `nudge` on inputs that are one unit in the last place off."""
    arrays = cell.numbers()
    if nudge:
        rng = np.random.default_rng(cell.seed + 1)
        arrays = {name: a * (1 + rng.choice([-1, 1], a.shape) * 2.0**-52) if a.dtype.kind == "f" else a for name, a in arrays.items()}
    tensors = {name: mg.tensor(a, requires_grad=name in cell.wanted) for name, a in arrays.items()}
    space: dict[str, Any] = {"mg": mg, **tensors, "leaves": lambda tree: flatten(tree)[0]}
    source = cell.source().replace("= carry\n", "= leaves(carry)\n", 1) if "," in cell.ins[0] else cell.source()
    source = source.replace("= x\n", "= leaves(x)\n", 1) if "," in cell.ins[1] else source
    exec(source, space)
    scans.settings.mode, scans.settings.passes = mode, cell.passes
    try:
        carry, ys = mg.scan(space["step"], eval(cell.carry, space), eval(cell.xs, space), reverse=cell.reverse, length=cell.steps)
    finally:
        scans.settings.mode, scans.settings.passes = "compile", frozenset(scans.PASSES)
    report = mg.scan_report()
    leaves = flatten(carry)[0] + flatten(ys)[0]
    found: dict[str, Any] = {f"result {k}": leaf.numpy().copy() for k, leaf in enumerate(leaves)}
    total: Any = None
    for k, leaf in enumerate(leaves):
        if k in cell.used and leaf.dtype.kind == "f":
            cotangent = np.random.default_rng([cell.seed, k]).normal(size=leaf.shape)
            part = (leaf * mg.tensor(cotangent)).sum()
            total = part if total is None else total + part
    wanted = [name for name in tensors if name in cell.wanted]
    if total is not None and total.requires_grad:
        total.backward(create_graph=cell.second)
    first = {name: tensors[name].grad for name in wanted}
    found.update({f"gradient {name}": None if g is None else g.numpy().copy() for name, g in first.items()})
    if cell.second:
        total = None
        for name, g in first.items():
            if g is not None and g.requires_grad:
                part = (g * mg.tensor(np.random.default_rng([cell.seed, *name.encode(), 1]).normal(size=g.shape))).sum()
                total = part if total is None else total + part
            tensors[name].grad = None
        if total is not None:
            total.backward()
        found.update({f"second {name}": None if tensors[name].grad is None else tensors[name].grad.numpy().copy() for name in wanted})
    return Outcome(found, report)


def apart(got: Any, want: Any) -> float:
    """max|a-b| / max|b|."""
    if got.size == 0:
        return 0.0
    if not np.isfinite(got).all() or not np.isfinite(want).all():
        return 0.0 if np.array_equal(got, want, equal_nan=True) else np.inf
    return float(np.abs(got - want).max() / max(1e-300, np.abs(want).max()))


def compare(cell: Cell) -> tuple[list[str], bool, Any]:
    """What differs, whether the allowance for rounding was needed, and the report."""
    eager = run(cell, "eager")
    try:
        compiled = run(cell, "compile")
    except Exception as problem:
        return [f"crash: {type(problem).__name__}: {problem}"], False, None
    wrong: list[str] = []
    zeros: list[str] = []
    needed, nudged = False, None
    if list(eager.found) != list(compiled.found):
        return ["other results"], False, compiled.report
    for name, want in eager.found.items():
        got = compiled.found[name]
        if (got is None) != (want is None):
            if want is None and not got.any():
                zeros.append(name)
                continue
            wrong.append(f"{name}: {'None' if got is None else 'a tensor'}, the loop gives {'None' if want is None else 'a tensor'}")
            continue
        if want is None:
            continue
        if got.shape != want.shape or got.dtype != want.dtype:
            wrong.append(f"{name}: {got.shape} {got.dtype}, the loop gives {want.shape} {want.dtype}")
            continue
        off = apart(got, want)
        if off > CLOSE:
            nudged = nudged or run(cell, "eager", nudge=True)
            other = nudged.found[name]
            cancelled = np.abs(got - want).max() <= 1e-13  # what is zero but for rounding, next to cotangents of about 1
            if cancelled or (other is not None and np.isfinite(off) and off <= ALLOWED * apart(other, want)):
                needed = True
            else:
                wrong.append(f"{name}: off by {off:.2g}")
    if zeros and not wrong:
        wrong = [f"{ZEROS} of {', '.join(zeros)}"]
    return wrong, needed, compiled.report


def kind_of(wrong: list[str]) -> str:
    """The sort of a failure, which shrinking must keep."""
    return wrong[0].split(" ")[0] + ("None" if "None" in wrong[0] else "") + (wrong[0] if "crash" in wrong[0] else "") if wrong else ""


def without(cell: Cell, gone: str, instead: str) -> Cell:
    """The cell with one value replaced by another, and what is then read by nobody left out."""

    def put(text: str) -> str:
        return re.sub(rf"\b{gone}\b", instead, text)

    body = [replace(one, text=put(one.text)) for one in cell.body if one.name != gone]
    new, y = tuple([put(name) for name in cell.new_carry]), put(cell.y)
    return dead(replace(cell, body=tuple(body), new_carry=new, y=y))


def dead(cell: Cell) -> Cell:
    """Without statements and arrays that nobody reads."""
    read = set(re.findall(r"\w+", f"{cell.new_carry} {cell.y}"))
    kept = []
    for one in reversed(cell.body):
        if one.name in read:
            kept.append(one)
            read |= set(re.findall(r"\w+", one.text))
    read |= set(re.findall(r"\w+", f"{cell.carry} {cell.xs}"))
    arrays = {name: form for name, form in cell.arrays.items() if name in read}
    return replace(cell, body=tuple(kept[::-1]), arrays=arrays, wanted=cell.wanted & set(arrays))


def smaller(cell: Cell) -> Any:
    """Cells that are a little smaller."""
    for one in reversed(cell.body):
        earlier = [name for name, width in cell.widths.items() if width == one.width and (name[0] in "cx" or name in one.text)]
        for name in earlier:
            if name != one.name and (name[0] != "v" or int(name[1:]) < int(one.name[1:])):
                yield without(cell, one.name, name)
    for k, name in enumerate(cell.new_carry):
        if name != f"c{k}":
            yield dead(replace(cell, new_carry=(*cell.new_carry[:k], f"c{k}", *cell.new_carry[k + 1 :])))
    if cell.y != "None":
        yield dead(replace(cell, y="None"))
        for name in re.findall(r"\b[vcx]\d*\b", cell.y):
            if name != cell.y:
                yield dead(replace(cell, y=name))
    for steps in range(1, cell.steps):
        yield replace(cell, steps=steps)
    for batch in range(1, cell.batch):
        yield replace(cell, batch=batch)
    for name in sorted(cell.wanted):
        yield replace(cell, wanted=cell.wanted - {name})
    for k in sorted(cell.used):
        yield replace(cell, used=cell.used - {k})
    if cell.reverse:
        yield replace(cell, reverse=False)
    if cell.second:
        yield replace(cell, second=False)
    for passes in (frozenset[str](), frozenset(scans.PASSES)):
        if cell.passes != passes and len(passes) != len(cell.passes):
            yield replace(cell, passes=passes)
            break


def shrunk(cell: Cell, kind: str, seconds: float = 10.0) -> Cell:
    """The smallest cell found that fails in the same way."""
    until, again = time.perf_counter() + seconds, True
    tried: set[str] = set()
    while again and time.perf_counter() < until:
        again = False
        for candidate in smaller(cell):
            if str(candidate) in tried or time.perf_counter() > until:
                continue
            tried.add(str(candidate))
            try:
                wrong = compare(candidate)[0]
            except Exception:
                continue  # no cell at all
            if kind_of(wrong) == kind:
                cell, again = candidate, True
                break
    return cell


def main() -> int:
    """Try as many cells as were asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first cell; the next has the next")
    parser.add_argument("--show", action="store_true", help="print every cell")
    parser.add_argument("--shrink", action="store_true", help="look for a smaller cell that fails in the same way")
    parser.add_argument("--zeros", action="store_true", help="only count gradients of zeros where the loop gives None")
    arguments = parser.parse_args()
    began = time.perf_counter()
    compiled = allowed = second = failed = invalid = 0
    reasons: Counter[str] = Counter()
    ops: Counter[str] = Counter()
    passes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for seed in range(arguments.seed, arguments.seed + arguments.cells):
        cell = dead(Maker(seed).make())
        if arguments.show:
            print(cell, flush=True)
        ops.update([one.op for one in cell.body])
        try:
            wrong, needed, report = compare(cell)
        except Exception as problem:  # the loop itself fails
            wrong, needed, report = [f"the loop itself: {type(problem).__name__}: {problem}"], False, None
            invalid += 1
        second += cell.second
        allowed += needed
        if report is not None:
            compiled += report.compiled
            passes.update(report.passes)
            if not report.compiled:
                reasons[re.sub(r"\d+", "N", report.reason)] += 1
        if wrong:
            kinds[re.sub(r"\d+(\.\d+)?(e-?\d+)?", "N", wrong[0] if ZEROS not in wrong[0] else ZEROS)] += 1
        if wrong and not (arguments.zeros and ZEROS in wrong[0]):
            failed += 1
            print(f"MISMATCH --cells 1 --seed {seed}: {'; '.join(wrong)}\n{cell}", flush=True)
            if arguments.shrink:
                small = shrunk(cell, kind_of(wrong))
                try:
                    said = "; ".join(compare(small)[0])
                except Exception as problem:
                    said = str(problem)
                print(f"-- smallest found: {said}\n{small}", flush=True)
    print(f"{arguments.cells} cells from seed {arguments.seed}, {time.perf_counter() - began:.0f} s")
    print(f"compiled: {compiled} ({100 * compiled / max(1, arguments.cells):.1f} %), with second order: {second}")
    print(f"within rounding of a perturbed input only: {allowed}")
    for name, table in (("ran as a loop", reasons), ("operations", ops), ("passes", passes), ("kinds of mismatch", kinds)):
        print(f"{name}:")
        for what, count in table.most_common():
            print(f"  {count:7d}  {what}")
    print(f"mismatches: {failed} (of these cells that fail as a loop: {invalid})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
