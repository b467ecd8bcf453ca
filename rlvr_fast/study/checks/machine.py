"""What a study certainly lacks of the machine: weights that are there, memory and disk."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from pathlib import Path

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.study.checks.places import existing_part
from rlvr_fast.study.models import StudyModel

__all__ = ["check_disk", "check_memory", "check_weights", "weights_bytes"]

# The ids, the text and the keys of a draw of one token take more in any part.
_LEAST_DRAW = 8
_CGROUPS = Path("/sys/fs/cgroup")
_SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}


def check_memory(model: StudyModel, device: str, dtype: str, engine: str) -> None:
    """Refuses a model whose weights alone are larger than all memory that may hold them.

    Args:
        model: the model; one that is not on this machine is not measured.
        device: "auto", "cpu" or "cuda".
        dtype: the type of its weights in memory, or "auto".
        engine: the engine that loads it; vllm may spread a model over all GPUs.

    Raises:
        InvalidInputError: such a model.
    """
    held = Path(model.model)
    if not held.exists():
        return
    place, most = _memory(device, engine)
    auto = "bfloat16" if "GPU" in place else "float32"
    needed = weights_bytes(held, _SIZES[auto if dtype == "auto" else dtype])
    if most is not None and needed > most:
        raise InvalidInputError(
            f"{model.model}: its weights take at least {_gib(needed)}, more than the {place}, "
            f"{_gib(most)}; take a smaller model, or another dtype or device"
        )


def check_weights(model: StudyModel) -> None:
    """Refuses a folder of a model that holds no file of weights.

    Raises:
        InvalidInputError: such a folder.
    """
    held = Path(model.model)
    kinds = ("*.safetensors", "*.bin")
    if held.is_dir() and not any(True for kind in kinds for _ in held.glob(kind)):
        raise InvalidInputError(
            f"{held}: no file of weights in the folder (model.safetensors); copy the model anew"
        )


def weights_bytes(model: Path, itemsize: int) -> int:
    """A lower bound of what the weights of a folder or file take in memory, bytes.

    Args:
        model: a folder or a .gguf file.
        itemsize: bytes of one weight in memory; packed ones may take less than that.
    """
    if model.is_file():
        return model.stat().st_size
    files = sorted(model.glob("*.safetensors"))
    if any(file.name.startswith("model") for file in files):  # others hold the weights once more
        files = [file for file in files if file.name.startswith("model")]
    total = 0
    for file in files:
        from safetensors import safe_open

        with safe_open(file, framework="np") as opened:
            shapes = (opened.get_slice(name).get_shape() for name in opened.keys())  # noqa: SIM118
            loaded = itemsize * sum(math.prod(shape) for shape in shapes)
        total += min(loaded, file.stat().st_size)
    return total


def _memory(device: str, engine: str) -> tuple[str, int | None]:
    """What holds the weights, in words, and its bytes; None where they are not known."""
    if device != "cpu":
        import torch

        if torch.cuda.is_available():
            number = torch.cuda.device_count() if engine == "vllm" else 1
            sizes = [torch.cuda.get_device_properties(i).total_memory for i in range(number)]
            return "memory of the GPU" if number == 1 else "memory of all GPUs", sum(sizes)
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        swap = [
            int(line.split()[1]) << 10
            for line in Path("/proc/meminfo").read_text("utf-8").splitlines()
            if line.startswith("SwapTotal:")
        ]
    except (OSError, ValueError, IndexError):  # no Linux
        return "memory of this machine", None
    limit = _cgroup_limit()
    if limit is not None and limit < pages:
        return "memory that this container or job may take", limit + sum(swap)
    return "memory of this machine", pages + sum(swap)


def _cgroup_limit() -> int | None:
    """The least limit of memory of the cgroups that this process is in, bytes; None without one."""
    limits = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, inside = line.split(":", 2)
            if controllers == "":
                root, name = _CGROUPS, "memory.max"
            elif "memory" in controllers.split(","):
                root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
            else:
                continue
            folder = root / inside.lstrip("/")
            for place in (folder, *folder.parents):  # a limit holds for all groups below
                if place.is_relative_to(root):
                    with contextlib.suppress(OSError, ValueError):  # "max" is none
                        limits.append(int((place / name).read_text()))
    return min(limits, default=None)


def check_disk(out: Path, draws: int, draw_bytes: float | None) -> None:
    """Refuses draws that the free disk certainly cannot hold.

    Args:
        out: the folder of the study.
        draws: how many are to be made.
        draw_bytes: bytes of a draw on the mean of those that runs of the study hold; None where
            they hold none.

    Raises:
        InvalidInputError: less is free than the draws will take.
    """
    free = shutil.disk_usage(existing_part(out)).free
    needed = draws * (draw_bytes or _LEAST_DRAW)
    if needed <= free:
        return
    basis = "at the mean size of those that are there" if draw_bytes else "of one token each"
    raise InvalidInputError(
        f"out: {draws:,} draws {basis} take {_gib(needed)}, but {out} has {_gib(free)} free; make "
        "room, or name a folder of another disk"
    )


def _gib(size: float) -> str:
    return f"{size / (1 << 30):,.1f} GiB"
