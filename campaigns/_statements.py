"""The statements of random cells: one method or one table entry for each form a statement can have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from _cells import Line, words

BOUND = 20.0  # larger values go through tanh
APART = 0.37  # what jumps does not jump at 0, where rounding alone decides: log(sum(softmax(a))) is 1e-17 or -1e-17
Growth = Callable[[float], float]


class Known(NamedTuple):
    """A value that statements may read: its name, its columns and a bound of its absolute value."""

    name: str
    width: int
    bound: float


def steady(bound: float) -> float:
    """The bound of what does not grow."""
    return bound


def unit(bound: float) -> float:
    """The bound of what squashes."""
    return 1.0


ALONE: dict[str, tuple[str, Growth]] = {  # form -> its text, and the bound of the result from that of the operand
    "tanh": ("mg.tanh({})", unit),
    "sigmoid": ("mg.sigmoid({})", unit),
    "exp": ("mg.exp(mg.tanh({}))", lambda _: math.e),
    "log": ("mg.log(1.5 + mg.abs({}))", lambda bound: 1 + bound),
    "sqrt": ("mg.sqrt(mg.square({}) + 1.0)", lambda bound: 1 + bound),
    "square": ("mg.square({})", lambda bound: bound**2),
    "cube": ("{} ** 3", lambda bound: bound**3),
    "inverse": ("(1.5 + mg.abs({})) ** -1", unit),
    "root": ("(0.5 + mg.abs({})) ** 0.5", lambda bound: 1 + bound),
    "abs": ("mg.abs({})", steady),
    "sign": (f"mg.sign({{}} - {APART})", unit),
    "softplus": ("mg.softplus({})", lambda bound: bound + 0.7),
    "relu": ("mg.relu({})", steady),
    "silu": ("mg.silu({})", steady),
    "gelu": ("mg.gelu({})", steady),
    "erf": ("mg.erf({})", unit),
    "erfc": ("mg.erfc({})", lambda _: 2.0),
    "expm1": ("mg.expm1(mg.tanh({}))", lambda _: math.e),
    "log1p": ("mg.log1p(mg.abs({}))", steady),
    "log_sigmoid": ("mg.log_sigmoid({})", lambda bound: bound + 0.7),
    "neg": ("-{}", steady),
    "softmax": ("mg.softmax({}, axis=-1)", unit),
    "log_softmax": ("0.75 * mg.log_softmax({}, axis=-1)", lambda bound: 2 * bound + 2.5),  # its own logsumexp is 0, to rounding or exactly
    "detach": ("{}.detach()", steady),
    "no_grad": ("mg.no_grad()(mg.tanh)({})", unit),
    "clone": ("mg.clone({})", steady),
    # with a carry, or the gradients of all steps would be cast in one: float32 would round them otherwise than the loop does
    "cast": ("({} + c0[..., :1]).astype('float32').astype('float64')", lambda bound: 1 + bound),
    "expand": ("mg.squeeze(mg.sigmoid(mg.expand_dims({}, -2)), -2)", unit),
}
PAIRS: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "add": ("{} + {}", lambda a, b: a + b),
    "sub": ("{} - {}", lambda a, b: a + b),
    "mul": ("{} * {}", lambda a, b: a * b),
    "div": ("{} / (1.5 + mg.abs({}))", lambda a, b: max(a, b)),
    "maximum": ("mg.maximum({}, {})", max),
    "minimum": ("mg.minimum({}, {})", max),
    **{name: (f"mg.{name}({{}}, {{}} + {APART}).astype('float64')", lambda a, b: 1.0) for name in ("lt", "le", "gt", "ge")},
    **{name: (f"mg.{name}(mg.relu({{}} - {APART}), {{}} * 0.0).astype('float64')", lambda a, b: 1.0) for name in ("eq", "ne")},
}
REDUCTIONS = ["sum", "mean", "max", "logsumexp"]
NUMBERS = ["{} * 0.5", "1 - {}", "{} + 2", "{} / 3", "2.0 * {}", "mg.maximum({}, 0.1)", "{} - 0.25", "1.0 / (2.5 + mg.abs({}))"]
WEIGHTS = {  # how often, next to the 1 of all others; what stops gradients is rare
    "matmul": 4.0,
    "linear": 3.0,
    "concatenate": 3.0,
    "slice": 2.0,
    "split": 2.0,
    "weight_view": 2.0,
    "relu": 2.0,
    "softmax": 0.7,
    **dict.fromkeys(["detach", "no_grad", "sign", "eq", "ne", "lt", "le", "gt", "ge"], 0.5),
}


class Writer:
    """Writes random statements, each over what was written before."""

    def __init__(self, seed: int, attempt: int) -> None:
        self.seed = seed
        self.rng = np.random.default_rng([seed, attempt])
        self.arrays: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self.pool: list[Known] = []
        self.body: list[Line] = []
        self.index: list[str] = []  # the x of whole numbers
        self.plain: list[Known] = []  # the others
        self.batched = not self.chance(0.12)
        others = [self.matmul, self.linear, self.weight_view, self.where, self.mask, self.number, self.bias, self.peephole, self.slice]
        others += [self.column, self.stretch, self.split, self.reshape, self.concatenate, self.stack, self.clip, self.constant]
        self.others: dict[str, Callable[[Known], Any]] = {method.__name__: method for method in others}
        self.forms = [*ALONE, *PAIRS, *REDUCTIONS, *self.others]
        weights = np.array([WEIGHTS.get(name, 1.0) for name in self.forms])
        self.weights = weights / weights.sum()

    # ---- chance, and what there is to read

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
        alike = [name for name, form in self.arrays.items() if form == (kind, shape) and name[0] == prefix]
        return self.pick(alike) if alike and self.chance(0.4) else self.array(kind, prefix, *shape)

    def unread(self) -> list[Known]:
        """The values that no statement reads yet."""
        read = words(" ".join([one.text for one in self.body]))
        return [known for known in self.pool if known.name not in read]

    def value(self) -> Known:
        """A value, rather one that nobody reads yet."""
        unread = self.unread()
        return self.pick(unread if unread and self.chance(0.85) else self.pool)

    def partner(self, a: Known) -> Known:
        """A second operand that broadcasts to the columns of a; another, for in a - a rounding alone is left."""
        fitting = [known for known in self.pool if known.width in (a.width, 1) and known != a]
        unread = [known for known in self.unread() if known in fitting]
        fitting = unread if unread and self.chance(0.6) else fitting
        return self.pick(fitting) if fitting else Known("0.5", 1, 0.5)

    def say(self, text: str, width: int, form: str, bound: float) -> Known:
        """One more statement; what could grow too large goes through tanh."""
        name = f"v{len(self.body)}"
        self.body.append(Line(name, text, width, form))
        if bound > BOUND:
            return self.say(f"mg.tanh({name})", width, "tanh", 1.0)
        self.pool.append(Known(name, width, bound))
        return self.pool[-1]

    # ---- statements

    def statement(self) -> None:
        """One random statement."""
        form, a = str(self.rng.choice(self.forms, p=self.weights)), self.value()
        if form in ALONE:
            text, grown = ALONE[form]
            self.say(text.format(a.name), a.width, form, grown(a.bound))
        elif form in PAIRS:
            pair, grow = PAIRS[form]
            b = self.partner(a)
            names = (b.name, a.name) if self.chance(0.3) else (a.name, b.name)
            self.say(pair.format(*names), a.width, form, grow(a.bound, b.bound))
        elif form in REDUCTIONS:
            text = self.pick([f"mg.{form}({a.name}, axis=-1, keepdims=True)", f"mg.expand_dims(mg.{form}({a.name}, axis=-1), -1)"])
            self.say(text, 1, form, a.bound * a.width + 2.5 * (form == "logsumexp"))
        else:
            self.others[form](a)

    def columns(self) -> int:
        """How many columns a product gives."""
        return int(self.rng.integers(1, 7))

    def matmul(self, a: Known) -> None:
        """a W."""
        columns = self.columns()
        self.say(f"{a.name} @ {self.const('weight', 'w', a.width, columns)}", columns, "matmul", a.bound * 2)

    def linear(self, a: Known) -> None:
        """a W^T, with a bias or without."""
        columns = self.columns()
        bias = f", {self.const('vector', 'b', columns)}" if self.chance(0.4) else ""
        self.say(f"mg.linear({a.name}, {self.const('weight', 'w', columns, a.width)}{bias})", columns, "linear", a.bound * 2 + 1)

    def weight_view(self, a: Known) -> None:
        """a times something that is made of constants alone."""
        columns = self.columns()
        turned, wide = self.const("weight", "w", columns, a.width), self.const("weight", "w", a.width, columns + 2)
        text = self.pick([f"mg.transpose({turned})", f"mg.swapaxes({turned}, 0, 1)", f"{wide}[:, 1:-1]", f"mg.tanh({wide})[:, :-2]"])
        self.say(f"{a.name} @ {text}", columns, "weight_view", a.bound * 2)

    def where(self, a: Known) -> None:
        """A choice element by element."""
        b, c = self.partner(a), self.partner(a)
        limit = self.pick([f"{b.name} + {APART}", "0.1", "-1"])
        sides = self.pick([(a.name, c.name), (c.name, a.name), (a.name, "0.25"), ("0", a.name), (a.name, a.name)])
        condition = f"{a.name} {self.pick(['>', '<', '>=', '<='])} {limit}"
        self.say(f"mg.where({condition}, {sides[0]}, {sides[1]})", a.width, "where", max(a.bound, c.bound, 1))

    def mask(self, a: Known) -> None:
        """A choice or a factor that whole numbers make."""
        if self.index:
            i, c = self.pick(self.index), self.partner(a)
            choice = f"mg.where(mg.expand_dims({i} {self.pick(['>', '<='])} 1, -1), {a.name}, {c.name})"
            text = self.pick([choice, f"{a.name} * mg.expand_dims({i}.astype('float64'), -1)"])
            self.say(text, a.width, "mask", max(3 * a.bound, c.bound))

    def number(self, a: Known) -> None:
        """a and a Python number."""
        self.say(self.pick(NUMBERS).format(a.name), a.width, "number", a.bound * 2 + 2)

    def bias(self, a: Known) -> None:
        """a and one row of constants, or what is made of them."""
        b = self.const("vector", "b", a.width)
        self.say(f"{a.name} {self.pick('+*-')} {self.pick([b, f'mg.tanh({b})', f'({b} * 2.0)'])}", a.width, "bias", a.bound * 2 + 2)

    def peephole(self, a: Known) -> None:
        """Constants of every shape that broadcasts, and a."""
        shapes = [("B", a.width), (1,), (), *([(1, a.width), ("B", 1), (1, 1)] if self.batched else [])]
        self.say(f"{self.const('vector', 'p', *self.pick(shapes))} {self.pick('+*-')} {a.name}", a.width, "peephole", a.bound + 1)

    def constant(self, a: Known) -> None:
        """a and an array that the step makes."""
        self.say(f"{a.name} + np.linspace(0.2, 0.9, {a.width})", a.width, "constant", a.bound + 1)

    def slice(self, a: Known) -> None:
        """Some columns."""
        start = int(self.rng.integers(0, a.width))
        stop = int(self.rng.integers(start + 1, a.width + 1))
        row = ":, " if self.batched else ""
        index = self.pick([f"{row}{start}:{stop}", f"..., {start}:{stop}", f"{row}{start - a.width}:{stop - a.width or ''}"])
        self.say(f"{a.name}[{index}]", stop - start, "slice", a.bound)

    def column(self, a: Known) -> None:
        """One column."""
        k = int(self.rng.integers(-a.width, a.width))
        self.say(f"mg.expand_dims({a.name}[..., {k}], -1)", 1, "column", a.bound)

    def stretch(self, a: Known) -> None:
        """One column as many."""
        columns = self.columns()
        self.say(f"mg.broadcast_to({a.name}[..., :1], (*{a.name}.shape[:-1], {columns}))", columns, "stretch", a.bound)

    def split(self, a: Known) -> None:
        """Parts of equal width, all of them or one."""
        if a.width > 1:
            parts = self.pick([n for n in range(2, a.width + 1) if a.width % n == 0])
            for k in range(parts) if self.chance(0.7) else [self.pick(range(parts))]:
                self.say(f"mg.split({a.name}, {parts}, axis=-1)[{k}]", a.width // parts, "split", a.bound)

    def reshape(self, a: Known) -> None:
        """The columns as a matrix for a while."""
        parts = self.pick([n for n in range(1, a.width + 1) if a.width % n == 0])
        rows, matrix = f"*{a.name}.shape[:-1]", f"{a.name}.reshape(*{a.name}.shape[:-1], {parts}, {a.width // parts})"
        if self.chance(0.5):
            self.say(f"mg.tanh({matrix}).reshape({rows}, {a.width})", a.width, "reshape", 1.0)
        else:
            self.say(f"mg.sum({matrix}, axis=(-2, -1)).reshape({rows}, 1)", 1, "reshape", a.bound * a.width)

    def concatenate(self, a: Known) -> None:
        """Values side by side, constants among them."""
        pieces = [a] + [self.value() for _ in range(int(self.rng.integers(1, 3)))]
        if self.chance(0.15):
            pieces.append(Known(self.const("vector", "p", "B", 2), 2, 1.0))
        pieces = [pieces[k] for k in self.rng.permutation(len(pieces))]
        total = sum([piece.width for piece in pieces])
        if total <= 12:
            text = f"mg.concatenate([{', '.join([piece.name for piece in pieces])}], axis=-1)"
            self.say(text, total, "concatenate", max([piece.bound for piece in pieces]))

    def stack(self, a: Known) -> None:
        """x beside itself, which can run ahead of the loop."""
        if self.plain:
            x = self.pick(self.plain)
            text = f"mg.stack([{x.name}, mg.tanh({x.name})], axis=-1).reshape(*{x.name}.shape[:-1], {2 * x.width})"
            self.say(text, 2 * x.width, "stack", 1.0)

    def clip(self, a: Known) -> None:
        """a between bounds, or below one."""
        text = f"mg.clip({a.name}, lo={self.pick(['-0.5', '-0.2', 'None'])}, hi={self.pick(['0.3', '0.7'])})"
        self.say(text, a.width, "clip", max(0.7, a.bound))
