"""python -m minigrad info"""

from __future__ import annotations

import sys

from minigrad import config


def main(arguments: list[str]) -> int:
    """Print versions, instruction set, threads, and whether minigrad runs compiled; 1 if a compiled module is out of date."""
    if arguments != ["info"]:
        print("usage: python -m minigrad info", file=sys.stderr)
        return 2
    config.show_config()
    if old := config.stale():
        print(f"out of date: {', '.join(old)} were compiled from older sources; rebuild with pip install -e .", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
