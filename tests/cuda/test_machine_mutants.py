"""Plants mistakes in the fused kernels, each of which must show in some schedule.

The mutants show that the machine and the checks of results would report such a mistake in the
unchanged kernels.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from compiled import CUDA, FUSED_KERNELS, TESTS, linked, machine_sources

CASE = [TESTS / "machine/cases/fused_case.cpp", *machine_sources()]
SEEDS = range(8)


class Mutant(NamedTuple):
    old: str
    new: str
    words: str  # a regular expression for the message of the machine or of the check
    kernel: str = "wgmma_pairs"


OVERWRITES = "overwrites an operand of a product"
READS_PENDING = "reads the destination of a pending copy"
HOPPER = {
    "a stage is released while a product reads it": Mutant(
        "product_wait<1>();", "product_wait<2>();", OVERWRITES
    ),
    "accumulators are folded before the wait": Mutant(
        "product_wait<0>();", "product_wait<1>();", "were written|before a product"
    ),
    "no fence before the products": Mutant("product_fence();", "", "without a wgmma.fence"),
    "accumulators are not reset for a new tile": Mutant(
        "step == 0 && k == 0 ? 0 : 1", "1", "wrong"
    ),
    "accumulators are reset in every step": Mutant(
        "step == 0 && k == 0 ? 0 : 1", "k == 0 ? 0 : 1", "wrong"
    ),
    "the wrong advance along k": Mutant("a + 2 * k, b + 2 * k", "a + k, b + k", "wrong"),
    "the second warpgroup multiplies the rows of the first": Mutant(
        "stage.a + block_row * kDepth", "stage.a + 0 * block_row", "wrong"
    ),
    "the producer waits for the wrong phase": Mutant(
        "&ring.empty[place.stage], place.parity ^ 1", "&ring.empty[place.stage], place.parity",
        "hangs",
    ),
    "consumers wait for the wrong phase": Mutant(
        "&ring.full[place.stage], place.parity", "&ring.full[place.stage], place.parity ^ 1",
        OVERWRITES,
    ),
    "the parity of the ring never changes": Mutant("parity ^= 1;", "", "hangs|more arrivals|reads"),
    "one arrival too few is expected": Mutant(
        "kConsumerWarps * kCluster", "kConsumerWarps * kCluster - 1",
        "more arrivals|overwrites",
    ),
    "one arrival too many is expected": Mutant(
        "kConsumerWarps * kCluster", "kConsumerWarps * kCluster + 1", "hangs"
    ),
    "only the own block is told that a stage is free": Mutant(
        "&ring.empty[last_stage], static_cast<std::uint32_t>(lane)",
        "&ring.empty[last_stage], cluster_rank()", OVERWRITES,
    ),
    "fewer bytes are expected than are copied": Mutant(
        "barrier_expect(full, sizeof(Stage<kColumns>))",
        "barrier_expect(full, sizeof(Stage<kColumns>) - 1024)",
        "more bytes|reads",
    ),
    "more bytes are expected than are copied": Mutant(
        "barrier_expect(full, sizeof(Stage<kColumns>))",
        "barrier_expect(full, sizeof(Stage<kColumns>) + 1024)", "hangs",
    ),
    "no multicast of a block's half of the weight": Mutant(
        "(1 << kCluster) - 1", "1 << rank", "hangs"
    ),
    "both halves of the weight have one destination": Mutant(
        "stage.b + share * kDepth", "stage.b", "the destination of a pending copy"
    ),
    "both blocks copy the same half of the weight": Mutant("column + share,", "column,", "wrong"),
    "no fence after the initialisation of barriers": Mutant(
        "barrier_init_fence();", "", "without fence.mbarrier_init"
    ),
    "blocks do not wait for the barriers of other blocks": Mutant(
        "__syncthreads();\n  if (kCluster > 1) cluster_sync();", "__syncthreads();",
        "not initialised",
    ),
    "blocks end while other blocks still arrive at their barriers": Mutant(
        "__syncthreads();\n  cluster_sync();", "", "block that has ended|before a copy"
    ),
    "copies without swizzle": Mutant(
        "CU_TENSOR_MAP_SWIZZLE_128B", "CU_TENSOR_MAP_SWIZZLE_NONE", "wrong"
    ),
    "the box of the weight has too many rows": Mutant(
        "kColumns / kCluster)", "kColumns)", "copy|bytes"
    ),
    "the launch requests too little shared memory": Mutant(
        "sizeof(Stage<kColumns>) + 16) + 1024", "sizeof(Stage<kColumns>) + 16)", "outside the"
    ),
    "the end of the vocabulary is not masked": Mutant(
        "fragment_column(thread, pair, element) < inside",
        "fragment_column(thread, pair, element) <= inside", "wrong",
    ),
}  # fmt: skip
AMPERE = {
    "no barrier after the wait for copies": Mutant(
        "copy_wait<kStages - 2>();\n        __syncthreads();", "copy_wait<kStages - 2>();",
        f"wrong|{READS_PENDING}", "mma",
    ),
    "a stage is multiplied before the copy arrives": Mutant(
        "copy_wait<kStages - 2>", "copy_wait<kStages - 1>", READS_PENDING, "mma"
    ),
    "a stage is filled while warps multiply it": Mutant(
        "copy_next(shared.stages[(current + kStages - 1) % kStages])",
        "copy_next(shared.stages[current])", READS_PENDING, "mma",
    ),
    "elements outside the matrix are not zeros": Mutant("inside ? 16 : 0", "16", "wrong", "mma"),
    "a row is read past its end": Mutant("column < width", "column <= width", "wrong", "mma"),
    "pieces of a stage are not permuted over the banks": Mutant(
        "number ^ (row >> 1)", "number", "bank", "mma"
    ),
    "halves of k are exchanged": Mutant(
        "lane / 8 % 2", "1 - lane / 8 % 2", "wrong", "mma"
    ),
    "neighbours' columns are exchanged": Mutant(
        "left[m], right[0], right[1]", "left[m], right[2], right[3]", "wrong", "mma"
    ),
    "the left warps do not wait for the right warps": Mutant(
        "__syncthreads();  // right[] is written, and", "//", f"wrong|{READS_PENDING}", "mma"
    ),
}  # fmt: skip
MUTANTS = HOPPER | AMPERE


def planted(mutant: Mutant, folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the launchers and the include folder to compile, with the mistake in one file."""
    holders = [p for p in CUDA.rglob("*.cu*") if mutant.old in p.read_text("utf-8")]
    assert len(holders) == 1, f"{mutant.old!r} must be in one file; found in {holders}"
    path = folder / "scoring/cuda" / holders[0].relative_to(CUDA)
    path.parent.mkdir(parents=True)
    path.write_text(holders[0].read_text("utf-8").replace(mutant.old, mutant.new), "utf-8")
    return [path if kernel == holders[0] else kernel for kernel in FUSED_KERNELS], [folder]


def outcome(program: Path, kernel: str, seed: int) -> str:
    """Returns the error of one schedule: "" where the run is correct."""
    command = [str(program), kernel, "300", "700", "136", str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode in (0, 1), f"{command} ended with {run.returncode}: {run.stderr}"
    return run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["mma", "wgmma", "wgmma_pairs"])
def test_unchanged_kernels_run_without_error(kernel):
    program = linked("fused_case", CASE, kernels=FUSED_KERNELS)
    assert [outcome(program, kernel, seed) for seed in SEEDS] == [""] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_planted_mistake_is_reported(mistake, tmp_path):
    mutant = MUTANTS[mistake]
    kernels, include = planted(mutant, tmp_path)
    program = linked("fused_mutant", CASE, kernels=kernels, include=include)
    found = next(filter(None, (outcome(program, mutant.kernel, seed) for seed in SEEDS)), "")
    assert re.search(mutant.words, found), found or "no schedule reports an error"
