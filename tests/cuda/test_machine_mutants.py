"""Mistakes planted in the fused kernels, each of which the machine must find in some schedule: so
that its silence about the kernels as they are says something.
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
    words: str  # what the machine says of it, a regular expression
    kernel: str = "wgmma_pairs"


OVERWRITES = "overwrites an operand of a product"
HOPPER = {
    "a stage is given back while it is read": Mutant(
        "product_wait<1>();", "product_wait<2>();", OVERWRITES
    ),
    "sums are folded before they are there": Mutant(
        "product_wait<0>();", "product_wait<1>();", "were written|before a product"
    ),
    "products without a fence": Mutant("product_fence();", "", "without a wgmma.fence"),
    "sums of the tile before are kept": Mutant("step == 0 && k == 0 ? 0 : 1", "1", "wrong"),
    "sums of the step before are lost": Mutant(
        "step == 0 && k == 0 ? 0 : 1", "k == 0 ? 0 : 1", "wrong"
    ),
    "a wrong advance along k": Mutant("a + 2 * k, b + 2 * k", "a + k, b + k", "wrong"),
    "the second warpgroup multiplies the first one's rows": Mutant(
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
    "the parity of the ring stands still": Mutant("parity ^= 1;", "", "hangs|more arrivals|reads"),
    "one arrival too few is expected": Mutant(
        "kConsumerWarps * kCluster", "kConsumerWarps * kCluster - 1",
        "more arrivals|overwrites",
    ),
    "one arrival too many is expected": Mutant(
        "kConsumerWarps * kCluster", "kConsumerWarps * kCluster + 1", "hangs"
    ),
    "only one's own block is told that a stage is free": Mutant(
        "&ring.empty[last_stage], static_cast<std::uint32_t>(lane)",
        "&ring.empty[last_stage], cluster_rank()", OVERWRITES,
    ),
    "fewer bytes are expected than come": Mutant(
        "barrier_expect(full, sizeof(Stage<kColumns>))",
        "barrier_expect(full, sizeof(Stage<kColumns>) - 1024)",
        "more bytes|reads",
    ),
    "more bytes are expected than come": Mutant(
        "barrier_expect(full, sizeof(Stage<kColumns>))",
        "barrier_expect(full, sizeof(Stage<kColumns>) + 1024)", "hangs",
    ),
    "a block keeps its half of the weight to itself": Mutant(
        "(1 << kCluster) - 1", "1 << rank", "hangs"
    ),
    "both halves of the weight go to one place": Mutant(
        "stage.b + share * kDepth", "stage.b", "the destination of a pending copy"
    ),
    "both blocks copy the same half of the weight": Mutant("column + share,", "column,", "wrong"),
    "barriers are not shown to the others": Mutant(
        "barrier_init_fence();", "", "without fence.mbarrier_init"
    ),
    "blocks do not wait for the others' barriers": Mutant(
        "__syncthreads();\n  if (kCluster > 1) cluster_sync();", "__syncthreads();",
        "not initialised",
    ),
    "blocks leave while others still need them": Mutant(
        "__syncthreads();\n  cluster_sync();", "", "block that has ended|before a copy"
    ),
    "no swizzle in the copies": Mutant(
        "CU_TENSOR_MAP_SWIZZLE_128B", "CU_TENSOR_MAP_SWIZZLE_NONE", "wrong"
    ),
    "the weight's box is too tall": Mutant("kColumns / kCluster)", "kColumns)", "copy|bytes"),
    "too little shared memory is asked for": Mutant(
        "sizeof(Stage<kColumns>) + 16) + 1024", "sizeof(Stage<kColumns>) + 16)", "outside the"
    ),
    "the end of the vocabulary is not masked": Mutant(
        "fragment_column(thread, pair, element) < inside",
        "fragment_column(thread, pair, element) <= inside", "wrong",
    ),
}  # fmt: skip
AMPERE = {
    "nobody waits for the other warps": Mutant(
        "copy_wait<kStages - 2>();\n        __syncthreads();", "copy_wait<kStages - 2>();",
        "wrong|reads the destination of a pending copy", "mma",
    ),
    "a stage is multiplied before it is there": Mutant(
        "copy_wait<kStages - 2>", "copy_wait<kStages - 1>", "reads the destination of a pending copy", "mma"
    ),
    "a stage is filled while it is multiplied": Mutant(
        "copy_next(shared.stages[(current + kStages - 1) % kStages])",
        "copy_next(shared.stages[current])", "reads the destination of a pending copy", "mma",
    ),
    "what lies outside is not zeros": Mutant("inside ? 16 : 0", "16", "wrong", "mma"),
    "a row is read past its end": Mutant("column < width", "column <= width", "wrong", "mma"),
    "rows of a stage lie in the same banks": Mutant("number ^ (row >> 1)", "number", "bank", "mma"),
    "halves of k are exchanged": Mutant(
        "lane / 8 % 2", "1 - lane / 8 % 2", "wrong", "mma"
    ),
    "neighbours' columns are exchanged": Mutant(
        "left[m], right[0], right[1]", "left[m], right[2], right[3]", "wrong", "mma"
    ),
    "the left warps do not wait for the right ones": Mutant(
        "__syncthreads();  // right[] is written, and", "//", "wrong|reads the destination", "mma"
    ),
}  # fmt: skip
MUTANTS = HOPPER | AMPERE


def planted(mutant: Mutant, folder: Path) -> tuple[list[Path], list[Path]]:
    """The launchers and the folder of headers to compile, with the mistake in one of them."""
    holders = [p for p in CUDA.rglob("*.cu*") if mutant.old in p.read_text("utf-8")]
    assert len(holders) == 1, f"{mutant.old!r} is in {holders}: where is the mistake to go?"
    path = folder / "scoring/cuda" / holders[0].relative_to(CUDA)
    path.parent.mkdir(parents=True)
    path.write_text(holders[0].read_text("utf-8").replace(mutant.old, mutant.new), "utf-8")
    return [path if kernel == holders[0] else kernel for kernel in FUSED_KERNELS], [folder]


def outcome(program: Path, kernel: str, seed: int) -> str:
    """What is wrong in one schedule: nothing, or what the machine or the results say."""
    command = [str(program), kernel, "300", "700", "136", str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode in (0, 1), f"{command} ended with {run.returncode}: {run.stderr}"
    return run.stdout


@pytest.mark.parametrize("kernel", ["mma", "wgmma", "wgmma_pairs"])
def test_the_kernels_as_they_are(kernel):
    program = linked("fused_case", CASE, kernels=FUSED_KERNELS)
    assert [outcome(program, kernel, seed) for seed in SEEDS] == [""] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_planted_mistake_is_found(mistake, tmp_path):
    mutant = MUTANTS[mistake]
    kernels, include = planted(mutant, tmp_path)
    program = linked("fused_mutant", CASE, kernels=kernels, include=include)
    found = next(filter(None, (outcome(program, mutant.kernel, seed) for seed in SEEDS)), "")
    assert re.search(mutant.words, found), found or "nothing is found"
