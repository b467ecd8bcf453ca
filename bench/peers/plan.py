"""The shapes to measure, their order, and the forecast of the time of a call.

Shapes are ordered by importance: first the shapes of the targets, then other shapes of common
models, then the rest of the grid. A run stops at the end of its time; a later run continues.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal, NamedTuple

ROWS = (1, 16, 256, 2048, 8192, 65536)
WIDTHS = (576, 1024, 1536, 2048, 3584, 5120)
VOCABULARIES = (49152, 100352, 128256, 151936, 152064, 50257)

# 50 257 is not a multiple of the tile of 256 columns, and 152 064 not of 4096. Each is compared
# with the next multiple.
ALIGNED = {50257: 50432, 152064: 155648}


class Case(NamedTuple):
    """One shape of one job: hidden [rows, width] x weight [vocabulary, width]."""

    job: Literal["linear", "divergence"]
    rows: int
    width: int
    vocabulary: int

    @property
    def products(self) -> int:
        return 2 if self.job == "divergence" else 1

    @property
    def operations(self) -> float:
        """Multiplications and additions of the products alone, which TFLOP/s count."""
        return 2.0 * self.products * self.rows * self.width * self.vocabulary

    @property
    def bytes_read(self) -> float:
        """The bytes of weight and hidden states in 16 bits, each read once: the least possible."""
        return 2.0 * self.products * (self.vocabulary + self.rows) * self.width

    @property
    def shape(self) -> str:
        return f"{self.rows} x {self.width} x {self.vocabulary}"

    def __str__(self) -> str:
        return f"{self.job} {self.shape}"


def parse_case(text: str) -> Case:
    """Parses JOB:ROWSxWIDTHxVOCABULARY, such as "linear:8192x3584x152064"; JOB may be omitted."""
    job, _, shape = text.rpartition(":")
    job = job or "linear"
    try:
        rows, width, vocabulary = (int(size) for size in shape.split("x"))
    except ValueError as error:
        raise ValueError(f"a case is [JOB:]ROWSxWIDTHxVOCABULARY, got {text!r}") from error
    if job not in ("linear", "divergence") or min(rows, width, vocabulary) < 1:
        raise ValueError(f"a case's job is linear or divergence, its sizes positive; got {text!r}")
    return Case("divergence" if job == "divergence" else "linear", rows, width, vocabulary)


def _important() -> Iterator[Case]:
    def linear(*shapes: tuple[int, int, int]) -> Iterator[Case]:
        return (Case("linear", *shape) for shape in shapes)

    def divergence(*shapes: tuple[int, int, int]) -> Iterator[Case]:
        return (Case("divergence", *shape) for shape in shapes)

    # Many rows: the matrix units are the limit, and the cost of the fold is visible.
    yield from linear((8192, 3584, 152064), (8192, 1024, 151936), (8192, 1536, 151936))
    # Few rows: reading the weight is the limit.
    yield from linear((256, 3584, 152064), (1, 3584, 152064), (16, 3584, 152064))
    yield from divergence((8192, 3584, 152064))
    # Vocabularies that are not multiples of a tile, and the next multiples.
    for width in (1024, 3584):
        for ragged, aligned in ALIGNED.items():
            yield from linear((8192, width, ragged), (8192, width, aligned))
    yield from divergence((8192, 1024, 151936))
    yield from linear((256, 1024, 151936), (1, 1024, 151936), (16, 1024, 151936))
    yield from linear((8192, 5120, 152064), (8192, 576, 49152), (8192, 2048, 128256))
    yield from linear((65536, 1536, 151936), (2048, 3584, 152064), (65536, 3584, 152064))
    yield from divergence((256, 3584, 152064))
    yield from linear((8192, 2048, 151936), (8192, 5120, 100352), (8192, 1024, 49152))
    for width in WIDTHS:
        for ragged, aligned in ALIGNED.items():
            yield from linear((8192, width, ragged), (8192, width, aligned))


def plan() -> list[Case]:
    """Every case once, most important first."""
    rest = (
        Case(job, rows, width, vocabulary)
        for job, rows, vocabulary, width in itertools.product(
            ("linear", "divergence"), (8192, 256, 16, 1, 2048, 65536), VOCABULARIES, WIDTHS
        )
    )
    return list(dict.fromkeys(itertools.chain(_important(), rest)))


class MachineLimits(NamedTuple):
    """The limits of the machine, measured in the same run."""

    copy: float  # bytes a second, read and written
    product: float  # operations a second

    def seconds(self, case: Case) -> float:
        """Returns the time of an ideal kernel: the longer one of reading and multiplying."""
        return max(case.operations / self.product, case.bytes_read / self.copy)


class Forecast:
    """Forecasts the time of a rival's call from its share of the limit on a similar case.

    The forecast for a rival without a measurement is an eighth of the limit.
    """

    UNKNOWN = 1 / 8
    PREPARATION = 4.0  # seconds to compile, check and warm up, before any measurement

    def __init__(self) -> None:
        self._shares: dict[str, dict[Case, float]] = {}
        self._preparations: dict[str, float] = {}

    def learn(
        self, peer: str, case: Case, limits: MachineLimits, seconds: float, preparation: float
    ) -> None:
        self._shares.setdefault(peer, {})[case] = limits.seconds(case) / seconds
        # The first preparation compiles and imports; later ones take less time.
        self._preparations[peer] = min(preparation, self._preparations.get(peer, self.PREPARATION))

    def call(self, peer: str, case: Case, limits: MachineLimits) -> float:
        known = self._shares.get(peer, {})
        share = self.UNKNOWN
        if known:
            share = known[min(known, key=lambda other: _distance(case, other))]
        # A call takes at least the time of its launches.
        return max(limits.seconds(case) / share, 5e-5)

    def case(self, peers: list[str], case: Case, limits: MachineLimits, rounds: int) -> float:
        """Returns the seconds of a whole case, preparation and timing of every rival."""
        return sum(
            self._preparations.get(peer, self.PREPARATION)
            + (rounds + 4) * self.call(peer, case, limits)
            for peer in peers
        )


def _distance(a: Case, b: Case) -> float:
    return (
        4.0 * (a.job != b.job)
        + abs(a.rows.bit_length() - b.rows.bit_length())
        + abs(a.width - b.width) / 1024
        + abs(a.vocabulary - b.vocabulary) / 65536
    )
