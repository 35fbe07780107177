"""Settings for the whole suite: a stale build fails at once, and no test leaves a switch or a seed behind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import minigrad as mg
from minigrad import config
from minigrad.recording import is_recording
from minigrad.scan import settings

collect_ignore_glob = ["ported/*"]  # models for PyTorch, which need not be installed


def pytest_configure() -> None:
    """Refuse to test compiled modules that are older than their sources."""
    if old := config.stale():
        raise pytest.UsageError(f"compiled modules are older than their sources: {', '.join(old)}; rebuild with pip install -e .")
    if os.environ.get("MINIGRAD_REQUIRE_COMPILED") == "1" and config.info()["engine"] != "compiled":
        raise pytest.UsageError("MINIGRAD_REQUIRE_COMPILED=1, but the engine runs uncompiled")


def pytest_report_header() -> list[str]:
    """What is being tested."""
    return [f"minigrad: {key}: {value}" for key, value in config.info().items() if key in ("engine", "kernels", "instruction set")]


@pytest.fixture(autouse=True)
def sealed() -> Iterator[None]:
    """Each test starts from seed 0 and must leave recording switched on; how scans run is as it was before."""
    mg.manual_seed(0)
    before = settings.passes, settings.mode
    yield
    settings.passes, settings.mode = before
    assert is_recording(), "a test left recording switched off"
