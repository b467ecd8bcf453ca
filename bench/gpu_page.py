"""The sections of bench/README.md that hold GPU results: targets first, then every figure.

A target is met, missed, or not yet measured; a figure stands here only if a JSON file holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import layouts
from peers.plan import ALIGNED

Row = dict[str, Any]
Shape = tuple[str, int, int, int]  # job, rows, width, vocabulary
UNMEASURED = "not yet measured"

# In the order of the columns: ours first.
OURS = ("rlvr_fast fused", "rlvr_fast portable")


class Target(NamedTuple):
    what: str
    target: str
    measure: Callable[[list[Row]], tuple[str, bool] | None]  # what was measured, and is it met?


def targets(wanted: Iterable[Target], rows: list[Row]) -> list[str]:
    body = []
    for what, target, measure in wanted:
        found = measure(rows)
        measured, met = (UNMEASURED, "") if found is None else found
        body.append([what, target, measured, {True: "yes", False: "**no**"}.get(met, "")])
    return layouts.table(["what", "target", "measured", "met"], body)


# --- the kernels: gpu.json and gpu_fused.json


def _named(rows: list[Row], *parts: str) -> Row | None:
    """The row whose name holds all of these and has a time."""
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
    """Of the kernel that this GPU takes: wgmma in pairs on Hopper, mma elsewhere."""
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
    if row is None:  # its limit is the time of two products
        return None
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
    Target("the same against TRL's Triton log-prob and entropy, which gives less",
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
    said = [f"{k.replace('_', ' ')} {layouts.number(limits[k])}" for k in limits if k != "what"]
    body = []
    for row in timed:
        error = row.get("error_against_float64")
        body.append([
            row["what"], f"{row['median_ms']:.3g} ms", f"{row['spread']:.1%}",
            f"{row['share_of_limit']:.1%} of {row['limit']}", f"{error:.1e}" if error else "",
        ])  # fmt: skip
    heads = ["what", "median", "spread", "share of the limit", "error against float64"]
    failed = [f"{row['what']}: {row['error']}." for row in rows if "error" in row]
    return [*lines, "", f"Limits of the same run: {', '.join(said)}.", "",
            *layouts.table(heads, body), *(["", " ".join(failed)] if failed else [])]  # fmt: skip


# --- the peers: gpu_peers.json


def _shape(row: Row) -> Shape:
    return row["job"], row["rows"], row["width"], row["vocabulary"]


def _measured(rows: list[Row], job: str = "linear") -> dict[Shape, dict[tuple[str, str], Row]]:
    """Shape to (peer, gives) to row, of what has a time."""
    found: dict[Shape, dict[tuple[str, str], Row]] = {}
    for row in rows:
        if row.get("status") == "measured" and row["job"] == job:
            found.setdefault(_shape(row), {})[row["peer"], row["gives"]] = row
    return found


def _our(found: dict[tuple[str, str], Row]) -> Row | None:
    """The fused kernel where it was measured, else the portable path."""
    for name in OURS:
        for (peer, _), row in found.items():
            if peer == name:
                return row
    return None


def _fastest(found: dict[tuple[str, str], Row], *gives: str) -> Row | None:
    others = [row for (peer, gave), row in found.items() if peer not in OURS and gave in gives]
    return min(others, key=lambda row: row["median_ms"], default=None)


_FULL = ("log-prob + entropy", "everything")


def _large(
    fits: Callable[[int], bool], share: float, times: float, *gives: str
) -> Callable[[list[Row]], tuple[str, bool] | None]:
    """The lowest share of the matrix rate, and of the fastest peer's speed, at N >= 8192."""

    def measure(rows: list[Row]) -> tuple[str, bool] | None:
        shares, ratios, paths = [], [], set()
        for (_, n, width, _), found in _measured(rows).items():
            our = _our(found)
            if our is None or n < 8192 or not fits(width):
                continue
            paths.add(our["peer"])
            shares.append(our["share_of_product"])
            peer = _fastest(found, *gives)
            if peer is not None:
                ratios.append((peer["median_ms"] / our["median_ms"], peer["peer"]))
        if not shares:
            return None
        text = f"{min(shares):.1%} at least ({', '.join(sorted(paths))}, {len(shares)} shapes)"
        if not ratios:
            return f"{text}; no such peer was measured", False
        ratio, name = min(ratios)
        return f"{text}; {ratio:.2f}x {name} at least", min(shares) >= share and ratio >= times

    return measure


