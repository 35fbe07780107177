"""What the project promises about itself: who imports whom, doctests of compiled modules, exported names, the README's commands."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import config

ROOT = Path(__file__).parents[1]
# From the bottom up: a module may import from those before it, and from its own package.
ORDER = [
    "config", "_elementwise", "_matmul", "_program", "_optim", "threads", "errors", "keywords", "hooks", "recording", "arrays", "sparse",
    "arithmetic", "tape", "walk", "op", "random", "ops", "grad", "testing", "scan", "show", "ledger", "optim", "nn", "tbptt", "data", "io",
]  # fmt: skip


def imports_of(path: Path) -> Iterator[str]:
    """The minigrad modules that a file imports, the part after the first dot."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")]
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ["minigrad", *path.relative_to(ROOT / "minigrad").parts[:-1]] if path.is_relative_to(ROOT) else ["minigrad"]
            base = [*(package[: len(package) + 1 - node.level] if node.level else []), *(node.module.split(".") if node.module else [])]
            names = [".".join([*base, alias.name]) for alias in node.names]
        yield from [name.split(".")[1] for name in names if name.startswith("minigrad.")]


@pytest.mark.parametrize("path", sorted((ROOT / "minigrad").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    own = path.relative_to(ROOT / "minigrad").parts[0].removesuffix(".py")
    if own in ("__init__", "__main__", "config"):
        return
    for name in imports_of(path):
        assert name in ORDER, f"{path} imports minigrad.{name}, which has no place in ORDER"
        assert ORDER.index(name) <= ORDER.index(own), f"{path} imports minigrad.{name}, which stands above it"


@pytest.mark.parametrize(
    "line",
    ["from minigrad import nn", "from minigrad.nn import LSTM", "import minigrad.nn", "from . import nn", "from .nn.layers import Linear"],
)
def test_an_import_that_points_upwards_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "tape.py").write_text(line, encoding="utf8")
    assert list(imports_of(tmp_path / "tape.py")) == ["nn"]


def test_the_lists_of_compiled_modules_agree() -> None:
    """setup.py compiles them, config.py knows them, and pytest must not collect their sources."""
    setup = (ROOT / "setup.py").read_text(encoding="utf8")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["tool"]["pytest"]["ini_options"]
    for name, path in config.COMPILED.items():
        source = Path(path)
        assert f'"{name}": ("{source.relative_to(ROOT)}", ' in setup
        assert name not in config.ENGINE or f"--ignore={source.relative_to(ROOT)}" in settings["addopts"]
    assert setup.count('": ("') == len(config.COMPILED)


@pytest.mark.parametrize("name", sorted(config.ENGINE))
def test_doctests_of_compiled_modules(name: str) -> None:
    """pytest cannot collect a .py whose import gives the compiled twin, so the docstrings are read from the source."""
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for node in ast.walk(ast.parse(Path(config.ENGINE[name]).read_text(encoding="utf8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module) and (text := ast.get_docstring(node)):
            where = getattr(node, "name", "module")
            runner.run(doctest.DocTestParser().get_doctest(text, dict(vars(module)), f"{name}.{where}", None, None))
    assert runner.summarize(verbose=False).failed == 0


def test_every_exported_name_exists_and_is_documented() -> None:
    for name in mg.__all__:
        assert getattr(mg, name).__doc__, f"mg.{name} has no documentation"
    for package in (mg.nn, mg.optim):
        for name in package.__all__:
            assert getattr(package, name).__doc__, f"{package.__name__}.{name} has no documentation"


def test_help_of_an_operation_is_its_own() -> None:
    assert mg.tanh.__doc__.startswith("Hyperbolic tangent")
    assert mg.tanh.__name__ == "tanh"


def test_version_is_said_once() -> None:
    assert importlib.metadata.version("minigrad") == mg.__version__


def test_info_prints_what_runs() -> None:
    out = subprocess.run([sys.executable, "-W", "ignore", "-m", "minigrad", "info"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^engine +(compiled|pure Python)$", out, re.MULTILINE)
    assert f"numpy            {np.__version__}" in out
    wrong = subprocess.run([sys.executable, "-W", "ignore", "-m", "minigrad", "nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "usage" in wrong.stderr


@pytest.mark.parametrize(
    ("switch", "engine", "kernels"), [("MINIGRAD_PURE=1", "pure Python", "NumPy"), ("MINIGRAD_KERNELS=0", None, "NumPy")]
)
def test_switches(switch: str, engine: str | None, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*switch.split("="))
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "from minigrad import config; i = config.info(); print(i['engine'], '|', i['kernels'])",
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split(" | ")
    assert found[1] == kernels
    assert engine is None or found[0] == engine


def test_import_leaves_the_process_alone() -> None:
    """No change of NumPy's error handling, its generator, or the floating-point mode: subnormals still exist."""
    code = (
        "import numpy as np; before = np.geterr(), np.random.get_state()[1].tolist()\n"
        "import warnings; warnings.simplefilter('ignore'); import minigrad\n"
        "assert before == (np.geterr(), np.random.get_state()[1].tolist())\n"
        "assert np.float32(1e-38) / np.float32(1e4) > 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_training_and_inference_leave_memory_flat() -> None:
    """The campaign's check at a fifth of its length; `python campaigns/memory.py` runs all 10,000 steps."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "campaigns/memory.py"), "--steps", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_keeps_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    for marker, command in [("main command", "examples/char_lm.py"), ("test command", "-m pytest")]:
        block = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", text, re.DOTALL)
        assert block is not None
        assert command in block.group(1)


@pytest.mark.skipif(config.kernels() is None, reason="the loops share the compiled kernels")
def test_the_loops_in_c_of_the_benchmarks_compile_with_the_kernels_headers():
    code = "import sys; sys.path.insert(0, 'benchmarks'); import _cells_fused as c; print(c.compiler() is None or bool(c.library()))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr[-2000:]
