"""What all optimisers share: parameter groups, state, checkpoints, and the pass over memory that their equations run in.

An optimiser is its `update`: the paper's equations on plain NumPy arrays. The base class hands it one block of the parameter after
another, with the gradient, clipped, turned round and decayed as asked, and what is kept: all of it stays in cache while the equations
pass over it. Nothing here is recorded on the tape, but every step counts as a change of the parameter: a backward pass that still
needs the old numbers refuses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from minigrad.sparse import Rows
from minigrad.tape import Tensor

from .clip import fine, measured
from .lag import Lag

Array = np.ndarray[Any, Any]
Params = Iterable[Any]  # of tensors, or of parameter groups
BLOCK = 16384  # elements: a block of the parameter, its gradient, state and scratch stays in cache while every pass goes over it

# Options that groups of PyTorch carry and that change nothing here
FOREIGN = {"foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay", "initial_lr", "name", "param_names"}
FLAGS = {"amsgrad": False, "maximize": False}  # options that a saved group may lack


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Arrays of one shape as matching pieces of at most BLOCK elements; whole if they are small or not contiguous."""
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield tuple([array[start : start + BLOCK] for array in flat])


class Optimizer:
    """What all optimisers share: a new one computes in `update`, and says in `kept` what it keeps for each parameter.

    `params`: an iterable of tensors, or of parameter groups: dicts with "params" and options that differ from `defaults`.
    `param_groups` is the list of these dicts, each with every option; set `param_groups[0]["lr"]` to change a rate. `state` has, for each
    parameter that was updated, a dict of NumPy arrays and numbers. Parameters are leaves that require gradients, each given once;
    anything else raises TypeError or ValueError. The options `maximize` and `weight_decay` are seen to here: `update` finds them in the
    gradient.

    >>> import minigrad as mg
    >>> class SignSGD(Optimizer):
    ...     def update(self, p, g, state, group):
    ...         p -= group["lr"] * np.sign(g)
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SignSGD([w], {"lr": 0.5, "weight_decay": 0.0})
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5, 1.5], requires_grad=True)
    """

    decoupled = False  # the decay of the weights is not part of the gradient: `update` sees to it

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.name = type(self).__name__
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.lags: dict[Tensor, Lag] = {}  # of tables whose unused rows are behind
        self._scratch: dict[np.dtype[Any], Array] = {}
        if isinstance(params, Tensor):
            raise TypeError(f"{self.name} wants an iterable of parameters, this is one tensor of shape {params.shape}: put it in a list")
        if not isinstance(params, Iterable):
            hint = ": pass its .parameters()" if hasattr(params, "parameters") else ""
            raise TypeError(f"{self.name} wants an iterable of parameters, got {type(params).__name__}{hint}")
        given = list(params)
        if not given:
            raise ValueError(f"{self.name} was given no parameters (a generator that was read already is empty too)")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    # ---- what an optimiser defines

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """What is kept for each parameter of `group`: the names of arrays of its shape, and the number each is filled with at first.

        The name "step" stands for a count of the steps, a plain number.
        """
        return {}

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """One step of a part of one parameter: change `p` in place by its gradient `g`.

        `state` has the same part of what is `kept`, to be changed in place, the count "step" with this step in it if it is kept, and
        "first": whether this is the first step with this state.
        """
        raise NotImplementedError(f"{self.name} has no update")

    def fused(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any], scale: float) -> bool:
        """The whole step of one parameter by a kernel, g times `scale` being the gradient; False where there is none that serves."""
        return False

    def rest(self, group: dict[str, Any], dtype: np.dtype[Any]) -> tuple[float | None, dict[str, float]]:
        """Of steps without a gradient: after how many nothing moves any more, and what each kept array is multiplied by from then on.

        With it, steps with a gradient of rows (sparse.py) put off what the other rows have to do (lag.py). math.inf puts off any number of
        steps; None, which is right for every `update`, none.
        """
        return None, {}

    def numbers_of(self, step: dict[str, Any]) -> Any:
        """What `replayed` needs of a step with these options: up to seven numbers."""
        return 0.0

    def replayed(self, lag: Lag, rows: Array, most: int) -> bool:
        """At most so many of the steps that `rows` of a table have missed, by a kernel; False where there is none that serves."""
        return False

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options that make no sense. Subclasses check theirs, and call this for the common ones."""
        for option in ("lr", "momentum", "eps", "weight_decay", "lr_decay", "initial_accumulator_value"):
            if option in group and not (isinstance(group[option], int | float | np.number) and 0 <= group[option] < math.inf):
                raise ValueError(f"{self.name}: {option}={group[option]} should be a finite number that is not negative")
        betas = group.get("betas", (0, 0))
        pair = isinstance(betas, tuple | list) and len(betas) == 2
        if not pair or not all(isinstance(beta, int | float | np.number) and 0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self.name}: betas={betas} should be two numbers from 0 up to, not with, 1")
        if group.get("amsgrad") and "amsgrad" not in self.defaults:
            raise ValueError(f"{self.name} has no option 'amsgrad', and this group asks for it")

    # ---- groups

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters with options of their own; options left out take the optimiser's defaults.

        Raises TypeError or ValueError, with nothing added, if a parameter or an option will not do.

        >>> import minigrad as mg
        >>> optimizer = mg.optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.1)
        >>> optimizer.add_param_group({"params": [mg.tensor([2.0], requires_grad=True)], "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"{self.name}: a parameter group is a dict with the key 'params', got {group!r}")
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        seen = {id(p) for old in self.param_groups for p in old["params"]}
        for position, p in enumerate(params):
            which = f"{self.name}: parameter {position} of group {len(self.param_groups)}"
            if not isinstance(p, Tensor):
                hint = ": pass parameters(), without names" if isinstance(p, tuple) else ""
                raise TypeError(f"{which} is a {type(p).__name__}, not a tensor{hint}")
            which += f", of shape {p.shape},"
            if not p.is_leaf:
                raise ValueError(f"{which} is a computed tensor: only leaves can be optimised, so pass what it was computed from")
            if not p.requires_grad and not p.parameter:  # a parameter of a module may be frozen, and thawed later
                raise ValueError(f"{which} does not require a gradient: call requires_grad_(), or leave it out")
            if id(p) in seen:
                raise ValueError(f"{which} was given twice: it would be updated twice in a step")
            seen.add(id(p))
        if unknown := sorted(set(group) - {"params", *FLAGS, *FOREIGN, *self.defaults}):
            raise ValueError(f"{self.name}: a group has the options {unknown}; there are {', '.join(self.defaults)}")
        full = {**self.defaults, **group, "params": params}
        self.check(full)
        self.param_groups.append(full)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: `.grad` of every parameter becomes None; with set_to_none=False, zeros where there is one."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else Tensor(np.zeros(p.shape, p.dtype))

    # ---- the step

    def step(self, max_norm: float | None = None) -> Tensor | None:
        """Update every parameter that has a gradient and is not frozen, in place. The gradients are read, not changed.

        With `max_norm` the step is that of gradients whose norm, all together, is at most that: what clip_grad_norm_ gives first, to
        the bit, but without a pass over memory to scale them. The norm before is returned then, else None.

        Raises MutationError if the memory of a parameter is read-only, and RuntimeError for a norm to be clipped that is not finite, with
        nothing updated.

        >>> import minigrad as mg
        >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = mg.optim.SGD([w], lr=1.0)
        >>> (w * w / 2).sum().backward()
        >>> optimizer.step(max_norm=1.0).item()
        5.0
        >>> w.numpy().round(3)
        array([2.4, 3.2], dtype=float32)
        """
        cause = f"the {self.name} step"
        if callable(max_norm):
            raise TypeError(f"{self.name}: step() takes no closure: compute the loss and call backward() before the step")
        due = [(p, p.grad, group) for group in self.param_groups for p in group["params"] if p.grad is not None and p.requires_grad]
        norm, scale = None, 1.0
        if max_norm is not None:
            places = {id(p): place for place, p in enumerate(p for group in self.param_groups for p in group["params"])}
            total, scale = measured([(f"parameter {places[id(p)]} of shape {p.shape}", g) for p, g, _ in due], max_norm, cause=cause)
            norm = Tensor(total, np.float64)
        try:
            self.step_all(due, scale, cause)
        finally:
            for p, _, _ in due:
                if p in self.lags:
                    self.lags[p].cover(p)
        return norm

    def step_all(self, due: list[tuple[Tensor, Tensor, dict[str, Any]]], scale: float, cause: str) -> None:
        """The steps of all parameters that have a gradient, once it is known that none of them refuses."""
        for p, _, _ in due:
            lag = self.lags.get(p)
            if lag is not None:
                lag.uncover(p)
        targets = [p.change(cause, leaf=True) for p, _, _ in due]
        with np.errstate(all="ignore"):
            for (p, grad, group), target in zip(due, targets, strict=True):
                if isinstance(grad._array, Rows) and target.flags.c_contiguous and self.rest(group, target.dtype)[0] is not None:
                    self.advance_rows(p, target, grad._array, group, scale)
                else:
                    self.settle(p)
                    state = self.state.setdefault(p, {})
                    first = self.begin(target, state, group)
                    self.moved(target, grad.numpy(), state, group, scale, first)

    def begin(self, param: Array, state: dict[str, Any], group: dict[str, Any]) -> bool:
        """Count the step, and make what is to be kept; True if any of it is new."""
        first = False
        for name, number in self.kept(group).items():
            if name not in state:
                first = True
                state[name] = 0 if name == "step" else np.full(param.shape, number, param.dtype)
        if "step" in state:
            state["step"] += 1
        return first

    def moved(self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any], scale: float, first: bool = False) -> None:
        """One step of `param`, in one pass over its memory; the gradient is `scale` times `grad`."""
        scale = -scale if group.get("maximize") else scale
        if self.fused(param, grad, state, group, scale):
            return
        decay = 0.0 if self.decoupled else float(group.get("weight_decay", 0))
        arrays = {name: array for name, array in state.items() if isinstance(array, np.ndarray)}
        for p, g, *pieces in blocks(param, grad, *arrays.values()):
            r = self.scratch(p)[2]
            if scale != 1:
                g = np.multiply(g, fine(scale, g.dtype), out=r)
            if decay:
                g = np.add(np.multiply(p, decay, out=self.scratch(p)[0]), g, out=r)
            self.update(p, g, MappingProxyType({**state, **dict(zip(arrays, pieces, strict=True)), "first": first}), group)

    def advance_rows(self, p: Tensor, param: Array, grad: Rows, group: dict[str, Any], scale: float) -> None:
        """The step of a table of whose gradient some rows are not zero: theirs now, that of the others when they are read."""
        lag = self.lags.get(p)
        if lag is not None and lag.array is not param:
            self.settle(p)
            lag = None
        state = self.state.setdefault(p, {})
        if lag is not None:
            lag.catch_up(grad.rows)
        first = self.begin(param, state, group)
        if lag is None and self.rest(group, param.dtype) != (0, {}):
            lag = self.lags[p] = Lag(self.without_parameters(), param, state)
        if lag is not None:
            lag.note(group)
            lag.seen[grad.rows] = len(lag.steps)
        part = {name: value[grad.rows] if isinstance(value, np.ndarray) else value for name, value in state.items()}
        weights = param[grad.rows]
        self.moved(weights, grad.values, part, group, scale, first)
        param[grad.rows] = weights
        for name, value in part.items():
            if isinstance(value, np.ndarray):
                state[name][grad.rows] = value

    def settle(self, p: Tensor) -> None:
        """Let all rows of a table take the steps they have put off, and put off no more."""
        lag = self.lags.pop(p, None)
        if lag is not None:
            lag.catch_up()
            lag.uncover(p)

    def __getstate__(self) -> dict[str, Any]:
        for p in list(self.lags):
            self.settle(p)
        return {**self.__dict__, "_scratch": {}}

    def without_parameters(self) -> Self:
        """The equations alone."""
        bare = type(self).__new__(type(self))
        bare.__dict__.update(self.__dict__, param_groups=[], state={}, lags={}, _scratch={})
        return bare

    def scratch(self, like: Array) -> list[Array]:
        """Three arrays of the shape and dtype of `like`, two of them for `update` to compute in; the memory is the same at every call."""
        memory = self._scratch.get(like.dtype)
        if memory is None or memory.shape[1] < like.size:
            memory = self._scratch[like.dtype] = np.empty((3, like.size), like.dtype)
        return [row[: like.size].reshape(like.shape) for row in memory]

    # ---- checkpoints

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that a later run needs to go on bit for bit, as tensors and numbers: mg.save writes it as it is.

        The layout is PyTorch's, parameters are numbered in the order they were given.

        >>> import minigrad as mg
        >>> mg.optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        for lag in self.lags.values():
            lag.catch_up()
        params = [p for group in self.param_groups for p in group["params"]]
        numbers = {id(p): number for number, p in enumerate(params)}
        return {
            "state": {
                number: {key: Tensor(value) if isinstance(value, np.ndarray) else value for key, value in self.state[p].items()}
                for number, p in enumerate(params)
                if self.state.get(p)
            },
            "param_groups": [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict() gave: the state, cast to each parameter's dtype, and the options of the groups.

        Raises ValueError, with nothing changed, if the groups, their sizes, a shape, an option or the kind of optimiser differ.

        >>> import minigrad as mg
        >>> w = mg.tensor([1.0], requires_grad=True)
        >>> optimizer = mg.optim.SGD([w], lr=0.1)
        >>> optimizer.load_state_dict(mg.optim.SGD([w], lr=0.2).state_dict())
        >>> optimizer.param_groups[0]["lr"]
        0.2
        """
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError(f"{self.name}: a state_dict has the keys 'state' and 'param_groups'")
        saved = [dict(group) for group in state_dict["param_groups"]]
        sizes, given = [len(group["params"]) for group in self.param_groups], [len(group.get("params", ())) for group in saved]
        if sizes != given:
            raise ValueError(f"{self.name}: the state_dict has parameter groups of the sizes {given}, this optimiser has {sizes}")
        owners: dict[int, tuple[Tensor, dict[str, Any]]] = {}
        for old, new in zip(self.param_groups, saved, strict=True):
            new |= {option: new.get(option, default) for option, default in FLAGS.items() if option in self.defaults}
            missing = sorted(self.defaults.keys() - new.keys())
            if missing:
                raise ValueError(f"{self.name}: a group of the state_dict has no {', '.join(missing)}: is it another optimiser's?")
            owners.update(zip(new["params"], [(p, new) for p in old["params"]], strict=True))
            new["params"] = old["params"]
            self.check(new)
        if len(owners) != sum(sizes) or not owners.keys() >= state_dict["state"].keys():
            raise ValueError(f"{self.name}: the state_dict has state for other parameters than its groups list, or lists one twice")
        state = {owners[number][0]: self.restored(number, *owners[number], entry) for number, entry in state_dict["state"].items()}
        for p in list(self.lags):
            self.settle(p)
        self.state = state
        self.param_groups = saved

    def restored(self, number: int, p: Tensor, group: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
        """A copy of one parameter's saved state. Raises ValueError if it is not what this optimiser keeps for this parameter."""
        entry = {key: value for key, value in entry.items() if value is not None}
        kept = self.kept(group)
        if entry and not kept.keys() <= entry.keys():
            raise ValueError(
                f"{self.name} keeps {', '.join(kept)} for a parameter; the state_dict has {', '.join(entry)} for number {number}"
            )
        fresh = {key: int(value) if key == "step" else np.asarray(value).astype(p.dtype, order="C") for key, value in entry.items()}
        for key, value in fresh.items():
            if isinstance(value, np.ndarray) and value.shape != p.shape:
                raise ValueError(f"{self.name}: {key} of number {number} has shape {value.shape}, the parameter has shape {p.shape}")
        return fresh
