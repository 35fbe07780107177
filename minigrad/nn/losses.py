"""Losses as modules, which hold the settings of the functions of likelihoods.py and distances.py."""

from __future__ import annotations

from typing import Any

from minigrad.ops.creation import as_tensor
from minigrad.tape import Tensor

from .distances import cosine_embedding_loss, huber_loss, l1_loss, mse_loss, smooth_l1_loss, triplet_margin_loss
from .likelihoods import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, kl_div, nll_loss
from .module import Module
from .reduction import check_reduction


class Loss(Module):
    """What the losses share: a reduction, checked when the module is made."""

    more: tuple[str, ...] = ()  # reductions that only this loss has
    settings: dict[str, Any] = {}  # noqa: RUF012 - setting -> its usual value, for the repr

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction, type(self).__name__, *self.more)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The reduction, and the settings that are not the usual ones."""
        other = [f"{name}={getattr(self, name)!r}" for name, usual in self.settings.items() if getattr(self, name) != usual]
        return ", ".join([f"reduction={self.reduction!r}", *other])


class WeightedLoss(Loss):
    """A loss with a constant `weight`, which is a buffer: state_dict has it, as in PyTorch."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if isinstance(weight, str):
            raise TypeError(f"{type(self).__name__}: weight={weight!r} should be numbers; write reduction={weight!r}, by its name")
        self.register_buffer("weight", None if weight is None else as_tensor(weight).detach())


class CrossEntropyLoss(WeightedLoss):
    """`cross_entropy` as a module.

    >>> CrossEntropyLoss(reduction="none")([[0.0, 0.0]], [1])
    tensor([0.6931472])
    """

    settings = {"ignore_index": -100, "label_smoothing": 0.0}  # noqa: RUF012

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `cross_entropy`."""
        index, smoothing = self.ignore_index, self.label_smoothing
        return cross_entropy(input, target, self.weight, ignore_index=index, reduction=self.reduction, label_smoothing=smoothing)


class NLLLoss(WeightedLoss):
    """`nll_loss` as a module.

    >>> NLLLoss()([[-0.5, -1.0]], [1])
    tensor(1.)
    """

    settings = {"ignore_index": -100}  # noqa: RUF012

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `nll_loss`."""
        return nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(WeightedLoss):
    """`binary_cross_entropy` as a module.

    >>> BCELoss()([0.5], [1.0])
    tensor(0.6931472)
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `binary_cross_entropy`."""
        return binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """`binary_cross_entropy_with_logits` as a module.

    >>> BCEWithLogitsLoss()([0.0], [1.0])
    tensor(0.6931472)
    """

    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", None if pos_weight is None else as_tensor(pos_weight).detach())

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `binary_cross_entropy_with_logits`."""
        return binary_cross_entropy_with_logits(input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight)


class KLDivLoss(Loss):
    """`kl_div` as a module.

    >>> KLDivLoss(reduction="batchmean")([[-0.6931472, -0.6931472]], [[1.0, 0.0]])
    tensor(0.6931472)
    """

    more = ("batchmean",)
    settings = {"log_target": False}  # noqa: RUF012

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `kl_div`."""
        return kl_div(input, target, self.reduction, self.log_target)


class MSELoss(Loss):
    """`mse_loss` as a module.

    >>> MSELoss(reduction="sum")([1.0, 2.0], [1.0, 4.0])
    tensor(4.)
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `mse_loss`."""
        return mse_loss(input, target, self.reduction)


class L1Loss(Loss):
    """`l1_loss` as a module.

    >>> L1Loss()([1.0, 2.0], [1.0, 4.0])
    tensor(1.)
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `l1_loss`."""
        return l1_loss(input, target, self.reduction)


class HuberLoss(Loss):
    """`huber_loss` as a module.

    >>> HuberLoss(delta=2.0)([3.0], [0.0])
    tensor(4.)
    """

    settings = {"delta": 1.0}  # noqa: RUF012

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `huber_loss`."""
        return huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Loss):
    """`smooth_l1_loss` as a module.

    >>> SmoothL1Loss(beta=2.0)([3.0], [0.0])
    tensor(2.)
    """

    settings = {"beta": 1.0}  # noqa: RUF012

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `smooth_l1_loss`."""
        return smooth_l1_loss(input, target, self.reduction, self.beta)


class CosineEmbeddingLoss(Loss):
    """`cosine_embedding_loss` as a module.

    >>> CosineEmbeddingLoss(margin=0.5)([[1.0, 0.0]], [[1.0, 0.0]], [-1])
    tensor(0.5)
    """

    settings = {"margin": 0.0}  # noqa: RUF012

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Tensor:
        """See `cosine_embedding_loss`."""
        return cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class TripletMarginLoss(Loss):
    """`triplet_margin_loss` as a module.

    >>> TripletMarginLoss(margin=2.0, eps=0.0)([[0.0]], [[1.0]], [[1.5]])
    tensor(1.5)
    """

    settings = {"margin": 1.0, "p": 2.0, "eps": 1e-6, "swap": False}  # noqa: RUF012

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Tensor:
        """See `triplet_margin_loss`."""
        return triplet_margin_loss(anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction)
