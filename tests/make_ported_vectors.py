"""Makes tests/vectors/ported.npz with PyTorch: how the models of tests/ported train, from which weights, on which data.

    python tests/make_ported_vectors.py

For each model `<name>/data/<array>`, `<name>/start/<parameter>`, `<name>/losses` (one a step) and `<name>/outputs` after training. The
sources in tests/ported are written for PyTorch. `load` runs one as it is, or with the name of the library changed in its imports;
test_ported.py imports it and the data from here. Only main and library="torch" need PyTorch.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FILE = HERE / "vectors" / "ported.npz"
STEPS = 50
NAMES = ("conv_lstm", "mlp", "bag")


def load(name: str, library: str) -> ModuleType:
    """The module of tests/ported/<name>.py with `library` in place of torch in its import lines, and nothing else changed."""
    source = (HERE / "ported" / f"{name}.py").read_text(encoding="utf8")
    if library != "torch":
        source = re.sub(r"^import torch$", f"import {library} as torch", source, flags=re.MULTILINE)
        source = re.sub(r"^(import|from) torch\b(?! as|$)", rf"\1 {library}", source, flags=re.MULTILINE)
    module = ModuleType(f"{name}_for_{library}")
    exec(compile(source, f"{name} for {library}", "exec"), vars(module))
    return module


def data_for(name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Numbers that can be learnt: a class that depends on where a wave starts, a smooth function, classes with words of their own."""
    rng = np.random.default_rng(NAMES.index(name))
    if name == "conv_lstm":
        y = rng.integers(0, 3, 24)
        time = np.arange(32)
        x = np.sin(time * (0.2 + 0.15 * y[:, None]))[:, None] + 0.3 * rng.standard_normal((24, 4, 32))
        return {"x": x.astype(np.float32), "y": y}
    if name == "mlp":
        x = rng.standard_normal((64, 6))
        y = np.stack([np.sin(x[:, 0]) + x[:, 1] * x[:, 2], np.abs(x[:, 3]) - x[:, 4]], axis=1)
        return {"x": x.astype(np.float32), "y": y.astype(np.float32)}
    y = rng.integers(0, 4, 30)
    lengths = rng.integers(1, 9, 30)
    words = np.concatenate(
        [np.where(rng.random(n) < 0.5, 1 + 9 * c + rng.integers(0, 9, n), rng.integers(0, 40, n)) for c, n in zip(y, lengths, strict=True)]
    )
    return {"words": words, "offsets": np.cumsum([0, *lengths[:-1]]), "y": y, "weight": np.array([1.0, 2.0, 0.5, 1.5], np.float32)}


def main() -> None:
    """Write the file."""
    import torch

    stored: dict[str, Any] = {}
    for name in NAMES:
        torch.manual_seed(0)
        module, data = load(name, "torch"), data_for(name)
        model = module.Model()
        start = {key: tensor.numpy().copy() for key, tensor in model.state_dict().items()}
        losses, outputs = module.train(model, data, STEPS)
        stored |= {f"{name}/data/{key}": array for key, array in data.items()}
        stored |= {f"{name}/start/{key}": array for key, array in start.items()}
        stored |= {f"{name}/losses": np.array(losses), f"{name}/outputs": outputs.numpy()}
        print(f"{name}: loss {losses[0]:.4f} to {losses[-1]:.4f} in {STEPS} steps")
    np.savez_compressed(FILE, **stored)
    print(f"{FILE}: {FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
