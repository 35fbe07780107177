"""Optimisers and clipping: against the equations written out plainly, against PyTorch, and the promises about memory and errors."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest

import minigrad as mg
from minigrad import config, io
from minigrad.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Optimizer, RMSprop

CASES = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.05, "momentum": 0.9}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1, "dampening": 0.3}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (SGD, {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    (SGD, {"lr": 0.05, "weight_decay": 0.1}),
    (Adam, {}),
    (Adam, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    (Adam, {"lr": 0.02, "betas": (0.0, 0.9)}),
    (AdamW, {}),
    (AdamW, {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.3}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    (Adam, {"lr": 0.02, "betas": (0.8, 0.5), "amsgrad": True}),
    (Adam, {"lr": 0.02, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    (AdamW, {"lr": 0.02, "betas": (0.8, 0.5), "amsgrad": True, "maximize": True}),
    (Adamax, {}),
    (Adamax, {"lr": 0.02, "betas": (0.8, 0.5), "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    (RMSprop, {}),
    (RMSprop, {"lr": 0.02, "alpha": 0.7, "eps": 1e-4, "weight_decay": 0.1}),
    (RMSprop, {"lr": 0.02, "momentum": 0.9, "maximize": True}),
    (RMSprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-2, "centered": True}),
    (RMSprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-2, "centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    (Adagrad, {}),
    (Adagrad, {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
    (Adadelta, {}),
    (Adadelta, {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
]
KINDS = sorted({kind for kind, _ in CASES}, key=lambda kind: kind.__name__)
IDS = [f"{kind.__name__}-{number}" for number, (kind, _) in enumerate(CASES)]
SHAPES = [(3, 4), (5,), (), (0, 2), (2, 1, 3)]
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def leaf(shape=(3,), dtype="float32", seed=0):
    return mg.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def gradients(shapes, dtype, steps=100, seed=1):
    """For each step a gradient for each shape, now and then None; scales that differ by orders of magnitude."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        yield [
            None if (step + position) % 7 == 3 else (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 2)).astype(dtype)
            for position, shape in enumerate(shapes)
        ]


def run(optimizer, params, steps):
    for grads in steps:
        optimizer.zero_grad()
        for p, g in zip(params, grads, strict=True):
            p.grad = None if g is None else mg.tensor(g)
        optimizer.step()


def by_the_book(kind, p, grads, **options):
    """One parameter's path in its dtype, from the papers' equations; shares nothing with the library."""
    decay = options.pop("weight_decay", 0.01 if kind is AdamW else 0.0)
    sign = -1.0 if options.pop("maximize", False) else 1.0
    step = BOOK[kind](**options)
    t = 0
    for g in grads:
        if g is not None:
            t += 1
            change = step(sign * g if kind is AdamW else sign * g + decay * p, t)
            p = (1 - options.get("lr", 1e-3) * decay) * p - change if kind is AdamW else p - change
    return p


def sgd(lr=1e-3, momentum=0.0, dampening=0.0, nesterov=False):
    velocity = None

    def step(g, t):
        nonlocal velocity
        velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
        return lr * (g + momentum * velocity if nesterov else velocity if momentum else g)

    return step


def adam(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, amsgrad=False):
    m, v, top = 0.0, 0.0, 0.0

    def step(g, t):
        nonlocal m, v, top
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        top = np.maximum(top, v) if amsgrad else v
        return lr * (m / (1 - betas[0] ** t)) / (np.sqrt(top / (1 - betas[1] ** t)) + eps)

    return step


def adamax(lr=2e-3, betas=(0.9, 0.999), eps=1e-8):
    m, u = 0.0, 0.0

    def step(g, t):
        nonlocal m, u
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, np.abs(g) + eps)
        return lr / (1 - betas[0] ** t) * m / u

    return step


