"""Layers, losses and starting values: `nn.LSTM(32, 64)`, `nn.Linear(64, 10)`, `nn.cross_entropy(logits, target)`."""

from __future__ import annotations

from minigrad.keywords import word

from . import functional, init, utils
from .activations import ELU, GELU, SELU, Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .cells import FourGateLSTMCell, GRUCell, LSTMCell, RNNCell
from .containers import ModuleDict, ModuleList, Sequential
from .conv import Conv1d, conv1d
from .custom import cell
from .distances import (
    cosine_embedding_loss,
    cosine_similarity,
    huber_loss,
    l1_loss,
    mse_loss,
    pairwise_distance,
    smooth_l1_loss,
    triplet_margin_loss,
)
from .dropout import Dropout, dropout
from .embedding import Embedding, EmbeddingBag
from .layers import Flatten, Identity, Linear
from .likelihoods import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, kl_div, nll_loss
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    TripletMarginLoss,
)
from .module import Module, Parameter, StateDictError
from .norm import BatchNorm1d, LayerNorm, batch_norm, layer_norm
from .pooling import (
    AdaptiveAvgPool1d,
    AdaptiveMaxPool1d,
    AvgPool1d,
    MaxPool1d,
    adaptive_avg_pool1d,
    adaptive_max_pool1d,
    avg_pool1d,
    max_pool1d,
)
from .recurrent import GRU, LSTM, RNN, FourGateLSTM, Recurrent
from .sequence_losses import last_step, sequence_cross_entropy, sequence_mse_loss
from .summary import summary

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveMaxPool1d",
    "AvgPool1d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "Conv1d",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "FourGateLSTM",
    "FourGateLSTMCell",
    "GRUCell",
    "Hardtanh",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "StateDictError",
    "Tanh",
    "TripletMarginLoss",
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cell",
    "conv1d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "functional",
    "huber_loss",
    "init",
    "kl_div",
    "l1_loss",
    "last_step",
    "layer_norm",
    "max_pool1d",
    "mse_loss",
    "nll_loss",
    "pairwise_distance",
    "sequence_cross_entropy",
    "sequence_mse_loss",
    "smooth_l1_loss",
    "summary",
    "triplet_margin_loss",
    "utils",
]

word(globals(), __all__)
