"""The cells of _cells.py in PyTorch and in JAX. `n` has the operations of either, and every recurrent matrix U comes transposed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import _rivals
from _cells import CELLS, EPS
from _rivals import Run, Task


def peephole(n: SimpleNamespace, w: SimpleNamespace, carry: Any, x: Any) -> Any:
    """Peephole LSTM; x is W x + b already, as in all of these."""
    h, c = carry
    i, f, g, o = n.split(n.plus(x, h, w.U), 4)
    c_new = n.sigmoid(n.plus_product(f, w.pf, c)) * c + n.sigmoid(n.plus_product(i, w.pi, c)) * n.tanh(g)
    h = n.sigmoid(n.plus_product(o, w.po, c_new)) * n.tanh(c_new)
    return (h, c_new), h


def coupled(n: SimpleNamespace, w: SimpleNamespace, carry: Any, x: Any) -> Any:
    """Coupled LSTM."""
    h, c = carry
    f, g, o = n.split(n.plus(x, h, w.U), 3)
    c = n.mix(n.tanh(g), c, n.sigmoid(f))
    h = n.sigmoid(o) * n.tanh(c)
    return (h, c), h


def layer_norm(n: SimpleNamespace, w: SimpleNamespace, carry: Any, x: Any) -> Any:
    """Layer-norm LSTM; x is normalised and has the bias already."""
    h, c = carry
    i, f, g, o = n.split(x + n.norm(h @ w.U, w.gain_h), 4)
    c = n.sigmoid(f) * c + n.sigmoid(i) * n.tanh(g)
    h = n.sigmoid(o) * n.tanh(c)
    return (h, c), h


def minimal(n: SimpleNamespace, w: SimpleNamespace, h: Any, x: Any) -> Any:
    """Minimal gated unit; x is the pair of W x + b and Wn x + bn."""
    xf, xn = x
    f = n.sigmoid(n.plus(xf, h, w.U))
    h = n.mix(h, n.tanh(n.plus(xn, f * h, w.Un)), f)
    return h, h


def reset_before(n: SimpleNamespace, w: SimpleNamespace, h: Any, x: Any) -> Any:
    """GRU, reset before; x is the pair of W x + b and Wn x + bn."""
    x, xn = x
    r, z = n.split(n.sigmoid(n.plus(x, h, w.U)), 2)
    h = n.mix(n.tanh(n.plus(xn, r * h, w.Un)), h, z)
    return h, h


def independent(n: SimpleNamespace, w: SimpleNamespace, h: Any, x: Any) -> Any:
    """IndRNN."""
    h = n.relu(n.plus_product(x, w.u, h))
    return h, h


def one_product(n: SimpleNamespace, w: SimpleNamespace, x: Any) -> Any:
    """What a step needs of x."""
    return n.linear(x, w.W, w.b)


def two_products(n: SimpleNamespace, w: SimpleNamespace, x: Any) -> Any:
    """The same where the gates and the candidate are apart."""
    return n.linear(x, w.W, w.b), n.linear(x, w.Wn, w.bn)


def norm_of_product(n: SimpleNamespace, w: SimpleNamespace, x: Any) -> Any:
    """The same for the layer norm; the bias goes in here, once."""
    return n.norm(n.linear(x, w.W, None), w.gain_x, w.b)


class Rival(NamedTuple):
    """A cell of theirs: the step, and what it needs of x, which can be had for all steps at once."""

    step: Callable[[SimpleNamespace, SimpleNamespace, Any, Any], Any]
    project: Callable[[SimpleNamespace, SimpleNamespace, Any], Any]


RIVALS = {
    "peephole LSTM": Rival(peephole, one_product),
    "coupled LSTM": Rival(coupled, one_product),
    "layer-norm LSTM": Rival(layer_norm, norm_of_product),
    "minimal gated unit": Rival(minimal, two_products),
    "GRU, reset before": Rival(reset_before, two_products),
    "IndRNN": Rival(independent, one_product),
}


@functools.cache
def torch_names() -> SimpleNamespace:
    """PyTorch's operations."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(_rivals.THREADS)
    return SimpleNamespace(
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        relu=torch.relu,
        linear=F.linear,
        plus=torch.addmm,
        plus_product=torch.addcmul,
        mix=torch.lerp,
        split=lambda x, parts: x.chunk(parts, -1),
        norm=lambda x, gain, bias=None: F.layer_norm(x, x.shape[-1:], gain, bias, EPS),
    )


@functools.cache
def jax_names() -> SimpleNamespace:
    """JAX's operations."""
    import jax
    import jax.numpy as jnp

    def linear(x: Any, W: Any, b: Any) -> Any:
        """x W^T + b over the last axis."""
        out = jnp.tensordot(x, W, [[x.ndim - 1], [1]])
        return out if b is None else out + b

    def norm(x: Any, gain: Any, bias: Any = 0.0) -> Any:
        """Layer norm of the last axis."""
        d = x - x.mean(-1, keepdims=True)
        return d * jax.lax.rsqrt((d * d).mean(-1, keepdims=True) + EPS) * gain + bias

    return SimpleNamespace(
        sigmoid=jax.nn.sigmoid,
        tanh=jnp.tanh,
        relu=jax.nn.relu,
        linear=linear,
        plus=lambda x, h, U: x + h @ U,
        plus_product=lambda x, a, b: x + a * b,
        mix=lambda a, b, share: (1 - share) * a + share * b,
        split=lambda x, parts: jnp.split(x, parts, axis=-1),
        norm=norm,
    )


def named(weights: dict[str, Any]) -> SimpleNamespace:
    """The weights by name, recurrent matrices transposed."""
    return SimpleNamespace(**{name: weight.T if name.startswith("U") else weight for name, weight in weights.items()})


def torch_cell(task: Task, ahead: bool) -> Run:
    """The cell as a loop in PyTorch, the input's product ahead of it or inside."""
    import torch

    n, states, (step, project) = torch_names(), CELLS[task.cell].states, RIVALS[task.cell]
    weights = {name: torch.tensor(weight, requires_grad=True) for name, weight in task.weights.items()}
    x, cotangent = torch.tensor(task.x), torch.tensor(task.cotangent)
    zeros = [torch.zeros(task.cotangent.shape[1:]) for _ in range(states)]

    def run() -> Any:
        for weight in weights.values():
            weight.grad = None
        w, ys = named(weights), []
        carry = tuple(zeros) if states > 1 else zeros[0]
        if ahead:
            xw = project(n, w, x)
            steps = zip(*[part.unbind(0) for part in xw], strict=True) if isinstance(xw, tuple) else xw.unbind(0)
        else:
            steps = (project(n, w, x_t) for x_t in x.unbind(0))
        for x_t in steps:
            carry, y = step(n, w, carry, x_t)
            ys.append(y)
        output = torch.stack(ys)
        output.backward(cotangent)
        return output.detach(), *[weight.grad for weight in weights.values()]

    return run


def jax_cell(task: Task) -> Run:
    """The cell as a compiled scan in JAX."""
    import jax
    import jax.numpy as jnp

    n, states, (step, project) = jax_names(), CELLS[task.cell].states, RIVALS[task.cell]

    def forward(weights: Any, x: Any) -> Any:
        """The output (T, B, H)."""
        w = named(dict(zip(task.weights, weights, strict=True)))
        zeros = jnp.zeros(task.cotangent.shape[1:], x.dtype)
        carry = (zeros,) * states if states > 1 else zeros
        return jax.lax.scan(lambda carry, x: step(n, w, carry, x), carry, project(n, w, x))[1]

    return _rivals.jax_step(forward, list(task.weights.values()), task.x, task.cotangent)
