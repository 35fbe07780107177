"""A stack of recurrent layers: equations over all time steps, layers and directions, of padded batches too."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import concatenate, stack
from minigrad.recording import is_recording, tracer
from minigrad.scan import known_scan, segments_of, settings
from minigrad.scan.replay import Recorded
from minigrad.tape import Tensor, wrap

from .dropout import check_probability, dropout
from .equations import Carry, Equations, RNNEquations, packed
from .inside import Noise, Step, look, probe, shown
from .layers import check_sizes
from .sequences import Packing, packing, swapped
from .state import add_first_states, check_stateful, first_states, keep_state, kept_state

FORM = (
    *("merge", "residual", "return_sequences", "return_state", "variational", "recurrent_dropout", "zoneout", "weight_drop"),
    *("learned_state", "stateful", "recurrent_init", "memory"),
)
MERGES = ("concat", "sum", "mul", "ave", None)


class Layers(Equations):
    """All time steps, layers and directions of one kind of recurrence. The equations come from the class it is joined with."""

    keywords = FORM

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        check_sizes(self, num_layers=num_layers)
        check_probability(dropout, type(self).__name__)
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional

    def set_form(
        self,
        merge: str | None = "concat",
        residual: bool = False,
        return_sequences: bool = True,
        return_state: bool = True,
        variational: float | tuple[float, float, float] = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float | tuple[float, ...] = 0.0,
        weight_drop: float = 0.0,
        learned_state: bool = False,
        stateful: bool = False,
        recurrent_init: str | None = None,
        memory: str | int = "full",
    ) -> None:
        """Note what becomes of the outputs, and make the weights; raises ValueError for settings that do not exist."""
        if merge not in MERGES:
            raise ValueError(f"{type(self).__name__}: merge={merge!r} is not one of {', '.join(map(repr, MERGES))}")
        self.merge = merge
        self.residual = residual
        self.return_sequences = return_sequences
        self.return_state = return_state
        if recurrent_dropout and isinstance(vars(self).get("_cell", [self])[0], RNNEquations):
            raise ValueError("RNN: recurrent_dropout acts on what gates let in, and there are none: use variational=(0, p, 0)")
        noise = Noise(type(self).__name__, len(self.states), variational, recurrent_dropout, zoneout, weight_drop)
        self.noise = noise if noise.active(True) else None
        self.learned_state = learned_state
        self.stateful = stateful
        check_stateful(self)
        segments_of(memory, 1)
        self.memory = memory
        width = self.widths()[0] * (2 if self.bidirectional and merge in ("concat", None) else 1)
        for layer in range(self.num_layers):
            for suffix in self.suffixes(layer):
                self.add_weights(suffix, width if layer else self.input_size, recurrent_init)
        if learned_state:
            add_first_states(self)

    def suffixes(self, layer: int) -> list[str]:
        """How the parameters of a layer end, one for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def all_suffixes(self) -> list[str]:
        """Those of all layers."""
        return [suffix for layer in range(self.num_layers) for suffix in self.suffixes(layer)]

    def forward(
        self, x: Any, state: Any = None, *, lengths: Any = None, mask: Any = None, all_states: bool = False, trace: bool = False
    ) -> Any:
        """(output, last state); with `all_states` the states at all times, with `trace` a dict behind them. See the class for the shapes.

        `lengths` (batch,) or a boolean `mask` (time, batch; batch first if x is) say which steps of a padded batch count. Each sequence
        then has the outputs, last state and gradients that its valid steps alone would have, in the same bits; where a step does not
        count the output is 0, and x is not read. A sequence without a valid step keeps its first state. Time is spent on valid steps only.
        `trace` shows all that the step has named (`mg.name`): "f_l0", "c_l1_reverse" ... are constants in the shape of the output, whose
        `.grad` is that of the named value at each step once `backward` has run.
        """
        if self.stateful and state is None:
            state = kept_state(self, x)
        plain = lengths is None and mask is None and not all_states and not trace
        if self._again is not None and plain:
            found: tuple[Tensor, Carry] | None = self.again(x, state)
            if found is not None:
                if self.stateful:
                    keep_state(self, found[1])
                return found
        results = self.in_full(x, state, lengths, mask, all_states, trace)
        output, last = results[:2]
        if self.stateful:
            keep_state(self, last)
        if settings.ready is not None:
            self.get_ready(x, state, output, last)
        kept = results if self.return_state else (output, *results[2:])
        return kept if len(kept) > 1 else output

    def reset_state(self) -> None:
        """Forget the state of the last call, which `stateful=True` goes on from: the next call begins anew."""
        keep_state(self, None)

    def again(self, x: Any, state: Any) -> Any:
        """What was done before, with other numbers: all that a step of training or of a stream pays; None if anything else is new."""
        ready, given = self._again, with_states(x, state)
        recorded = type(ready) is Recorded
        if is_recording() != recorded or tracer.get() is not None or settings.mode != "compile":
            return None
        if not all(type(tensor) is Tensor for tensor in given):
            return None
        (key, reach), (was, reached) = self.known(), ready.known
        if key != was or any(now is not then for now, then in zip(reach, reached, strict=True)):
            return None
        if recorded:
            found = ready([self.time_first(x, True), *given[1:]]) if x.ndim == 3 else None
            return None if found is None else (self.as_given(found[-1], True, None), packed(found[:-1]))
        found = ready(tuple([tensor._array for tensor in given]))
        if found is None:
            return None
        settings.report = ready.report
        *last, output = [wrap(array, None) for array in found]
        return output, packed(last)

    def get_ready(self, x: Any, state: Any, output: Tensor, last: Carry) -> None:
        """Keep what was just done for `again`."""
        ready, settings.ready = settings.ready, None
        given = with_states(x, state)
        if not all(type(tensor) is Tensor and tensor.dtype == self.dtype for tensor in given):
            return
        known, own = self.known(), [tensor for _, tensor in self._own(buffers=False)]
        if type(ready) is Recorded:
            usual = x.ndim == 3 and self.return_sequences and not self.learned_state and self.memory == "full"
            kept = {id(tensor) for tensor in own}
            if usual and all(id(tensor) in kept for tensor in ready.consts):
                vars(self)["_again"] = ready.bind([self.time_first(x, True), *given[1:]], known)
        elif not (self.batch_first and x.ndim == 3 and 1 not in x.shape[:2]):  # unless its axes were turned
            guards = [(version, version.changed) for version in [tensor.version() for tensor in [*own, *known[1]]]]
            ins, outs = ([tensor._array for tensor in group] for group in (given, [*tensors(last), output]))
            vars(self)["_again"] = ready.bind(ins, outs, guards, known, settings.report)

    def in_full(self, x: Any, state: Any, lengths: Any, mask: Any, all_states: bool, trace: bool) -> tuple[Any, ...]:
        """`forward`, whatever came before."""
        x, batched = self.checked(x)
        valid = self.valid(x, batched, lengths, mask)
        batch, steps = (x.shape[:2] if self.batch_first else x.shape[1::-1]) if batched else (1, x.shape[0])
        first = self.carries(state, batch, steps, batched)
        if valid is None:
            x = self.time_first(x, batched)
            carries = first
        else:
            x = valid.pack(x)
            carries = [packed([valid.start(tensor) for tensor in tensors(carry)]) for carry in first]
        last: list[Carry] = []
        every: list[list[Tensor]] = []
        traced: dict[str, Tensor] = {}
        call = Call(self, batch, valid, all_states, trace)
        for layer in range(self.num_layers):
            outputs: list[Tensor] = []
            into = dropout(x, self.dropout, self.training) if layer else x
            for direction, suffix in enumerate(self.suffixes(layer)):
                carry, ys, states, seen = call.over_time(into, carries[len(last)], suffix, direction == 1)
                traced |= {label + suffix: shown(*pair, lambda y: self.as_given(y, batched, valid, True)) for label, pair in seen.items()}
                top = layer == self.num_layers - 1 and not self.return_sequences
                outputs.append(self.edge(ys, direction == 1, valid) if top else ys)
                last.append(carry)
                every.append(states)
            x = self.merged(outputs, layer, into)
        if valid is not None:
            pairs = zip(last, first, strict=True)
            last = [packed([valid.end(a, b) for a, b in zip(tensors(new), tensors(old), strict=True)]) for new, old in pairs]
        output = tuple([self.as_given(y, batched, valid) for y in x]) if isinstance(x, tuple) else self.as_given(x, batched, valid)
        laid = [[self.as_given(tensor, batched, valid, True) for tensor in group] for group in every] if all_states else []
        more = [packed([stack(column) for column in zip(*laid, strict=True)])] if all_states else []
        return output, self.joined(last, batched), *more, *([traced] if trace else [])

    # ---- shapes

    def checked(self, x: Any) -> tuple[Tensor, bool]:
        """The input as a tensor, and whether it has a batch axis. Refuses what does not fit, each axis by its name."""
        order = "batch, time, features" if self.batch_first else "time, batch, features"
        ndim = x.ndim if isinstance(x, Tensor) else np.ndim(x)
        if ndim not in (2, 3):
            raise ShapeError(f"{self.label()}: input has shape {np.shape(x)}, expected ({order}), or (time, features) without a batch")
        axes = order if ndim == 3 else "time, features"
        tensor = self.check_input(x, axes)
        if not tensor.shape[1 if ndim == 3 and self.batch_first else 0]:
            raise ShapeError(
                f"{self.label()}: input has no time steps (shape {tensor.shape} = {axes}), expected a sequence of at least one"
            )
        return tensor, ndim == 3

    def valid(self, x: Tensor, batched: bool, lengths: Any, mask: Any) -> Packing | None:
        """Which steps count; None if all do."""
        if lengths is None and mask is None:
            return None
        if not batched:
            raise ShapeError(f"{self.label()}: lengths= and mask= are for batches; this input, {x.shape} = time, features, is one sequence")
        return packing(self.label(), x.shape[:2], lengths, mask, self.batch_first)

    def time_first(self, x: Tensor, batched: bool) -> Tensor:
        """x as (T, B, I)."""
        return x.expand_dims(1) if not batched else x.swapaxes(0, 1) if self.batch_first else x

    def carries(self, state: Any, batch: int, steps: int, batched: bool) -> list[Carry]:
        """The initial state as `step` takes it, for each layer and direction."""
        if state is None and self.learned_state:
            return first_states(self, batch)
        count = self.num_layers * (2 if self.bidirectional else 1)
        if state is None:
            shapes = [(batch, width) for width in self.widths()]
            return [packed([wrap(np.zeros(shape, self.dtype), None) for shape in shapes]) for _ in range(count)]
        axes = "layers x directions, batch, hidden" if batched else "layers x directions, hidden"
        note = " (with batch_first too)" if batched and self.batch_first else ""
        hint = swapped(self.batch_first) if batched and batch != steps else ""
        states = self.check_states(state, (count, batch) if batched else (count,), axes + note, (count, steps), hint)
        if not batched:
            states = [tensor.expand_dims(1) for tensor in states]
        if count == 1:
            return [packed([tensor.squeeze(0) for tensor in states])]
        return [packed([tensor[k] for tensor in states]) for k in range(count)]

    def edge(self, ys: Tensor, reverse: bool, valid: Packing | None) -> Tensor:
        """(B, H): the output of the step that ran last."""
        return ys[0 if reverse else -1] if valid is None else valid.edge(ys, reverse)

    def merged(self, outputs: list[Tensor], layer: int, x: Tensor) -> Any:
        """The outputs of the directions of a layer as one, or as they are; with what came in added if that is asked for and fits."""
        top = layer == self.num_layers - 1
        if len(outputs) == 2 and self.merge is None and top:
            return tuple(outputs)
        y = outputs[0] if len(outputs) == 1 else self.both(*outputs)
        return y + x if self.residual and layer and not (top and not self.return_sequences) else y

    def both(self, ahead: Tensor, back: Tensor) -> Tensor:
        """The outputs of both directions as one."""
        if self.merge == "sum":
            return ahead + back
        if self.merge == "mul":
            return ahead * back
        return (ahead + back) * 0.5 if self.merge == "ave" else concatenate([ahead, back], axis=-1)

    def as_given(self, x: Tensor, batched: bool, valid: Packing | None, times: bool = False) -> Tensor:
        """The output (T, B, n), or packed, or (B, n) of the last step, with its axes in the input's order; `times`: it has those."""
        if not (self.return_sequences or times):
            return x if batched else x.squeeze(0)
        if valid is not None:
            return valid.unpack(x)
        return x.squeeze(1) if not batched else x.swapaxes(0, 1) if self.batch_first else x

    def joined(self, last: list[Carry], batched: bool) -> Carry:
        """The last carries of all layers and directions, stacked."""
        if len(last) == 1:
            states = [tensor.expand_dims(0) for tensor in tensors(last[0])]
        else:
            states = [stack(column) for column in zip(*map(tensors, last), strict=True)]
        return packed(states if batched else [tensor.squeeze(1) for tensor in states])

    def extra_repr(self) -> str:
        """As PyTorch prints it: the sizes, and what differs from the defaults."""
        usual: dict[str, Any] = {"num_layers": 1, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        usual |= {"merge": "concat", "residual": False, "return_sequences": True, "return_state": True}
        usual |= {"learned_state": False, "stateful": False, "memory": "full"}
        other = [f"{name}={getattr(self, name)!r}" for name in usual if getattr(self, name) != usual[name]]
        other += self.noise.changed() if self.noise is not None else []
        return ", ".join([str(self.input_size), str(self.hidden_size), *other, *self.changed()])


def with_states(x: Any, state: Any) -> list[Any]:
    """What a layer was given: x, and the states if any."""
    return [x] if state is None else [x, *tensors(state)]


def tensors(carry: Carry) -> Any:
    """The tensors of a carry."""
    return carry if isinstance(carry, tuple | list) else (carry,)


class Call:
    """One call of a layer: what is the same for all its layers and directions."""

    def __init__(self, layer: Layers, batch: int, valid: Packing | None, all_states: bool, trace: bool) -> None:
        self.layer = layer
        self.batch = batch
        self.valid = valid
        self.sizes = None if valid is None else valid.batch_sizes
        self.all_states = all_states
        self.trace = trace
        self.stream = valid is None and layer.num_layers == 1 and not layer.bidirectional and layer.return_state  # may be done again

    def over_time(
        self, x: Tensor, carry: Carry, suffix: str, reverse: bool
    ) -> tuple[Carry, Tensor, list[Tensor], dict[str, tuple[Tensor, Tensor]]]:
        """One direction of one layer: (T, B, features) -> the last carry and y (T, B, H).

        Then the states at all times and the named values with their probes, if they are asked for.
        """
        layer = self.layer
        key, reach = layer.known()
        if layer.noise is not None or self.all_states or self.trace:
            return self.inside(x, carry, suffix, reverse, key, reach)

        def step(carry: Carry, x: Tensor) -> tuple[Carry, Tensor]:
            return layer.step(carry, x, layer.named(suffix))

        consts = (*layer.weights(suffix), *reach)
        last, y = known_scan(key, consts, step, carry, x, reverse, None, self.sizes, self.stream, layer.memory)
        return last, y, [], {}

    def inside(
        self, x: Tensor, carry: Carry, suffix: str, reverse: bool, key: Any, reach: Any
    ) -> tuple[Carry, Tensor, list[Tensor], dict[str, tuple[Tensor, Tensor]]]:
        """`over_time` with masks, or more results than y."""
        layer, valid, training = self.layer, self.valid, self.layer.training
        noise, widths = layer.noise, layer.widths()
        weights = dict(zip(layer.weight_names, layer.weights(suffix), strict=True))
        masks: dict[str, Tensor] = {}
        stays: tuple[Tensor | None, ...] = ()
        if noise is not None:
            x = noise.outside(x, noise.variational[0], self.batch, valid, training)
            weights = noise.weights(weights, layer.recurrent, training)
            masks = noise.masks(self.batch, widths, layer.dtype, training)
            masks = masks if valid is None else {label: valid.start(mask) for label, mask in masks.items()}
            stays = noise.stays(x.shape[:-1], widths, layer.dtype, training)
        names = look(layer, carry, x[0] if valid is None else x[: len(tensors(carry)[0])], layer.named(suffix)) if self.trace else {}
        probes = {label: probe((*x.shape[:-1], *shape), layer.dtype) for label, shape in names.items()}
        zoneout = noise.zoneout if noise is not None and not stays else ()
        step = Step(layer, (*weights, *masks), zoneout, self.all_states, tuple(probes))
        consts = (*weights.values(), *masks.values())
        if key is not None:
            key = key, step.names, zoneout, self.all_states, step.probes
        xs = (x, stays, tuple(probes.values()))
        run = lambda c, x: step(consts, c, x)  # noqa: E731
        last, ys = known_scan(key, (*consts, *reach), run, carry, xs, reverse, None, self.sizes, False, layer.memory)
        count = len(widths) if self.all_states else 0
        y, states, seen = ys[0], ys[1 : 1 + count], ys[1 + count :]
        if noise is not None:
            y = noise.outside(y, noise.variational[2], self.batch, valid, training)
        return last, y, list(states), {label: (values, probes[label]) for label, values in zip(probes, seen, strict=True)}
