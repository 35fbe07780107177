"""What the example scripts measure inside a recurrent network."""

from __future__ import annotations

import numpy as np


def gradient_norms(layer, x, loss):
    """How much of a loss's gradient comes back to each step: (T,), the norm by the state after it over that by the last; a mean over the
    batch.

    x (T, B, features) goes in one step at a time, to get hold of every state; `loss` makes a loss of the last one.
    """
    state, states = None, []
    for step in x:
        _, state = layer(step[None], state)
        states.append(state if isinstance(state, tuple) else (state,))
        for part in states[-1]:
            part.retain_grad()
    loss(state).backward()
    gradients = [np.concatenate([part.grad.numpy()[0] for part in parts if part.grad is not None], axis=-1) for parts in states]
    norms = np.array([np.linalg.norm(g.astype(np.float64), axis=-1).mean() for g in gradients])  # squares of 1e-30 need float64
    return norms / norms[-1]


def geometric(values):
    """The geometric mean along the first axis: of what differs by powers of ten."""
    return np.exp(np.log(values).mean(axis=0))
