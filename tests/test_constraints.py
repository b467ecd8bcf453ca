"""The pinned development set installs with whichever build of torch an index gives."""

from __future__ import annotations

from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "requirements" / "constraints.txt"


def test_no_package_of_only_one_build_of_torch_is_pinned() -> None:
    """The CUDA build of torch requires its own versions of these packages, the CPU build none."""
    names = [line.split("==")[0].lower() for line in CONSTRAINTS.read_text("utf-8").splitlines()]
    assert "torch" in names
    assert [n for n in names if n == "triton" or n.startswith(("nvidia-", "cuda-"))] == []
