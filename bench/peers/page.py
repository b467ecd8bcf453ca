"""The section of bench/README.md that compares our kernels with peers, from gpu_peers.json."""

from __future__ import annotations

from collections.abc import Callable

import layouts
from gpu_page import Row, Target, targets

from peers.plan import ALIGNED

Shape = tuple[str, int, int, int]  # job, rows, width, vocabulary

FEW = 256  # up to this number of rows, reading the weight is the limit, not the product

# Our paths; the first one that was measured is compared with peers.
OURS = ("rlvr_fast fused", "rlvr_fast portable")


def _shape(row: Row) -> Shape:
    return row["job"], row["rows"], row["width"], row["vocabulary"]


def _measured(rows: list[Row], job: str = "linear") -> dict[Shape, dict[tuple[str, str], Row]]:
    """Returns the timed rows by shape, and there by (peer, gives)."""
    found: dict[Shape, dict[tuple[str, str], Row]] = {}
    for row in rows:
        if row.get("status") == "measured" and row["job"] == job:
            found.setdefault(_shape(row), {})[row["peer"], row["gives"]] = row
    return found


def _our(found: dict[tuple[str, str], Row]) -> Row | None:
    """Returns our row with all outputs: the fused kernel if measured, else the portable path."""
    for name in OURS:
        for (peer, gives), row in found.items():
            if peer == name and gives != "log-prob":
                return row
    return None


def _fastest(found: dict[tuple[str, str], Row], *gives: str) -> Row | None:
    others = [row for (peer, gave), row in found.items() if peer not in OURS and gave in gives]
    return min(others, key=lambda row: row["median_ms"], default=None)


_FULL = ("log-prob + entropy", "everything")


def _large(
    fits: Callable[[int], bool], share: float, times: float, *gives: str
) -> Callable[[list[Row]], tuple[str, bool] | None]:
    """Measures the lowest share of the matrix rate, and of the fastest peer, at N >= 8192."""

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
    """Uses the time from a CUDA graph where there is one, which excludes the launches."""
    shares, graphs = [], 0
    for (_, n, _, _), found in _measured(rows).items():
        our = _our(found)
        if our is not None and n <= FEW:
            graph = our.get("graph_ms")
            graphs += bool(graph)
            factor = our["median_ms"] / graph if graph else 1.0
            shares.append(our["share_of_copy"] * factor)
    if not shares:
        return None
    text = f"{min(shares):.1%} at least, {len(shares)} shapes, {graphs} of them from a graph"
    return text, min(shares) >= 0.8


def _cost_of_the_rest(rows: list[Row]) -> tuple[str, bool] | None:
    costs = []
    for found in _measured(rows).values():
        alone = found.get(("rlvr_fast fused", "log-prob"))
        everything = found.get(("rlvr_fast fused", "everything"))
        if alone is not None and everything is not None:
            costs.append(everything["median_ms"] / alone["median_ms"] - 1.0)
    if not costs:
        return None
    return f"{max(costs):.1%} at most, {len(costs)} shapes", max(costs) <= 0.03


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
           "at most 3 %", _cost_of_the_rest),
    Target("worst error", "at least 10x smaller than any peer that rounds logits to 16 bits",
           _exactness),
    Target("batch invariance", "bitwise, over every shape", _invariant),
)  # fmt: skip

_SHARE = "milliseconds (share of the matrix rate; up to 256 rows, of the copy bandwidth)"
_TITLES = {
    "linear": f"hidden x weight, rows x H x V: {_SHARE}",
    "divergence": f"Two models, rows x H x V: {_SHARE}",
}


def peers(rows: list[Row]) -> list[str]:
    lines = targets(PEER_TARGETS, rows)
    if not any("job" in row for row in rows):
        return lines
    for row in rows:
        if "date" in row:
            lines += ["", _session(row) + _clocks(rows, row["session"])]
    for job in _TITLES:
        lines += _times(rows, job)
    return [*lines, *_summary(rows), *_left_out(rows)]


def _session(row: Row) -> str:
    parts = [row["date"][:10], f"commit {row['commit']}"]
    parts += [str(row[key]) for key in ("device", "torch") if row.get(key)]
    parts += [f"driver {row['driver']}"] if row.get("driver") else []
    parts += [f"fused: {row['fused_kernel']}"] if row.get("fused_kernel") else []
    if "copy_gb_per_s" in row:
        parts.append(
            f"copies {row['copy_gb_per_s']:,.0f} GB/s, multiplies {row['product_tflop_per_s']:.0f} "
            "TFLOP/s when it began (both timed again with every shape)"
        )
    parts += [f"{name} {version}" for name, version in row.get("packages", {}).items()]
    return f"Session {row['session']}: {', '.join(parts)}; {row['cases']} shapes."


def _clocks(rows: list[Row], session: int) -> str:
    own = [row["sm_mhz"] for row in rows if row["session"] == session and "sm_mhz" in row]
    return f" SM clock after the rounds: {min(own):.0f} to {max(own):.0f} MHz." if own else ""


def _times(rows: list[Row], job: str) -> list[str]:
    """A line for each shape, a column for each rival; bold is the fastest for its outputs."""
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


_LESS = {  # the results that include each result
    "log-prob": ("log-prob", "log-prob + entropy", "everything"),
    "log-prob + entropy": ("log-prob + entropy", "everything"),
    "everything": ("everything",),
    "divergence one way + entropy": ("divergence one way + entropy", "divergence both ways"),
    "divergence both ways": ("divergence both ways",),
}


def _winners(row_of_shape: list[Row]) -> set[int]:
    """Returns, for each kind of result, the fastest row that gives at least that result."""
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
    share = f"{row['share_of_product']:.0%}"
    if row["rows"] <= FEW:
        share = f"{row['share_of_copy']:.0%} of copy"
    text = f"{mark}{row['median_ms']:.3g}{mark} ({share})"
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
    """Lists the rivals that were not timed: one line for each rival and reason."""
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
