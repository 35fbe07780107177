"""Schedules: each against rates worked out by hand or another way, against PyTorch, resumed, and what they refuse."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from make_torch_rates import FILE

import minigrad as mg
from minigrad import io, optim

STEPS = 25


def simple(name, **options):
    return lambda library, optimizer: getattr(library, name)(optimizer, **options)


def sequential(*makers, milestones):
    return lambda library, optimizer: library.SequentialLR(optimizer, [make(library, optimizer) for make in makers], milestones)


def chained(*makers):
    return lambda library, optimizer: library.ChainedScheduler([make(library, optimizer) for make in makers])


CASES = {
    "lambda": simple("LambdaLR", lr_lambda=lambda t: 1 / (1 + t)),
    "lambdas": simple("LambdaLR", lr_lambda=[lambda t: 0.9**t, lambda t: 1.0 + t]),
    "step": simple("StepLR", step_size=4, gamma=0.3),
    "multistep": simple("MultiStepLR", milestones=[9, 3, 9, 15], gamma=0.5),
    "exponential": simple("ExponentialLR", gamma=0.8),
    "constant": simple("ConstantLR", factor=0.25, total_iters=6),
    "linear": simple("LinearLR", start_factor=0.1, end_factor=0.7, total_iters=7),
    "cosine": simple("CosineAnnealingLR", T_max=9, eta_min=0.01),
    "restarts": simple("CosineAnnealingWarmRestarts", T_0=7, eta_min=0.01),
    "longer restarts": simple("CosineAnnealingWarmRestarts", T_0=3, T_mult=2),
    "one cycle": simple("OneCycleLR", max_lr=0.5, total_steps=STEPS + 1),
    "one linear cycle": simple("OneCycleLR", max_lr=[0.5, 0.1], epochs=3, steps_per_epoch=10, anneal_strategy="linear", pct_start=0.25),
    "three phases": simple("OneCycleLR", max_lr=0.5, total_steps=STEPS + 1, three_phase=True, div_factor=5.0, final_div_factor=50.0),
    "warm-up": sequential(simple("LinearLR", start_factor=0.1, total_iters=5), simple("CosineAnnealingLR", T_max=15), milestones=[5]),
    "three in turn": sequential(
        simple("ConstantLR", factor=0.5, total_iters=4),
        simple("ExponentialLR", gamma=0.9),
        simple("StepLR", step_size=3),
        milestones=[4, 11],
    ),
    "two at once": chained(simple("ConstantLR", factor=0.5, total_iters=4), simple("ExponentialLR", gamma=0.9)),
    "three at once": chained(
        simple("LinearLR", start_factor=0.2, total_iters=4), simple("StepLR", step_size=5), simple("CosineAnnealingLR", T_max=30)
    ),
}


def adam():
    return optim.Adam([{"params": [mg.ones(1, requires_grad=True)]}, {"params": [mg.ones(1, requires_grad=True)], "lr": 0.02}], lr=0.1)


def rates(schedule, steps=STEPS):
    found = [schedule.get_last_lr()]
    for _ in range(steps):
        schedule.step()
        found.append(schedule.get_last_lr())
    return np.array(found)


# ---- against what is known


@pytest.mark.parametrize("case", CASES)
def test_rates_are_those_recorded_from_pytorch(case):
    recorded = json.loads(FILE.read_text(encoding="utf8"))
    assert recorded.keys() == CASES.keys()
    assert np.allclose(rates(CASES[case](optim, adam())), recorded[case], rtol=1e-12, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_rates_and_momenta_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    mine = adam()
    twins = [{"params": [torch.ones(1, requires_grad=True)], "lr": group["lr"]} for group in mine.param_groups]
    theirs = torch.optim.Adam(twins, lr=0.1)
    schedule, other = CASES[case](optim, mine), CASES[case](torch.optim.lr_scheduler, theirs)
    for _ in range(STEPS):
        for group, twin in zip(mine.param_groups, theirs.param_groups, strict=True):
            assert math.isclose(group["lr"], twin["lr"], rel_tol=1e-12)
            assert np.allclose(group["betas"], twin["betas"], rtol=1e-12)
        theirs.step()
        schedule.step()
        other.step()


def test_steps_go_down_where_they_should():
    group = [{"params": [mg.ones(1, requires_grad=True)]}]
    made = {
        "step": [8.0, 8.0, 4.0, 4.0, 2.0],
        "multistep": [8.0, 4.0, 4.0, 1.0, 1.0],
        "exponential": [8.0, 4.0, 2.0, 1.0, 0.5],
        "constant": [2.0, 2.0, 8.0, 8.0, 8.0],
        "linear": [4.0, 5.0, 6.0, 7.0, 8.0],
        "cosine": [8.0, 4.0 + 2 * math.sqrt(2) + 1.0 - 1.0, 4.0, 4.0 - 2 * math.sqrt(2), 0.0],
        "restarts": [8.0, 4.0, 8.0, 4.0 + 2 * math.sqrt(2), 4.0],
    }
    makers = {
        "step": simple("StepLR", step_size=2, gamma=0.5),
        "multistep": simple("MultiStepLR", milestones=[1, 3, 3], gamma=0.5),
        "exponential": simple("ExponentialLR", gamma=0.5),
        "constant": simple("ConstantLR", factor=0.25, total_iters=2),
        "linear": simple("LinearLR", start_factor=0.5, total_iters=4),
        "cosine": simple("CosineAnnealingLR", T_max=4),
        "restarts": simple("CosineAnnealingWarmRestarts", T_0=2, T_mult=2),
    }
    for name, expected in made.items():
        found = rates(makers[name](optim, optim.SGD([dict(entry) for entry in group], lr=8.0)), steps=4)[:, 0]
        assert np.allclose(found, expected, rtol=1e-12, atol=1e-12), name


def test_one_cycle_starts_peaks_and_ends_where_it_says_with_the_momentum_the_other_way():
    optimizer = optim.SGD([mg.ones(1, requires_grad=True)], lr=7.0, momentum=0.5)
    schedule = optim.OneCycleLR(optimizer, max_lr=1.0, total_steps=11, pct_start=0.4)
    found = []
    for _ in range(11):
        found.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        schedule.step()
    lr, momentum = np.array(found).T
    # 0.4 * 11 - 1 = 3.4 is the peak, between steps 3 and 4; the end is step 10
    assert math.isclose(lr[0], 1 / 25) and math.isclose(lr[10], 1 / 25e4) and lr.argmax() in (3, 4) and lr.max() < 1.0
    assert math.isclose(lr[3], 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * 3 / 3.4)) / 2)
    assert momentum[0] == momentum[10] == 0.95 and momentum.argmin() == lr.argmax() and momentum.min() > 0.85
    with pytest.raises(ValueError, match="step 12 of a cycle of 11 steps"):
        schedule.step()


def test_chained_factors_multiply():
    optimizer = adam()
    parts = [optim.ExponentialLR(optimizer, 0.9), optim.StepLR(optimizer, 3, 0.5), optim.LambdaLR(optimizer, lambda t: 1 + t)]
    found = rates(optim.ChainedScheduler(parts, optimizer))
    t = np.arange(STEPS + 1)
    assert np.allclose(found[:, 0], 0.1 * 0.9**t * 0.5 ** (t // 3) * (1 + t), rtol=1e-12)
    assert np.allclose(found[:, 1], found[:, 0] / 5, rtol=1e-12)


def test_the_optimizer_steps_with_the_rate_of_the_schedule():
    w = mg.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    schedule = optim.ExponentialLR(optimizer, 0.5)
    for _ in range(3):
        w.grad = mg.ones(1)
        optimizer.step()
        schedule.step()
    assert w.tolist() == [-1.75]


# ---- the plateau


MEASURED = [
    5.0,
    4.0,
    4.1,
    4.2,
    4.3,
    4.0,
    3.9995,
    3.9,
    4,
    4,
    4,
    4,
    4,
    4,
    math.nan,
    3.0,
    3.0,
    3.0,
    3.0,
    3.0,
    3.0,
    3.0,
    -1.0,
    -1.1,
    -1.1,
    -1.1,
]
PLATEAUS = [
    {},
    {"patience": 1},
    {"patience": 1, "factor": 0.5, "cooldown": 2},
    {"patience": 2, "threshold": 0.1, "threshold_mode": "abs", "min_lr": 0.005},
    {"mode": "max", "patience": 1, "threshold": 0.3, "min_lr": [0.05, 0.001]},
    {"mode": "max", "patience": 0, "threshold": 0.05, "threshold_mode": "abs", "eps": 1e-3},
    {"patience": 0, "threshold": 0.5},
]


@pytest.mark.parametrize("options", PLATEAUS, ids=range(len(PLATEAUS)))
def test_a_plateau_is_pytorchs(options):
    torch = pytest.importorskip("torch")
    mine = adam()
    twins = [{"params": [torch.ones(1, requires_grad=True)], "lr": group["lr"]} for group in mine.param_groups]
    theirs = torch.optim.Adam(twins, lr=0.1)
    schedule, other = optim.ReduceLROnPlateau(mine, **options), torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for value in MEASURED:
        schedule.step(value)
        other.step(value)
        assert [group["lr"] for group in mine.param_groups] == [group["lr"] for group in theirs.param_groups]


def test_a_plateau_waits_reduces_cools_down_and_stops_at_the_least():
    optimizer = optim.SGD([mg.ones(1, requires_grad=True)], lr=1.0)
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=2, min_lr=0.3)
    found = []
    for value in [3.0, mg.tensor(2.0), 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]:
        schedule.step(value)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]


# ---- going on


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_goes_on_from_its_state(case, tmp_path):
    whole = rates(CASES[case](optim, adam()))
    optimizer = adam()
    schedule = CASES[case](optim, optimizer)
    rates(schedule, 10)
    io.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, tmp_path / "run")
    saved = io.load(tmp_path / "run")
    again = adam()
    later = CASES[case](optim, again)
    again.load_state_dict(saved["optimizer"])
    later.load_state_dict(saved["schedule"])
    assert np.array_equal(rates(later, STEPS - 10), whole[10:])


@pytest.mark.parametrize("case", ["step", "cosine", "restarts"])
def test_last_epoch_goes_on_where_a_run_stopped(case):
    options = {"step": {"step_size": 4}, "cosine": {"T_max": 9}, "restarts": {"T_0": 7}}[case]
    kind = {"step": optim.StepLR, "cosine": optim.CosineAnnealingLR, "restarts": optim.CosineAnnealingWarmRestarts}[case]
    optimizer = adam()
    whole = rates(kind(optimizer, **options))
    assert np.array_equal(rates(kind(optimizer, **options, last_epoch=9), STEPS - 10), whole[10:])
    with pytest.raises(ValueError, match=r"group 0 has no 'initial_lr' to go on from at last_epoch=9"):
        kind(adam(), **options, last_epoch=9)


def test_a_plateau_goes_on_from_its_state(tmp_path):
    def run(schedule, optimizer, values):
        found = []
        for value in values:
            schedule.step(value)
            found.append([group["lr"] for group in optimizer.param_groups])
        return found

    options = {"patience": 1, "factor": 0.5, "cooldown": 1}
    optimizer, again = adam(), adam()
    schedule, later = optim.ReduceLROnPlateau(optimizer, **options), optim.ReduceLROnPlateau(again, **options)
    run(schedule, optimizer, MEASURED[:9])
    io.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, tmp_path / "run")
    saved = io.load(tmp_path / "run")
    again.load_state_dict(saved["optimizer"])
    later.load_state_dict(saved["schedule"])
    assert run(later, again, MEASURED[9:]) == run(schedule, optimizer, MEASURED[9:])
    with pytest.raises(ValueError, match="ReduceLROnPlateau: the state_dict has no best, cooldown_counter, num_bad_epochs"):
        later.load_state_dict({"last_epoch": 3})


def test_the_state_of_pytorchs_schedule_goes_on_here():
    torch = pytest.importorskip("torch")
    other = torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5), 3)
    for _ in range(4):
        other.optimizer.step()
        other.step()
    schedule = optim.StepLR(optim.SGD([mg.ones(1, requires_grad=True)], lr=0.1), 3)
    schedule.load_state_dict(other.state_dict())
    assert schedule.get_last_lr() == [0.05]


# ---- what is refused


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda o: optim.StepLR(mg.nn.Linear(1, 1), 3), TypeError, "StepLR wants an optimizer, got Linear"),
        (lambda o: optim.ReduceLROnPlateau(3), TypeError, "ReduceLROnPlateau wants an optimizer, got int"),
        (lambda o: optim.StepLR(o, 0), ValueError, "StepLR: step_size=0 should be a whole number from 1"),
        (lambda o: optim.LinearLR(o, total_iters=0), ValueError, "total_iters=0"),
        (lambda o: optim.LinearLR(o, start_factor=0.0), ValueError, "start_factor=0.0 should be above 0"),
        (lambda o: optim.LinearLR(o, end_factor=2.0), ValueError, "end_factor=2.0 at least 0, both at most 1"),
        (lambda o: optim.ConstantLR(o, factor=1.5), ValueError, "factor=1.5 should be a number from 0 to 1"),
        (lambda o: optim.CosineAnnealingLR(o, T_max=0.5), ValueError, "T_max=0.5 should be a whole number"),
        (lambda o: optim.CosineAnnealingWarmRestarts(o, T_0=0), ValueError, "T_0=0"),
        (lambda o: optim.CosineAnnealingWarmRestarts(o, T_0=1, T_mult=0), ValueError, "T_mult=0"),
        (lambda o: optim.LambdaLR(o, [abs]), ValueError, "lr_lambda has 1 entries for 2 parameter groups"),
        (lambda o: optim.OneCycleLR(o, 1.0), ValueError, "wants total_steps, or epochs and steps_per_epoch"),
        (lambda o: optim.OneCycleLR(o, 1.0, 10, pct_start=2.0), ValueError, "pct_start=2.0"),
        (lambda o: optim.OneCycleLR(o, 1.0, 10, anneal_strategy="sine"), ValueError, "anneal_strategy='sine' should be 'cos' or 'linear'"),
        (
            lambda o: optim.OneCycleLR(optim.Adagrad([mg.ones(1, requires_grad=True)]), 1.0, 10),
            ValueError,
            "Adagrad has no momentum to cycle",
        ),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)], [3]), ValueError, "a milestone between each two of its 1 schedules"),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)] * 3, [3, 2]), ValueError, r"in rising order, got \[3, 2\]"),
        (lambda o: optim.SequentialLR(o, [], []), ValueError, "SequentialLR was given no schedules"),
        (lambda o: optim.ChainedScheduler([]), ValueError, "ChainedScheduler was given no schedules"),
        (lambda o: optim.ChainedScheduler([optim.StepLR(adam(), 1)], o), ValueError, "schedule 0 .StepLR. is for another optimizer"),
        (lambda o: optim.ChainedScheduler([optim.ReduceLROnPlateau(o)]), TypeError, "number 0 is a ReduceLROnPlateau"),
        (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor=1.0 should be a number from 0 up to, not with, 1"),
        (lambda o: optim.ReduceLROnPlateau(o, mode="least"), ValueError, "mode is 'min' or 'max'"),
        (lambda o: optim.ReduceLROnPlateau(o, min_lr=[0.0]), ValueError, "min_lr has 1 entries for 2 parameter groups"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(make, kind, message):
    with pytest.raises(kind, match=message):
        make(adam())


def test_a_group_that_came_later_and_a_state_of_another_are_refused():
    optimizer = adam()
    schedule = optim.StepLR(optimizer, 3)
    with pytest.raises(ValueError, match="the state_dict has no base_lrs"):
        schedule.load_state_dict(optim.ReduceLROnPlateau(optimizer).state_dict())
    with pytest.raises(ValueError, match="has 1 first rates for 2 groups"):
        schedule.load_state_dict({"last_epoch": 3, "base_lrs": [0.5]})
    optimizer.add_param_group({"params": [mg.ones(1, requires_grad=True)]})
    with pytest.raises(ValueError, match="StepLR was made for 2 parameter groups, the optimizer now has 3"):
        schedule.step()
    with pytest.raises(NotImplementedError, match="LRScheduler has no rate"):
        optim.LRScheduler(optimizer)