def _ragged(rows: list[Row]) -> tuple[str, bool] | None:
    ratios = []
    measured = _measured(rows)
    for (job, n, width, vocabulary), found in measured.items():
        other = measured.get((job, n, width, ALIGNED.get(vocabulary, 0)))
        our, aligned = _our(found), _our(other or {})
        if our is not None and aligned is not None and our["peer"] == aligned["peer"]:
            ratios.append(our["tflop_per_s"] / aligned["tflop_per_s"])
    if not ratios:
        return None
    return f"{min(ratios):.1%} of the rate at least, {len(ratios)} pairs", min(ratios) >= 0.97


def _few_rows(rows: list[Row]) -> tuple[str, bool] | None:
    shares = []
    for (_, n, _, _), found in _measured(rows).items():
        our = _our(found)
        if our is not None and n <= 256:
            graph = our.get("graph_ms")
            factor = our["median_ms"] / graph if graph else 1.0
            shares.append(our["share_of_copy"] * factor)
    if not shares:
        return None
    return f"{min(shares):.1%} at least, {len(shares)} shapes, from a graph", min(shares) >= 0.8


def _exactness(rows: list[Row]) -> tuple[str, bool] | None:
    ours, rounding = [], {}
    for row in rows:
        if row.get("status") != "measured" or row.get("error_nats") is None:
            continue
        if row["peer"] in OURS:
            ours.append(row["error_nats"])
        elif row.get("rounds_logits"):
            worst = rounding.get(row["peer"], 0.0)
            rounding[row["peer"]] = max(worst, row["error_nats"])
    if not ours or not rounding:
        return None
    name = min(rounding, key=lambda peer: rounding[peer])
    ratio = rounding[name] / max(ours)
    return f"{max(ours):.1e} nats; {name}, the best of them, {rounding[name]:.1e}", ratio >= 10


def _invariant(rows: list[Row]) -> tuple[str, bool] | None:
    found = [row["batch_invariant"] for row in rows if "batch_invariant" in row]
    return (f"{sum(found)} of {len(found)} results", all(found)) if found else None


PEER_TARGETS = (
    Target("all outputs, H >= 3584, N >= 8192",
           "at least 95 % of the measured matrix rate; at least the fastest peer's log-prob alone",
           _large(lambda width: width >= 3584, 0.95, 1.0, "log-prob", *_FULL)),
    Target("all outputs, H in {1024, 1536}, N >= 8192",
           "at least 88 %, and 1.15x the fastest peer that gives log-prob and entropy",
           _large(lambda width: width in (1024, 1536), 0.88, 1.15, *_FULL)),
    Target("V = 50 257 and 152 064, beside 50 432 and 155 648", "at least 97 % of their rate",
           _ragged),
    Target("N <= 256", "at least 80 % of the copy bandwidth on the weight's bytes", _few_rows),
    Target("cost of entropy, rank and mass over log-prob alone",
           "at most 3 % (needs a kernel that gives less: there is none)", lambda rows: None),
    Target("worst error", "at least 10x smaller than any peer that rounds logits to 16 bits",
           _exactness),
    Target("batch invariance", "bitwise, over every shape", _invariant),
)  # fmt: skip

_TITLES = {
    "linear": "hidden x weight, rows x H x V: milliseconds (share of the matrix rate)",
    "divergence": "Two models, rows x H x V: milliseconds (share of the matrix rate)",
}


def peers(rows: list[Row]) -> list[str]:
    lines = targets(PEER_TARGETS, rows)
    if not any("job" in row for row in rows):
        return lines
    for row in rows:
        if "date" in row:
            lines += ["", _session(row)]
    for job in _TITLES:
        lines += _times(rows, job)
    return [*lines, *_summary(rows), *_left_out(rows)]


def _session(row: Row) -> str:
    said = [row["date"][:10], f"commit {row['commit']}"]
    said += [str(row[key]) for key in ("device", "torch") if row.get(key)]
    said += [f"driver {row['driver']}"] if row.get("driver") else []
    said += [f"fused: {row['fused_kernel']}"] if row.get("fused_kernel") else []
    if "copy_gb_per_s" in row:
        said.append(
            f"copies {row['copy_gb_per_s']:,.0f} GB/s, multiplies {row['product_tflop_per_s']:.0f} "
            "TFLOP/s when it began (both timed again with every shape)"
        )
    said += [f"{name} {version}" for name, version in row.get("packages", {}).items()]
    return f"Session {row['session']}: {', '.join(said)}; {row['cases']} shapes."


