"""Imports bench/'s modules as its scripts do, and leaves no path behind.

bench/coverage.py would otherwise be found by whoever looks for the package of that name.
"""

from __future__ import annotations

import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import gpu_page  # noqa: E402, F401
import gpu_peers  # noqa: E402, F401

sys.path.remove(str(BENCH))
