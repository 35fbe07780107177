"""Optimisers: SGD, Adam and AdamW, step for step as in PyTorch, with its parameter groups and its state_dict.

An optimiser is its `update`: the paper's equations on plain NumPy arrays, written into the memory of the parameter. Everything
else (groups, state, checkpoints) is the base class. Nothing here is recorded on the tape, but every step counts as a change of the
parameter: a backward pass that still needs the old numbers refuses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minigrad.tape import Tensor

Array = np.ndarray[Any, Any]
Params = Iterable[Any]  # of tensors, or of parameter groups
Betas = tuple[float, float]
BLOCK = 65536  # elements: a block of the parameter, its gradient, state and scratch stays in cache while every pass goes over it


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Arrays of one shape as matching pieces of at most BLOCK elements; whole if they are small or not contiguous."""
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield tuple([array[start : start + BLOCK] for array in flat])


# Options that groups of PyTorch carry and that change nothing here
FOREIGN = {"foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay", "initial_lr", "name", "param_names"}


class Optimizer:
    """What all optimisers share: a new one computes in `update`, and says in `slots` what it keeps for each parameter.

    `params`: an iterable of tensors, or of parameter groups: dicts with "params" and options that differ from `defaults`.
    `param_groups` is the list of these dicts, each with every option; set `param_groups[0]["lr"]` to change a rate. `state` has, for each
    parameter that was updated, a dict of NumPy arrays and numbers. Parameters are leaves that require gradients, each given once;
    anything else raises TypeError or ValueError.

    >>> import minigrad as mg
    >>> class SignSGD(Optimizer):
    ...     def update(self, param, grad, state, group):
    ...         param -= group["lr"] * np.sign(grad)
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SignSGD([w], {"lr": 0.5, "weight_decay": 0.0})
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5, 1.5], requires_grad=True)
    """

    slots: tuple[str, ...] = ()

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.name = type(self).__name__
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
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

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters with options of their own; options left out take the optimiser's defaults.

        Raises TypeError or ValueError, with nothing added, if a parameter or an option will not do.

        >>> import minigrad as mg
        >>> optimizer = SGD([mg.tensor([1.0], requires_grad=True)], lr=0.1)
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
                raise TypeError(f"{which} is a {type(p).__name__}, not a tensor")
            which += f", of shape {p.shape},"
            if not p.is_leaf:
                raise ValueError(f"{which} is a computed tensor: only leaves can be optimised, so pass what it was computed from")
            if not p.requires_grad:
                raise ValueError(f"{which} does not require a gradient: call requires_grad_(), or leave it out")
            if id(p) in seen:
                raise ValueError(f"{which} was given twice: it would be updated twice in a step")
            seen.add(id(p))
        if unknown := sorted(set(group) - {"params", "amsgrad", "maximize", *FOREIGN, *self.defaults}):
            raise ValueError(f"{self.name}: a group has the options {unknown}; there are {', '.join(self.defaults)}")
        full = {**self.defaults, **group, "params": params}
        self.check(full)
        self.param_groups.append(full)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options that make no sense. Subclasses check theirs, and call this for the common ones."""
        for option in ("lr", "momentum", "eps", "weight_decay"):
            if option in group and not (isinstance(group[option], int | float | np.number) and 0 <= group[option] < math.inf):
                raise ValueError(f"{self.name}: {option}={group[option]} should be a finite number that is not negative")
        for option in ("amsgrad", "maximize"):
            if group.get(option):
                raise ValueError(f"{self.name} has no option {option!r}, and this group asks for it")

    def zero_grad(self) -> None:
        """Forget the gradients: `.grad` of every parameter becomes None."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient, in place. The gradients are read, not changed.

        Raises MutationError, with nothing updated, if the memory of a parameter is read-only.
        """
        cause = f"the {self.name} step"
        due = [(p, p.grad.numpy(), group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        targets = [p.change(cause, leaf=True) for p, _, _ in due]
        with np.errstate(all="ignore"):
            for (p, g, group), target in zip(due, targets, strict=True):
                self.update(target, g, self.state.setdefault(p, {}), group)

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step of one parameter: change `param` in place by its gradient, keep what the next step needs in `state`."""
        raise NotImplementedError(f"{self.name} has no update")

    def scratch(self, like: Array) -> tuple[Array, Array]:
        """Two arrays of the shape and dtype of `like` to compute in; the memory is the same at every call."""
        memory = self._scratch.get(like.dtype)
        if memory is None or memory.shape[1] < like.size:
            memory = self._scratch[like.dtype] = np.empty((2, like.size), like.dtype)
        return memory[0, : like.size].reshape(like.shape), memory[1, : like.size].reshape(like.shape)

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that a later run needs to go on bit for bit, as tensors and numbers: mg.save writes it as it is.

        The layout is PyTorch's, parameters are numbered in the order they were given.

        >>> import minigrad as mg
        >>> SGD([mg.tensor([1.0], requires_grad=True)], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
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
        >>> optimizer = SGD([w], lr=0.1)
        >>> optimizer.load_state_dict(SGD([w], lr=0.2).state_dict())
        >>> optimizer.param_groups[0]["lr"]
        0.2
        """
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError(f"{self.name}: a state_dict has the keys 'state' and 'param_groups'")
        saved = [dict(group) for group in state_dict["param_groups"]]
        sizes, given = [len(group["params"]) for group in self.param_groups], [len(group.get("params", ())) for group in saved]
        if sizes != given:
            raise ValueError(f"{self.name}: the state_dict has parameter groups of the sizes {given}, this optimiser has {sizes}")
        owners: dict[int, Tensor] = {}
        for old, new in zip(self.param_groups, saved, strict=True):
            missing = sorted(self.defaults.keys() - new.keys())
            if missing:
                raise ValueError(f"{self.name}: a group of the state_dict has no {', '.join(missing)}: is it another optimiser's?")
            owners.update(zip(new["params"], old["params"], strict=True))
            new["params"] = old["params"]
            self.check(new)
        if len(owners) != sum(sizes) or not owners.keys() >= state_dict["state"].keys():
            raise ValueError(f"{self.name}: the state_dict has state for other parameters than its groups list, or lists one twice")
        self.state = {owners[number]: self.restored(number, owners[number], entry) for number, entry in state_dict["state"].items()}
        self.param_groups = saved

    def restored(self, number: int, p: Tensor, entry: dict[str, Any]) -> dict[str, Any]:
        """A copy of one parameter's saved state. Raises ValueError if it is not what this optimiser keeps for this parameter."""
        entry = {key: value for key, value in entry.items() if value is not None}
        if entry and sorted(entry) != sorted(self.slots):
            raise ValueError(f"{self.name} keeps {self.slots} for a parameter; the state_dict has {tuple(entry)} for number {number}")
        fresh = {key: int(value) if key == "step" else np.asarray(value).astype(p.dtype, order="C") for key, value in entry.items()}
        for key, value in fresh.items():
            if isinstance(value, np.ndarray) and value.shape != p.shape:
                raise ValueError(f"{self.name}: {key} of number {number} has shape {value.shape}, the parameter has shape {p.shape}")
        return fresh


class SGD(Optimizer):
    """Stochastic gradient descent (Robbins and Monro, 1951), with momentum (Polyak, 1964) or Nesterov's (Sutskever et al., 2013).

    g += weight_decay p;  b = momentum b + (1 - dampening) g, at the first step b = g;  p -= lr b, with nesterov p -= lr (g + momentum b).
    As in PyTorch. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5, 1. ], requires_grad=True)
    """

    slots = ("momentum_buffer",)

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0, nesterov: bool = False
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, options)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range."""
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(f"{self.name}: nesterov wants a momentum above 0 and no dampening")

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step of one parameter: the equations above."""
        lr, momentum, weight_decay = float(group["lr"]), float(group["momentum"]), float(group["weight_decay"])
        first = momentum != 0 and not state
        if first:
            state["momentum_buffer"] = np.empty(param.shape, param.dtype)
        for p, g, b in blocks(param, grad, state["momentum_buffer"] if momentum else grad):
            s, t = self.scratch(p)
            if weight_decay:
                g = np.add(np.multiply(p, weight_decay, out=s), g, out=s)
            if first:
                np.copyto(b, g)
            elif momentum:
                b *= momentum
                b += np.multiply(g, 1 - float(group["dampening"]), out=t) if group["dampening"] else g
            if group["nesterov"]:
                g = np.add(np.multiply(b, momentum, out=t), g, out=t)
            elif momentum:
                g = b
            p -= np.multiply(g, lr, out=t)


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), with PyTorch's defaults; weight_decay is added to the gradient.

    g += weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
    p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).
    The state names m exp_avg, v exp_avg_sq and t step. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.75, 1.75], requires_grad=True)
    """

    slots = ("step", "exp_avg", "exp_avg_sq")
    decoupled = False

    def __init__(self, params: Params, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range."""
        super().check(group)
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self.name}: betas={betas} should be two numbers from 0 up to, not with, 1")

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step of one parameter: the equations above."""
        lr, eps, weight_decay = float(group["lr"]), float(group["eps"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        if not state:
            state.update(step=0, exp_avg=np.zeros(param.shape, param.dtype), exp_avg_sq=np.zeros(param.shape, param.dtype))
        state["step"] += 1
        size = lr / (1 - beta1 ** state["step"])
        root = math.sqrt(1 - beta2 ** state["step"])
        for p, g, m, v in blocks(param, grad, state["exp_avg"], state["exp_avg_sq"]):
            s, t = self.scratch(p)
            if weight_decay and self.decoupled:
                p *= 1 - lr * weight_decay
            elif weight_decay:
                g = np.add(np.multiply(p, weight_decay, out=t), g, out=t)
            m *= beta1
            m += np.multiply(g, 1 - beta1, out=s)
            v *= beta2
            np.multiply(g, g, out=s)
            s *= 1 - beta2
            v += s
            np.sqrt(v, out=s)
            s /= root
            s += eps
            np.divide(m, s, out=s)
            s *= size
            p -= s


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): p *= 1 - lr weight_decay, then the step of Adam.

    Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.25, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.625, 1.5  ], requires_grad=True)
    """

    decoupled = True

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
