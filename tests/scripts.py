"""How tests run the example scripts: as a user does, in a process of their own, or as modules."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    "PYTHONWARNINGS": "error,ignore:minigrad runs without:RuntimeWarning",
}
sys.path.insert(0, str(EXAMPLES))  # where a script that is run finds _support


def run(script: str, *words: Any, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The script with these words on its command line, and what it printed."""
    command = [sys.executable, str(EXAMPLES / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def load(script: str) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location(Path(script).stem, EXAMPLES / script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