def rmsprop(lr=1e-2, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    v, mean, velocity = 0.0, 0.0, 0.0

    def step(g, t):
        nonlocal v, mean, velocity
        v = alpha * v + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        velocity = momentum * velocity + g / (np.sqrt(v - mean**2 if centered else v) + eps)
        return lr * velocity

    return step


def adagrad(lr=1e-2, lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    v = initial_accumulator_value

    def step(g, t):
        nonlocal v
        v = v + g**2
        return lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(v) + eps)

    return step


def adadelta(lr=1.0, rho=0.9, eps=1e-6):
    v, u = 0.0, 0.0

    def step(g, t):
        nonlocal v, u
        v = rho * v + (1 - rho) * g**2
        change = np.sqrt((u + eps) / (v + eps)) * g
        u = rho * u + (1 - rho) * change**2
        return lr * change

    return step


BOOK = {SGD: sgd, Adam: adam, AdamW: adam, Adamax: adamax, RMSprop: rmsprop, Adagrad: adagrad, Adadelta: adadelta}


def error(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))


# ---- the equations


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_hundred_steps_follow_the_equations(kind, options, dtype):
    params = [leaf(shape, dtype, seed) for seed, shape in enumerate(SHAPES)]
    start = [p.numpy().copy() for p in params]
    steps = list(gradients(SHAPES, dtype))
    run(kind(params, **options), params, steps)
    for position, p in enumerate(params):
        assert p.dtype == dtype and p.shape == SHAPES[position] and p.is_leaf and p.requires_grad
        expected = by_the_book(kind, start[position], [grads[position] for grads in steps], **options)
        assert error(p.numpy(), expected) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_hundred_steps_follow_pytorch(kind, options, dtype):
    torch = pytest.importorskip("torch")
    params = [leaf(shape, dtype, seed) for seed, shape in enumerate(SHAPES)]
    twins = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in params]
    optimizer, other = kind(params, **options), getattr(torch.optim, kind.__name__)(twins, **options)
    for grads in gradients(SHAPES, dtype):
        run(optimizer, params, [grads])
        for twin, g in zip(twins, grads, strict=True):
            twin.grad = None if g is None else torch.tensor(g)
        other.step()
        for p, twin in zip(params, twins, strict=True):
            assert error(p.numpy(), twin.detach().numpy()) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("kind", "options"), [case for case in CASES if case[0] in (Adam, AdamW)])
def test_a_fused_step_has_the_bits_of_the_equations(kind, options, dtype, monkeypatch):
    """On every instruction set: one pass of compiled code or a dozen of NumPy's are the same step."""
    kernels = config.kernels()
    if kernels is None:
        pytest.skip("no compiled kernels")
    steps = list(gradients([(7, 1237)], dtype, steps=6))
    runs = []
    for isa in [*kernels.isas(), None]:
        w = leaf((7, 1237), dtype)
        optimizer = kind([w], **options)
        if isa is None:
            monkeypatch.setattr(optimizer, "fused", lambda *arguments: False)
        else:
            kernels._use_isa(isa)
        run(optimizer, [w], steps)
        runs.append([w.numpy(), *[value for value in optimizer.state[w].values() if isinstance(value, np.ndarray)]])
    for arrays in runs[:-1]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(arrays, runs[-1], strict=True))


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_blocks_and_layouts_do_not_change_a_bit(kind, options):
    """A parameter of several blocks, and one that is not contiguous, take the same steps as their pieces alone."""
    shape = (3, 70001)
    steps = list(gradients([shape], "float32", steps=5))
    whole = leaf(shape)
    rows = [mg.tensor(row, requires_grad=True) for row in whole.numpy()]
    turned = mg.from_numpy(np.asfortranarray(whole.numpy())).requires_grad_()
    run(kind([whole], **options), [whole], steps)
    run(kind(rows, **options), rows, [[None] * 3 if g is None else list(g) for (g,) in steps])
    run(kind([turned], **options), [turned], steps)
    assert np.array_equal(whole.numpy(), np.stack([row.numpy() for row in rows]))
    assert np.array_equal(whole.numpy(), turned.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_groups_take_their_own_options(kind):
    slow, fast, alone = leaf(), leaf(), leaf()
    optimizer = kind([{"params": slow}, {"params": [fast], "lr": 0.5, "weight_decay": 0.0}], lr=0.1, weight_decay=0.2)
    optimizer.add_param_group({"params": (p for p in [alone])})
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5, 0.1]
    steps = list(gradients([(3,)], "float32", steps=3))
    run(optimizer, [slow, fast, alone], [grads * 3 for grads in steps])
    expected = by_the_book(kind, leaf().numpy(), [g for (g,) in steps], lr=0.5, weight_decay=0.0)
    assert error(fast.numpy(), expected) <= 1e-6
    assert np.array_equal(slow.numpy(), alone.numpy()) and not np.array_equal(slow.numpy(), fast.numpy())


