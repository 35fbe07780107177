"""The average of the weights: the recurrence written out, PyTorch's, exchanged and back, saved and loaded."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import io, nn
from minigrad.optim import EMA, SGD


def model():
    mg.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def moves(net, steps, seed=0):
    """Changes of the weights, as training makes them."""
    rng = np.random.default_rng(seed)
    optimizer = SGD(net.parameters(), lr=0.1)
    for _ in range(steps):
        for p in net.parameters():
            p.grad = mg.tensor(rng.standard_normal(p.shape).astype("float32"))
        optimizer.step()
        yield [p.numpy().copy() for p in net.parameters()]


def weights(net):
    return [p.numpy().copy() for p in net.parameters()]


def test_the_average_follows_its_recurrence_from_a_copy_of_the_first_weights():
    net = model()
    ema = EMA(net, decay=0.9)
    expected = None
    for seen in moves(net, 20):
        ema.update()
        expected = seen if expected is None else [0.9 * a + 0.1 * w for a, w in zip(expected, seen, strict=True)]
    found = [average.numpy() for average in ema.averaged_state_dict().values()]
    assert list(ema.averaged_state_dict()) == list(net.state_dict())
    assert all(np.abs(a - b).max() < 1e-6 for a, b in zip(found, expected, strict=True))


def test_the_average_is_pytorchs():
    torch = pytest.importorskip("torch")
    net = model()
    twin = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    other = torch.optim.swa_utils.AveragedModel(twin, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    ema = EMA(net, decay=0.9)
    for _ in moves(net, 20):
        twin.load_state_dict({name: torch.tensor(value.numpy()) for name, value in net.state_dict().items()})
        ema.update()
        other.update_parameters(twin)
    for name, average in ema.averaged_state_dict().items():
        assert np.abs(average.numpy() - other.module.state_dict()[name].numpy()).max() < 1e-6


def test_averages_are_the_weights_inside_the_context_and_the_weights_come_back():
    net = model()
    ema = EMA(net, decay=0.5)
    for _ in moves(net, 5):
        ema.update()
    before, averaged = weights(net), [value.numpy() for value in ema.averaged_state_dict().values()]
    addresses = [p.numpy().ctypes.data for p in net.parameters()]

    def evaluation():
        with ema.applied():
            assert all(np.array_equal(a, b) for a, b in zip(weights(net), averaged, strict=True))
            raise KeyError("evaluation failed")

    with pytest.raises(KeyError):
        evaluation()
    assert all(np.array_equal(a, b) for a, b in zip(weights(net), before, strict=True))
    assert all(np.array_equal(a.numpy(), b) for a, b in zip(ema.averaged_state_dict().values(), averaged, strict=True))
    assert [p.numpy().ctypes.data for p in net.parameters()] == addresses
    assert not any(np.array_equal(a, b) for a, b in zip(before, averaged, strict=True))


def test_a_backward_pass_across_the_exchange_refuses():
    net = model()
    ema = EMA(net)
    loss = net(mg.ones(1, 3)).sum()
    with ema.applied():
        pass
    with pytest.raises(mg.MutationError, match=r"EMA.applied has changed it"):
        loss.backward()


def test_what_makes_no_sense_inside_the_context_is_refused():
    ema = EMA(model())
    with ema.applied():
        for name in ("update", "state_dict", "averaged_state_dict"):
            with pytest.raises(RuntimeError, match=rf"EMA.{name}\(\) inside applied\(\)"):
                getattr(ema, name)()
        with pytest.raises(RuntimeError, match=r"EMA.applied\(\) inside applied\(\)"), ema.applied():
            pass
    ema.update()


def test_a_run_resumes_bit_for_bit(tmp_path):
    net = model()
    ema = EMA(net, decay=0.9)
    for _ in moves(net, 5):
        ema.update()
    io.save({"model": net.state_dict(), "ema": ema.state_dict()}, tmp_path / "run")
    saved = io.load(tmp_path / "run")
    again = model()
    again.load_state_dict(saved["model"])
    later = EMA(again)
    later.load_state_dict(saved["ema"])
    for _ in moves(net, 5, seed=1):
        ema.update()
    for _ in moves(again, 5, seed=1):
        later.update()
    assert later.decay == 0.9 and later.updates == 10
    assert repr(later.state_dict()) == repr(ema.state_dict())


def test_wrong_arguments_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"EMA: decay=1.5 should be a number from 0 to 1"):
        EMA(model(), decay=1.5)
    ema = EMA(model())
    good = ema.state_dict()
    with pytest.raises(ValueError, match="EMA: the state_dict has no averages, updates"):
        ema.load_state_dict({"decay": 0.5})
    with pytest.raises(ValueError, match=r"the parameters \['1.bias'\] are in the model or in the state_dict, but not in both"):
        ema.load_state_dict({**good, "averages": {name: value for name, value in good["averages"].items() if name != "1.bias"}})
    with pytest.raises(ValueError, match=r"the average of '1.bias' has shape \(3,\), the parameter has shape \(2,\)"):
        ema.load_state_dict({**good, "averages": {**good["averages"], "1.bias": mg.ones(3)}})
