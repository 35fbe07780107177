"""Optimisers and gradient clipping."""

from __future__ import annotations

from .clip import clip_grad_norm_
from .optimizers import SGD, Adam, AdamW, Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm_"]