def _times(rows: list[Row], job: str) -> list[str]:
    """A line a shape, a column a rival; bold is the fastest of those that give as much or more."""
    own = [row for row in rows if row.get("job") == job]
    columns = list(dict.fromkeys((row["peer"], row["gives"]) for row in own))
    columns = [c for c in columns if any(_is(row, c) and "median_ms" in row for row in own)]
    shapes = list(dict.fromkeys(_shape(row) for row in own))
    if not columns:
        return []
    cells = {(_shape(row), (row["peer"], row["gives"])): row for row in own}
    body = []
    for shape in sorted(shapes, key=lambda s: (-s[1], s[2], s[3])):
        line = {c: cells.get((shape, c)) for c in columns}
        bold = _winners([row for row in line.values() if row is not None and "median_ms" in row])
        shown = [_cell(row, bold) for row in line.values()]
        body.append([" x ".join(str(size) for size in shape[1:]), *shown])
    heads = ["shape", *(f"{peer}: {gives}" for peer, gives in columns)]
    return ["", f"**{_TITLES[job]}**", "", *layouts.table(heads, body)]


def _is(row: Row, column: tuple[str, str]) -> bool:
    return (row["peer"], row["gives"]) == column


_LESS = {  # what a result holds that gives more
    "log-prob": ("log-prob", "log-prob + entropy", "everything"),
    "log-prob + entropy": ("log-prob + entropy", "everything"),
    "everything": ("everything",),
    "divergence one way + entropy": ("divergence one way + entropy", "divergence both ways"),
    "divergence both ways": ("divergence both ways",),
}


def _winners(row_of_shape: list[Row]) -> set[int]:
    """For each kind of result, the fastest of those that give at least that."""
    found = set()
    for gives in _LESS.values():
        enough = [row for row in row_of_shape if row["gives"] in gives]
        if enough:
            found.add(id(min(enough, key=lambda row: row["median_ms"])))
    return found


def _cell(row: Row | None, bold: set[int]) -> str:
    if row is None:
        return ""
    if "median_ms" not in row:
        return row["status"]
    mark = "**" if id(row) in bold else ""
    text = f"{mark}{row['median_ms']:.3g}{mark} ({row['share_of_product']:.0%})"
    graph = row.get("graph_ms")
    return f"{text}, graph {graph:.3g}" if graph else text


def _summary(rows: list[Row]) -> list[str]:
    own: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.get("status") == "measured":
            own.setdefault((row["peer"], row["gives"]), []).append(row)
    calls = {name: how for row in rows for name, how in row.get("calls", {}).items()}
    body = []
    for (peer, gives), found in own.items():
        worst, peak = _largest(found, "error_nats"), _largest(found, "peak_bytes")
        best = max(found, key=lambda row: row["share_of_product"])
        body.append([
            peer, gives, calls.get(f"{peer} ({gives})", ""), str(len(found)),
            f"{best['tflop_per_s']:.0f} TFLOP/s, {best['share_of_product']:.0%}",
            "" if worst is None else f"{worst:.1e}",
            "" if peak is None else f"{peak / 2**20:,.0f} MiB",
        ])  # fmt: skip
    heads = ["rival", "gives", "call", "shapes", "best", "worst error, nats", "most memory"]
    return ["", *layouts.table(heads, body)] if body else []


def _largest(rows: list[Row], key: str) -> float | None:
    return max((row[key] for row in rows if row.get(key) is not None), default=None)


def _left_out(rows: list[Row]) -> list[str]:
    """What was not timed, and why: one line for each rival and reason."""
    found: dict[tuple[str, str, str], list[Shape]] = {}
    for row in rows:
        if row.get("status") in ("absent", "error", "skipped", "wrong"):
            key = (f"{row['peer']}: {row['gives']}", row["status"], row["note"])
            found.setdefault(key, []).append(_shape(row))
    body = []
    for (rival, status, note), shapes in found.items():
        first = " x ".join(str(size) for size in shapes[0][1:])
        where = first if len(shapes) == 1 else f"{len(shapes)} shapes, {first} the first"
        body.append([rival, status, note, where])
    return ["", *layouts.table(["not timed", "why", "note", "where"], body)] if body else []
