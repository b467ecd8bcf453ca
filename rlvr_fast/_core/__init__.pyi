"""
Compiled core of rlvr_fast: scoring kernels, the answer engine, columns of draws.
"""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

from . import cuda

__all__: list[str] = [
    "GroupIndex",
    "PairFolds",
    "RowFolds",
    "append_int32",
    "compare_canonical",
    "complete_forms",
    "cuda",
    "extract_answers",
    "find_duplicates",
    "fold_pieces",
    "group_answers",
    "hash128",
    "instruction_sets",
    "normalize_answers",
    "num_threads",
    "set_num_threads",
    "sum_words",
    "token_stats",
]

class RowFolds:
    """
    Rows whose logits arrive in tiles of columns.
    """
    def __init__(
        self,
        target_column: typing.Any,
        target: typing.Any,
        target_bias: typing.Any,
        temperature: typing.Any,
        scale: typing.SupportsFloat | typing.SupportsIndex,
        softcap: typing.SupportsFloat | typing.SupportsIndex,
        instruction_set: str = "",
    ) -> None: ...
    def finalize(self, out: tuple) -> None: ...
    def fold(
        self,
        tile: typing.Any,
        first_column: typing.SupportsInt | typing.SupportsIndex,
        bias: typing.Any = None,
    ) -> None: ...
    def seen_targets(self, target: typing.Any) -> int:
        """
        Writes each target's value as in the tiles; returns how many differ from `target`.
        """

class PairFolds:
    """
    Rows of two models whose logits arrive in tiles.
    """
    def __init__(
        self,
        rows: typing.SupportsInt | typing.SupportsIndex,
        temperature: typing.Any,
        instruction_set: str = "",
    ) -> None: ...
    def finalize(self, target_p: typing.Any, target_q: typing.Any, out: tuple) -> None: ...
    def fold(self, tile_p: typing.Any, tile_q: typing.Any) -> None: ...

class GroupIndex:
    def __init__(
        self, normalize: bool, hash_bits: typing.SupportsInt | typing.SupportsIndex
    ) -> None: ...
    def add(
        self,
        problem_ids: typing.Any,
        texts: typing.Any,
        policy: str | None,
        max_bytes: typing.SupportsInt | typing.SupportsIndex,
    ) -> list[int]: ...
    def groups(self) -> dict: ...
    def load(self, path: str) -> None: ...
    def merge(self, other: GroupIndex) -> None: ...
    def save(self, path: str) -> None: ...
    @property
    def memory(self) -> int: ...
    @property
    def num_groups(self) -> int: ...
    @property
    def num_rows(self) -> int: ...

def append_int32(out: bytearray, numbers: typing.Any) -> None:
    """
    Appends the integers of a sequence to a bytearray, as 32 bits each.
    """

def compare_canonical(
    golds: typing.Any, answers: typing.Any
) -> numpy.typing.NDArray[numpy.uint8]: ...
def complete_forms(forms: typing.Any, golds: typing.Any) -> tuple: ...
def extract_answers(
    texts: typing.Any, policy: str, max_bytes: typing.SupportsInt | typing.SupportsIndex
) -> tuple: ...
def find_duplicates(
    texts: typing.Any,
    threshold: typing.SupportsFloat | typing.SupportsIndex | None,
    ngram: typing.SupportsInt | typing.SupportsIndex,
) -> tuple: ...
def fold_pieces(
    exponents: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
    target: typing.SupportsFloat | typing.SupportsIndex,
    bounds: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
    from_right: bool = False,
) -> tuple:
    """
    Folds pieces of a row and merges the states (csrc/math); for tests.
    """

def group_answers(
    problem_ids: typing.Any,
    answers: typing.Any,
    hash_bits: typing.SupportsInt | typing.SupportsIndex,
    rows: bool,
) -> dict: ...
def hash128(
    data: bytes, seed: typing.SupportsInt | typing.SupportsIndex = 0
) -> tuple[int, int]: ...
def instruction_sets() -> list[str]:
    """
    The instruction sets that this processor supports, fastest first.
    """

def normalize_answers(answers: typing.Any) -> tuple: ...
def num_threads() -> int:
    """
    The number of threads of a parallel loop, the calling thread included.
    """

def set_num_threads(threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    Sets num_threads for the process; 0 restores the default, the available processors.
    """

def sum_words(words: typing.Any) -> int:
    """
    The sum of an int64 tensor modulo 2^64, read at full bandwidth; for benchmarks.
    """

def token_stats(
    logits: typing.Any,
    targets: typing.Any,
    temperature: typing.Any,
    softcap: typing.SupportsFloat | typing.SupportsIndex,
    out: tuple,
    instruction_set: str = "",
) -> None:
    """
    out: logprob, entropy, logsumexp, rank, mass_above, written in place.
    """