def test_a_rate_that_was_changed_counts_at_the_next_step():
    w = mg.tensor([1.0], requires_grad=True)
    optimizer = SGD([w], lr=0.5)
    optimizer.param_groups[0]["lr"] = np.float64(0.25)
    run(optimizer, [w], [[np.ones(1, np.float32)]])
    assert w.tolist() == [0.75] and w.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_training_brings_a_loss_down(kind):
    w = leaf((4,))
    optimizer = kind([w], lr={Adadelta: 20.0, Adagrad: 1.0}.get(kind, 0.1))
    for _ in range(200):
        optimizer.zero_grad()
        loss = ((w - 3.0) * (w - 3.0)).sum()
        loss.backward()
        optimizer.step()
    assert error(w.numpy(), np.full(4, 3.0)) < 0.05


def test_gradients_that_are_not_finite_give_no_warnings():
    for kind, value in itertools.product(KINDS, [math.inf, math.nan, 3e38]):
        w = leaf()
        run(kind([w], lr=1.0), [w], [[np.full(3, value, np.float32)]] * 2)


# ---- memory, the tape, gradients


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_steps_work_in_place_and_allocate_nothing_of_full_size(kind, options):
    w = leaf((1000, 1000))
    w.grad = mg.ones(1000, 1000)
    address = w.numpy().ctypes.data
    optimizer = kind([w], **options)
    optimizer.step()
    optimizer.step()
    tracemalloc.start()
    try:
        optimizer.step()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert w.numpy().ctypes.data == address
    assert peak < 100_000  # the parameter has 4,000,000 bytes
    assert w.grad.numpy().min() == w.grad.numpy().max() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_backward_pass_that_needs_the_old_numbers_refuses(kind):
    w = leaf()
    loss = (w * w).sum()
    w.grad = mg.ones(3)
    kind([w]).step()
    with pytest.raises(mg.MutationError, match=f"the {kind.__name__} step has changed it"):
        loss.backward()


def test_parameters_without_a_gradient_are_left_alone():
    w, v = leaf(), leaf()
    before = w.numpy().copy()
    optimizer = Adam([w, v])
    v.grad = mg.ones(3)
    optimizer.step()
    assert np.array_equal(w.numpy(), before) and w not in optimizer.state and optimizer.state[v]["step"] == 1
    optimizer.zero_grad()
    assert w.grad is None and v.grad is None


def test_a_gradient_with_a_tape_can_be_stepped_on():
    w = leaf()
    (w * w * w).sum().backward(create_graph=True)
    SGD([w]).step()
    assert w.is_leaf


def test_read_only_memory_stops_the_step_before_anything_changed():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    w, fixed = leaf(), mg.from_numpy(array).requires_grad_()
    w.grad, fixed.grad = mg.ones(3), mg.ones(3)
    before = w.numpy().copy()
    optimizer = Adam([w, fixed])
    with pytest.raises(mg.MutationError, match="the Adam step: the memory of this tensor of shape .* is read-only"):
        optimizer.step()
    assert np.array_equal(w.numpy(), before) and not optimizer.state


# ---- state


