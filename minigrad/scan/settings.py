"""How the scans of a thread run, and the report of its last one."""

from __future__ import annotations

import threading
from typing import Any

from minigrad import config

from .report import Report

PASSES = ("hoist", "lookup", "sink", "fuse", "plan")


def chosen_passes(text: str) -> frozenset[str]:
    """The passes that MINIGRAD_PASSES names: all by default, `none`, or a list with commas."""
    if not text:
        return frozenset(PASSES)
    names = frozenset(name for name in text.split(",") if name and name != "none")
    if names - set(PASSES):
        raise ValueError(f"MINIGRAD_PASSES names {', '.join(sorted(names - set(PASSES)))}; the passes are {', '.join(PASSES)}, or none")
    return names


COMPILED = config.kernels() is not None


class Settings(threading.local):
    """How scans run: MINIGRAD_PASSES and MINIGRAD_SCAN (compile, eager or check) from the environment, and the last report."""

    def __init__(self) -> None:
        self.passes = chosen_passes(config.flag("MINIGRAD_PASSES"))
        self.mode = config.flag("MINIGRAD_SCAN") or "compile"
        self.report: Report | None = None
        self.ready: Any = None  # what does the last scan again, if that was a layer's of a known kind


settings = Settings()
