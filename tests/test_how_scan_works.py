"""docs/how-scan-works.md prints what minigrad prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import minigrad as mg

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
PAGE = (Path(__file__).parents[1] / "docs/how-scan-works.md").read_text(encoding="utf8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = [text for language, text in BLOCKS if not language]
PROGRAMS, TABLES = ([text for text in PRINTED if text.startswith("tick") == table] for table in (False, True))


def without_ticks(table: str) -> list[list[str]]:
    """The words of `mg.show(..., unroll=True)` but for the ticks, which count what the process did before; they stand before the shape."""
    found = []
    for line in table.splitlines():
        before, shape, after = line.partition("(")
        words = before.split()
        found.append([*[word for word in words if not (shape and re.fullmatch(r"[\d.]+", word))], *after.split()])
    return found


def test_the_programs_are_those_of_the_step_on_the_page() -> None:
    T, B, I, H = 5, 2, 3, 128  # noqa: E741
    assert f"T = {T}, B = {B}, input {I} and hidden size {H}" in PAGE
    names: dict[str, Any] = {"mg": mg}
    for name, shape in {"W_ih": (4 * H, I), "W_hh": (4 * H, H), "b": (4 * H,)}.items():
        names[name] = mg.tensor(mg.randn(*shape), requires_grad=True)
    exec(next(text for language, text in BLOCKS if language == "python" and text.startswith("def step")), names)
    _, ys = mg.scan(names["step"], (mg.zeros((B, H)), mg.zeros((B, H))), mg.randn(T, B, I))
    ys.sum().backward()
    printed = f"{mg.scan_report().plan}\n"
    assert len(PROGRAMS) == 8
    for program in PROGRAMS:
        assert f"\n{program}" in printed, program


def test_the_table_is_that_of_the_unrolled_tape(capsys: pytest.CaptureFixture[str]) -> None:
    W, U = (mg.tensor(mg.randn(*shape), requires_grad=True) for shape in ((3, 3), (2, 3)))
    h, _ = mg.scan(lambda h, x: ((h @ W + x @ U).tanh(), None), mg.zeros((1, 3)), mg.randn(2, 1, 2))
    mg.show(h.sum(), unroll=True)
    (table,) = TABLES
    assert without_ticks(capsys.readouterr().out) == without_ticks(table)