@pytest.mark.parametrize("through_file", [False, True])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_a_run_resumes_bit_for_bit(kind, options, through_file, tmp_path):
    steps = list(gradients(SHAPES, "float32", steps=20))
    params = [leaf(shape, seed=seed) for seed, shape in enumerate(SHAPES)]
    optimizer = kind(params, **options)
    run(optimizer, params, steps[:10])
    saved = {"params": [p.detach().clone() for p in params], "optimizer": optimizer.state_dict()}
    if through_file:
        io.save(saved, tmp_path / "run")
        saved = io.load(tmp_path / "run")
    run(optimizer, params, steps[10:])
    again = [mg.tensor(p, requires_grad=True) for p in saved["params"]]
    other = kind(again, lr=0.7)
    other.load_state_dict(saved["optimizer"])
    run(other, again, steps[10:])
    for p, q in zip(params, again, strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()
    assert repr(other.state_dict()) == repr(optimizer.state_dict())


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_the_state_of_a_pytorch_run_goes_on_here(kind, options):
    torch = pytest.importorskip("torch")
    w = leaf((4, 3))
    twin = torch.tensor(w.numpy().copy(), requires_grad=True)
    other = getattr(torch.optim, kind.__name__)([twin], **options)
    steps = [g for (g,) in gradients([(4, 3)], "float32", steps=20) if g is not None]
    for step, g in enumerate(steps):
        if step == 10:
            theirs = other.state_dict()
            w.assign_(twin.detach().numpy())
            optimizer = kind([w])
            optimizer.load_state_dict(theirs)
            mine = optimizer.state_dict()
            assert mine["state"].keys() == theirs["state"].keys()
            assert all(mine["state"][n].keys() == {k for k, v in theirs["state"][n].items() if v is not None} for n in mine["state"])
        twin.grad = torch.tensor(g)
        other.step()
        if step >= 10:
            run(optimizer, [w], [[g]])
            assert error(w.numpy(), twin.detach().numpy()) <= 1e-6


def test_state_dict_is_a_copy_in_pytorchs_layout():
    w, v = leaf(), leaf((2,))
    optimizer = Adam([{"params": [w]}, {"params": [v], "lr": 0.5}])
    v.grad = mg.ones(2)
    optimizer.step()
    state = optimizer.state_dict()
    options = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False, "maximize": False}
    assert state["param_groups"] == [{"lr": 1e-3, **options, "params": [0]}, {"lr": 0.5, **options, "params": [1]}]
    assert list(state["state"]) == [1] and list(state["state"][1]) == ["step", "exp_avg", "exp_avg_sq"]
    before = state["state"][1]["exp_avg"].numpy().copy()
    optimizer.step()
    assert np.array_equal(state["state"][1]["exp_avg"].numpy(), before) and state["state"][1]["step"] == 1
    optimizer.load_state_dict(state)
    optimizer.step()
    assert np.array_equal(state["state"][1]["exp_avg"].numpy(), before)


def broken(good, group=None, **changes):
    """A copy of a state_dict of one group with something wrong in it."""
    return {"param_groups": [{**good["param_groups"][0], **(group or {})}], "state": good["state"], **changes}


def test_a_state_of_something_else_is_refused_and_nothing_changes():
    w, v = leaf((2, 3)), leaf((4,))
    w.grad, v.grad = mg.ones(2, 3), mg.ones(4)
    optimizer = Adam([w, v])
    optimizer.step()
    good = optimizer.state_dict()
    with_momentum = SGD([w, v], momentum=0.9)
    with_momentum.step()
    bad = [
        (None, "has the keys 'state' and 'param_groups'"),
        ({"state": {}}, "has the keys"),
        (broken(good, param_groups=[]), r"groups of the sizes \[\], this optimiser has \[2\]"),
        (broken(good, group={"params": [0]}), r"sizes \[1\], this optimiser has \[2\]"),
        (broken(good, group={"params": [0, 0]}), "lists one twice"),
        (broken(good, state={5: good["state"][0]}), "other parameters than its groups list"),
        (broken(good, state={1: good["state"][0]}), r"exp_avg of number 1 has shape \(2, 3\), the parameter has shape \(4,\)"),
        (broken(good, state={0: {"momentum_buffer": mg.ones(2, 3)}}), "keeps .*exp_avg.* has momentum_buffer for number 0"),
        (broken(good, group={"lr": -1.0}), "lr=-1.0 should be a finite number"),
        (with_momentum.state_dict(), "has no betas, eps: is it another optimiser's"),
    ]
    for state, message in bad:
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(state)
        assert repr(optimizer.state_dict()) == repr(good)


