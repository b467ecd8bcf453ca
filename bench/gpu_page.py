"""The section of bench/README.md on the CUDA kernels: first the targets, then all figures.

A target is met, missed, or not yet measured. All figures come from a JSON file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import layouts

Row = dict[str, Any]
UNMEASURED = "not yet measured"


class Target(NamedTuple):
    what: str
    target: str
    measure: Callable[
        [list[Row]], tuple[str, bool] | None
    ]  # the measurement as text, and whether it meets the target


def targets(wanted: Iterable[Target], rows: list[Row]) -> list[str]:
    body = []
    for what, target, measure in wanted:
        found = measure(rows)
        measured, met = (UNMEASURED, "") if found is None else found
        body.append([what, target, measured, {True: "yes", False: "**no**"}.get(met, "")])
    return layouts.table(["what", "target", "measured", "met"], body)


def _named(rows: list[Row], *parts: str) -> Row | None:
    """Returns the first timed row whose name contains all parts."""
    for row in rows:
        if "median_ms" in row and all(part in row["what"] for part in parts):
            return row
    return None


def _share(least: float, *parts: str) -> Callable[[list[Row]], tuple[str, bool] | None]:
    def measure(rows: list[Row]) -> tuple[str, bool] | None:
        row = _named(rows, *parts)
        if row is None:
            return None
        share = row["share_of_limit"]
        return f"{row['median_ms']:.3g} ms, {share:.1%} of the {row['limit']} limit", share >= least

    return measure


def _fused_share(rows: list[Row]) -> tuple[str, bool] | None:
    """The share of the kernel that this GPU uses: wgmma_pairs on Hopper, mma elsewhere."""
    for kernel in ("wgmma_pairs", "mma"):
        found = _share(0.85, f"linear_token_stats {kernel} ", "8192 x 4096 x 151936")(rows)
        if found is not None:
            return f"{kernel}: {found[0]}", found[1]
    return None


def _ratio(
    over: tuple[str, ...], under: tuple[str, ...], bound: float, least: bool
) -> Callable[[list[Row]], tuple[str, bool] | None]:
    def measure(rows: list[Row]) -> tuple[str, bool] | None:
        a, b = _named(rows, *over), _named(rows, *under)
        if a is None or b is None:
            return None
        ratio = a["median_ms"] / b["median_ms"]
        return f"{ratio:.3g}x", ratio >= bound if least else ratio <= bound

    return measure


def _twice_the_product(rows: list[Row]) -> tuple[str, bool] | None:
    row = _named(rows, "linear_divergence")
    if row is None:
        return None
    # The limit of a divergence is the time of two products.
    ratio = row["median_ms"] / (row["limit_ms"] / 2)
    return f"{ratio:.3g}x", ratio <= 2.2


def _worst_error(rows: list[Row]) -> tuple[str, bool] | None:
    ours = [row for row in rows if row.get("error_against_float64") and "TRL" not in row["what"]]
    found = [row["error_against_float64"] for row in ours]
    return (f"{max(found):.2g} nats at most", max(found) <= 2e-4) if found else None


def _workspace(rows: list[Row]) -> tuple[str, bool] | None:
    found = [row["mebibytes"] for row in rows if "mebibytes" in row]
    return (f"{max(found):.0f} MiB at most", max(found) <= 256) if found else None


_LOGITS = ("token_stats bf16 [8192, 151936]",)
KERNEL_TARGETS = (
    Target("`token_stats` bf16 [8192, 151936], all outputs",
           "at least 90 % of the measured copy bandwidth", _share(0.9, *_LOGITS)),
    Target("the same against TRL's Triton log-prob and entropy, which computes less",
           "at least as fast", _ratio(("TRL Triton",), ("token_stats", "beside TRL"), 1.0, True)),
    Target("the same against eager PyTorch", "at least 8x",
           _ratio(("eager PyTorch bf16 [8192, 151936]",), _LOGITS, 8.0, True)),
    Target("the same with exact top-p", "at most 1.6x the time without",
           _ratio(("with top-p", "[8192, 151936]"), _LOGITS, 1.6, False)),
    Target("few rows: `token_stats` bf16 [16, 151936]", "at least 60 % of the copy bandwidth",
           _share(0.6, "token_stats bf16 [16, 151936]")),
    Target("`linear_token_stats` fused, 8192 x 4096 x 151936 bf16, all outputs",
           "at least 85 % of the measured matrix rate",
           _fused_share),
    Target("`linear_divergence`, the same shape", "at most 2.2x the time of one such product",
           _twice_the_product),
    Target("error against float64 on the same bf16 inputs",
           "log-prob 1e-4, entropy 2e-4 at logits up to 50", _worst_error),
    Target("workspace", "at most 256 MB at any N", _workspace),
)  # fmt: skip


def kernels(rows: list[Row]) -> list[str]:
    lines = targets(KERNEL_TARGETS, rows)
    timed = [row for row in rows if "median_ms" in row]
    if not timed:
        return lines
    limits = next(row for row in rows if row["what"] == "limits")
    limits_text = [
        f"{k.replace('_', ' ')} {layouts.number(limits[k])}" for k in limits if k != "what"
    ]
    body = []
    for row in timed:
        error = row.get("error_against_float64")
        body.append([
            row["what"], f"{row['median_ms']:.3g} ms", f"{row['spread']:.1%}",
            f"{row['share_of_limit']:.1%} of {row['limit']}", f"{error:.1e}" if error else "",
        ])  # fmt: skip
    heads = ["what", "median", "spread", "share of the limit", "error against float64"]
    failed = [f"{row['what']}: {row['error']}." for row in rows if "error" in row]
    return [*lines, "", f"Limits of the same run: {', '.join(limits_text)}.", "",
            *layouts.table(heads, body), *(["", " ".join(failed)] if failed else [])]  # fmt: skip
