"""Imports the modules of bench/ as the scripts there do, and restores the import path.

On the import path, bench/coverage.py would hide the package coverage.
"""

from __future__ import annotations

import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import gpu_page  # noqa: E402, F401
import gpu_peers  # noqa: E402, F401

sys.path.remove(str(BENCH))
