"""Models written for PyTorch run here with the import changed, and train as they do there: tests/ported, loss by loss."""

from __future__ import annotations

import re

import numpy as np
import pytest
from make_ported_vectors import FILE, HERE, NAMES, STEPS, data_for, load

import minigrad as mg


def part(arrays, prefix):
    return {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}


@pytest.fixture(scope="module")
def stored():
    with np.load(FILE) as arrays:
        return dict(arrays)


def trained(name, start, data):
    """Our model from these weights, its losses, and what it says in the end."""
    module = load(name, "minigrad")
    mg.manual_seed(1)
    model = module.Model()
    assert list(model.state_dict()) == list(start)
    model.load_state_dict(start)
    losses, outputs = module.train(model, data, STEPS)
    return model, losses, outputs


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_are_those_of_torch(name, stored):
    """As PyTorch computed them, stored: every one of 50 steps within 1e-5."""
    expected = stored[f"{name}/losses"]
    assert len(expected) == STEPS and expected[-1] < 0.7 * expected[0]
    _, losses, outputs = trained(name, part(stored, f"{name}/start/"), part(stored, f"{name}/data/"))
    worst = np.abs(np.array(losses) - expected).max()
    print(f"\n{name}: loss {losses[0]:.4f} to {losses[-1]:.4f}, largest difference {worst:.1g}")
    assert worst < 1e-5
    assert np.abs(outputs.numpy() - stored[f"{name}/outputs"]).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_are_those_of_torch_beside_it(name):
    """Live, from other weights; and the weights and running statistics after training."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    module, data = load(name, "torch"), data_for(name)
    theirs = module.Model()
    start = {key: tensor.numpy().copy() for key, tensor in theirs.state_dict().items()}
    expected, final = module.train(theirs, data, STEPS)
    ours, losses, outputs = trained(name, start, data)
    assert np.abs(np.array(losses) - expected).max() < 1e-5
    assert np.abs(outputs.numpy() - final.numpy()).max() < 1e-4
    for key, tensor in theirs.state_dict().items():
        assert np.abs(ours.state_dict()[key].numpy() - tensor.numpy()).max() < 1e-3, key


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_the_imports_is_changed(name):
    source = (HERE / "ported" / f"{name}.py").read_text(encoding="utf8")
    imports = [line for line in source.splitlines() if re.match("(import|from) ", line)]
    assert imports and all("torch" in line for line in imports) and "minigrad" not in source
    module = load(name, "minigrad")
    assert module.nn is mg.nn and module.torch is mg
    assert module.Model.__mro__[1] is mg.nn.Module


def test_what_code_for_torch_says_beside_its_models():
    """Names that stand in nearly every script: dtypes, the device, gradients set to None."""
    model = mg.nn.Linear(2, 3).to("cpu").to(mg.float64).float()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    x, y = mg.tensor([[1.0, 2.0]], dtype=mg.float32), mg.tensor([2], dtype=mg.long)
    mg.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.zero_grad(set_to_none=False)
    assert model.weight.grad.tolist() == [[0.0, 0.0]] * 3 and y.dtype == mg.int64 != mg.int32
    optimizer.zero_grad(set_to_none=True)
    assert model.weight.grad is None
    assert mg.cat([x, x], 1).unsqueeze(1).permute(0, 2, 1).flatten(1).shape == (1, 4)


@pytest.mark.parametrize("name", NAMES)
def test_other_weights_give_other_losses(name, stored):
    """The comparison can fail: one number of one parameter moved by a hundredth is seen."""
    start = {key: array.copy() for key, array in part(stored, f"{name}/start/").items()}
    key = next(key for key in start if key.endswith("weight"))
    start[key].flat[-1] += 1e-2
    _, losses, _ = trained(name, start, part(stored, f"{name}/data/"))
    assert np.abs(np.array(losses) - stored[f"{name}/losses"]).max() > 1e-5