# ---- what is refused


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: SGD([], 0.1), ValueError, "SGD was given no parameters"),
        (lambda: Adam(p for p in []), ValueError, "Adam was given no parameters"),
        (lambda: Adam(leaf()), TypeError, r"this is one tensor of shape \(3,\): put it in a list"),
        (lambda: Adam([leaf(), np.ones(3)]), TypeError, "parameter 1 of group 0 is a ndarray, not a tensor"),
        (lambda: Adam([leaf(), {"params": leaf()}]), TypeError, "parameter 1 of group 0 is a dict, not a tensor"),
        (lambda: Adam([{"params": [leaf()]}, leaf()]), TypeError, "a parameter group is a dict"),
        (lambda: Adam([{"lr": 0.1}]), TypeError, "a parameter group is a dict with the key 'params'"),
        (lambda: Adam([leaf() * 2.0]), ValueError, "is a computed tensor: only leaves"),
        (lambda: Adam([mg.ones(3)]), ValueError, "does not require a gradient"),
        (lambda: Adam([leaf()], lr=-0.1), ValueError, "lr=-0.1 should be a finite number that is not negative"),
        (lambda: Adam([leaf()], lr=math.nan), ValueError, "lr=nan"),
        (lambda: Adam([leaf()], eps=-1e-8), ValueError, "eps=-1e-08"),
        (lambda: AdamW([leaf()], weight_decay=-1), ValueError, "AdamW: weight_decay=-1"),
        (lambda: SGD([leaf()], momentum=-0.5), ValueError, "momentum=-0.5"),
        (lambda: SGD([leaf()], nesterov=True), ValueError, "nesterov wants a momentum above 0 and no dampening"),
        (lambda: SGD([leaf()], momentum=0.9, dampening=0.1, nesterov=True), ValueError, "nesterov wants"),
        (lambda: Adam([leaf()], betas=(1.0, 0.9)), ValueError, "betas="),
        (lambda: Adam([leaf()], betas=(0.9, -0.1)), ValueError, "betas="),
        (lambda: Adam([leaf()], betas=(0.9,)), ValueError, "betas="),
        (lambda: Adam([{"params": [leaf()], "lr": -1.0}]), ValueError, "lr=-1.0"),
        (lambda: Adamax([leaf()], betas=(0.9, 1.0)), ValueError, "Adamax: betas="),
        (lambda: RMSprop([leaf()], lr=-1.0), ValueError, "RMSprop: lr=-1.0"),
        (lambda: RMSprop([leaf()], alpha=1.5), ValueError, "RMSprop: alpha=1.5 should be a number from 0 to 1"),
        (lambda: Adagrad([leaf()], lr_decay=-1.0), ValueError, "Adagrad: lr_decay=-1.0 should be a finite number"),
        (lambda: Adagrad([leaf()], initial_accumulator_value=-1), ValueError, "initial_accumulator_value=-1 should be"),
        (lambda: Adadelta([leaf()], rho=-0.5), ValueError, "Adadelta: rho=-0.5 should be a number from 0 to 1"),
        (lambda: SGD([{"params": [leaf()], "amsgrad": True}]), ValueError, "SGD has no option 'amsgrad'"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_one_parameter_given_twice_is_refused():
    w, v = leaf(), leaf()
    for params in ([w, v, w], [{"params": [v, w]}, {"params": [w]}]):
        with pytest.raises(ValueError, match="was given twice"):
            Adam(params)
    optimizer = Adam([w])
    with pytest.raises(ValueError, match="was given twice"):
        optimizer.add_param_group({"params": [v, w]})
    assert len(optimizer.param_groups) == 1


def test_what_an_update_writes_into_its_view_of_the_state_is_not_lost_in_silence():
    class Forgetful(Optimizer):
        def update(self, p, g, state, group):
            state["velocity"] = g

    w = leaf()
    w.grad = mg.ones(3)
    with pytest.raises(TypeError, match="does not support item assignment"):
        Forgetful([w], {"lr": 0.1}).step()


def test_the_base_class_says_that_it_has_no_update():
    w = leaf()
    w.grad = mg.ones(3)
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        Optimizer([w], {"lr": 0.1}).step()


def test_what_is_no_list_of_parameters_and_no_option_is_said():
    model = mg.nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"got Linear: pass its \.parameters\(\)"):
        SGD(model)
    with pytest.raises(ValueError, match=r"options \['lrr'\]; there are lr, momentum"):
        SGD([{"params": model.parameters(), "lrr": 3}])
    with pytest.raises(ValueError, match="lr=fast should be a finite number"):
        SGD(model.parameters(), lr="fast")
