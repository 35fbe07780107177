"""Layers, losses and starting values: `nn.LSTM(32, 64)`, `nn.Linear(64, 10)`, `nn.cross_entropy(logits, target)`."""

from __future__ import annotations

from . import init
from .cells import GRUCell, LSTMCell, RNNCell
from .dropout import Dropout, dropout
from .layers import Embedding, Linear, Sequential
from .losses import CrossEntropyLoss, MSELoss, cross_entropy, mse_loss
from .module import Module, Parameter, StateDictError
from .recurrent import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "MSELoss",
    "Module",
    "Parameter",
    "RNNCell",
    "Sequential",
    "StateDictError",
    "cross_entropy",
    "dropout",
    "init",
    "mse_loss",
]
