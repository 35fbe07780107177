"""What PyTorch keeps in torch.nn.utils and is here in minigrad.optim: `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`."""

from __future__ import annotations

from minigrad.optim import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_"]
