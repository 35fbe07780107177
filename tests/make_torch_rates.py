"""Makes tests/vectors/rates.json with PyTorch: the learning rates of every schedule of test_schedules.py, for both groups, step by step.

python tests/make_torch_rates.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "vectors" / "rates.json"


def torch_rates(make: Any, steps: int) -> list[list[float]]:
    """What `make(module of schedules, optimizer)` gives in PyTorch: the rates of two groups, from the first to that after all steps."""
    import torch

    groups = [{"params": [torch.ones(1, requires_grad=True)]}, {"params": [torch.ones(1, requires_grad=True)], "lr": 0.02}]
    optimizer = torch.optim.Adam(groups, lr=0.1)
    schedule = make(torch.optim.lr_scheduler, optimizer)
    found = [[group["lr"] for group in optimizer.param_groups]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        found.append([group["lr"] for group in optimizer.param_groups])
    return found


if __name__ == "__main__":
    from test_schedules import CASES, STEPS

    FILE.write_text(json.dumps({case: torch_rates(make, STEPS) for case, make in CASES.items()}), encoding="utf8")
