"""Figures for papers: matplotlib, each as PNG, SVG and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rlvr_fast.report import analysis
from rlvr_fast.report.charts import LETTER, REGIONS, WORD
from rlvr_fast.report.comparison import Comparison, Group

__all__ = ["COLOR", "STYLE", "new_figure", "save_figure", "write_figures"]

# Okabe and Ito's hues (jfly.uni-koeln.de/color), darkened for white paper.
COLOR = {
    "preserved": "#2f6db0",
    "shrunk": "#c4501b",
    "expanded": "#1a7f5f",
    "out": "#9aa1ab",
    "undetermined": "#b08900",
    "base": "#444c5c",
    "rl": "#8e3b8f",
}
MARK = {"preserved": "o", "shrunk": "v", "expanded": "^", "out": "x", "undetermined": "s"}
HATCH = {"preserved": "", "shrunk": "////", "expanded": "....", "out": "", "undetermined": "xx"}
STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e0",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#8a8f98",
    "xtick.color": "#4a515c",
    "ytick.color": "#4a515c",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "rlvr_fast",
    "pdf.fonttype": 42,
    "hatch.linewidth": 0.5,
}
_MAX_PANELS = 12


def write_figures(comparison: Comparison, folder: Path) -> list[Path]:
    """Draw every figure into `folder`; returns the files written."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context(STYLE):
        for name, draw in (
            ("pass_at_k", _pass_at_k),
            ("support", _support),
            ("support_at_k", _support_at_k),
            ("accuracy_histogram", _accuracy),
            ("taxonomy", _taxonomy),
            ("entropies", _entropies),
        ):
            written += save_figure(draw(comparison), folder / name)
    return written


def save_figure(figure: Any, stem: Path) -> list[Path]:
    """Saves one figure as STEM.png, STEM.svg and STEM.pdf."""
    written = []
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")  # laid out once, not once a format
    for suffix in ("png", "svg", "pdf"):
        path = stem.with_suffix(f".{suffix}")
        # Without a date two reports of the same runs are the same bytes.
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[suffix]
        figure.savefig(path, dpi=200, metadata=metadata)
        written.append(path)
    return written


def new_figure(width: float, height: float) -> Any:
    """An empty figure, inches."""
    # Not pyplot: no global state, no display, safe in a thread.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(comparison: Comparison) -> list[Group]:
    tasks = [g for g in comparison.groups if g.kind == "task"]
    return [comparison.groups[0], *(tasks if len(tasks) > 1 else [])][:_MAX_PANELS]


def _grid(groups: list[Group], height: float = 2.3) -> tuple[Any, list[Any]]:
    columns = 2 if len(groups) == 4 else min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(2.6 * columns + 0.4, height * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[len(groups) :]:
        spare.set_axis_off()
    return figure, axes


def _name(text: str) -> str:
    # A dollar sign would start matplotlib's own mathematics.
    return text.replace("$", r"\$")


def _log2(axis: Any, ks: Any) -> None:
    axis.set_xscale("log", base=2)
    powers = [int(k) for k in ks if k & (k - 1) == 0]
    step = max(1, -(-len(powers) // 6))
    axis.set_xticks(powers[::step], [str(k) for k in powers[::step]])
    axis.minorticks_off()


def _pass_at_k(comparison: Comparison) -> Any:
    groups = _panels(comparison)
    figure, axes = _grid(groups)
    for axis, group in zip(axes, groups, strict=False):
        curves = analysis.pass_curves(comparison, group)
        evidence = comparison.evidence[comparison.groups.index(group)]
        for side, band in (("base", evidence.base_curve), ("rl", evidence.rl_curve)):
            if curves.ks.size:
                axis.fill_between(band.k, band.low, band.high, color=COLOR[side], alpha=0.12, lw=0)
        axis.plot(curves.ks, curves.base, "s--", color=COLOR["base"], ms=3, lw=1.2, label="base")
        axis.plot(curves.ks, curves.rl, "o-", color=COLOR["rl"], ms=3, lw=1.4, label="RL")
        found = evidence.crossover
        if found is not None and found.k is not None:
            axis.axvline(found.k, color="#1b1f24", lw=0.9, ls=":")
            axis.annotate("k*", (found.k, 0), (3, 3), textcoords="offset points", style="italic")
        axis.set_title(_name(group.name))
        axis.set_ylim(0, 1.02)
        if curves.ks.size:
            _log2(axis, curves.ks)
    axes[0].legend(loc="lower right")
    figure.supxlabel("k, samples per problem", fontsize=9)
    figure.supylabel("pass@k", fontsize=9)
    return figure


def _support(comparison: Comparison) -> Any:
    groups = list(comparison.groups)[:40]
    figure = new_figure(7.2, 0.42 * len(groups) + 1.0)
    axis = figure.subplots()
    regions = [*REGIONS]
    shifts = [comparison.group_shift(g) for g in groups]
    if any(s.undetermined for s in shifts):
        regions.append("undetermined")
    left = np.zeros(len(groups))
    y = np.arange(len(groups))[::-1]
    totals = np.array([max(s.problems, 1) for s in shifts])
    for region in regions:
        counts = np.array([getattr(s, region) for s in shifts])
        share = counts / totals
        axis.barh(
            y, share, left=left, height=0.66, color=COLOR[region], hatch=HATCH[region],
            edgecolor="white", linewidth=0.8, label=f"{LETTER[region]} {WORD[region]}",
        )  # fmt: skip
        for at, start, width, count in zip(y, left, share, counts, strict=True):
            if width > 0.035:
                axis.text(
                    start + width / 2, at, str(count), ha="center", va="center", fontsize=8,
                    color="white", bbox={"facecolor": COLOR[region], "edgecolor": "none", "pad": 1},
                )  # fmt: skip
        left = left + share
    axis.set_yticks(
        y, [f"{_name(g.name)} ({s.problems})" for g, s in zip(groups, shifts, strict=True)]
    )
    axis.set_xlim(0, 1)
    axis.set_xlabel(f"share of problems (rule: {comparison.rule})")
    axis.grid(False)
    axis.spines["left"].set_visible(False)
    axis.tick_params(left=False)
    axis.legend(ncols=len(regions), loc="lower left", bbox_to_anchor=(0, 1.0), handlelength=1.4)
    return figure


def _support_at_k(comparison: Comparison) -> Any:
    groups = _panels(comparison)
    figure, axes = _grid(groups)
    for axis, group in zip(axes, groups, strict=False):
        shift = analysis.shift_at_k(comparison, group)
        number = np.maximum(shift.problems, 1)
        stacks = axis.stackplot(
            shift.ks,
            *[getattr(shift, r) / number for r in REGIONS],
            colors=[COLOR[r] for r in REGIONS],
            labels=[f"{LETTER[r]} {WORD[r]}" for r in REGIONS],
            edgecolor="white",
            linewidth=0.4,
        )
        for stack, region in zip(stacks, REGIONS, strict=True):
            stack.set_hatch(HATCH[region])
        axis.set_title(_name(group.name))
        axis.set_ylim(0, 1)
        axis.grid(False)
        if shift.ks.size > 1:
            axis.set_xlim(shift.ks[0], shift.ks[-1])
        if shift.ks.size:
            _log2(axis, shift.ks)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=4, loc="outside upper left")
    figure.supxlabel("k, samples per problem", fontsize=9)
    figure.supylabel("expected share of problems", fontsize=9)
    return figure


def _accuracy(comparison: Comparison) -> Any:
    groups = _panels(comparison)
    figure, axes = _grid(groups)
    for axis, group in zip(axes, groups, strict=False):
        base, rl = analysis.histograms(comparison, group)
        x = np.arange(len(base.bins))
        axis.bar(x - 0.2, base.counts, 0.38, color=COLOR["base"], label="base", hatch="////",
                 edgecolor="white", linewidth=0.3)  # fmt: skip
        axis.bar(x + 0.2, rl.counts, 0.38, color=COLOR["rl"], label="RL")
        axis.set_xticks([0, 5, 11], ["0", "≤.5", "1"])
        axis.set_title(_name(group.name))
        axis.grid(axis="x", visible=False)
    axes[0].legend()
    figure.supxlabel("accuracy of a problem: never, tenths, always", fontsize=9)
    figure.supylabel("problems", fontsize=9)
    return figure


def _taxonomy(comparison: Comparison) -> Any:
    figure = new_figure(4.6, 4.6)
    axis = figure.subplots()
    labels = comparison.shifts["seen"].labels
    assert labels is not None
    depth = int(max(s.num_samples.max(initial=1) for s in comparison.sides))
    floor = 1.0 / max(depth, 2)
    zero = floor / 3
    rng = np.random.default_rng(0)
    coordinates = []
    for side in comparison.sides:
        p = np.where(side.accuracy > 0, side.accuracy, zero)
        spread = np.exp(rng.uniform(-0.35, 0.35, p.shape))
        coordinates.append(np.where(side.accuracy > 0, p, p * spread))
    low, edge = zero / 2, floor / 1.5
    axis.fill_between([edge, 1.3], low, edge, color=COLOR["shrunk"], alpha=0.1, lw=0)
    axis.fill_between([low, edge], edge, 1.3, color=COLOR["expanded"], alpha=0.1, lw=0)
    axis.fill_between([low, edge], low, edge, color=COLOR["out"], alpha=0.15, lw=0)
    axis.plot([edge, 1], [edge, 1], color="#b8bcc2", lw=0.8, ls=":")
    for region in (*REGIONS, "undetermined"):
        mask = labels == region
        if mask.any():
            axis.scatter(
                coordinates[0][mask], coordinates[1][mask], s=16, marker=MARK[region],
                color=COLOR[region], alpha=0.75, linewidths=0.7,
                label=f"{LETTER[region]} {WORD[region]} ({int(mask.sum())})",
            )  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    powers = [10.0**-i for i in range(8) if 10.0**-i >= floor]
    for set_ticks in (axis.set_xticks, axis.set_yticks):
        set_ticks([zero, *powers], ["0", *(f"{p:g}" for p in powers)])
    axis.minorticks_off()
    axis.set_xlim(low, 1.3)
    axis.set_ylim(low, 1.3)
    axis.set_xlabel("success rate of the base model")
    axis.set_ylabel("success rate of the RL model")
    axis.grid(False)
    figure.legend(ncols=2, loc="outside upper left", handletextpad=0.3)
    return figure


_ENTROPIES = (
    ("accuracy", "accuracy"),
    ("mean_length", "length, tokens"),
    ("token", "token entropy, nats"),
    ("answer", "answer entropy, nats"),
)


def _entropies(comparison: Comparison) -> Any:
    groups = list(comparison.groups)[:40]
    figure = new_figure(8.0, 0.3 * len(groups) + 1.1)
    axes = figure.subplots(1, len(_ENTROPIES), sharey=True)
    y = np.arange(len(groups))[::-1]
    for axis, (field, title) in zip(axes, _ENTROPIES, strict=True):
        base, rl = (
            np.array([getattr(analysis.entropy_row(side, g), field) for g in groups])
            for side in comparison.sides
        )
        axis.set_title(title)
        axis.grid(axis="y", visible=False)
        if not (np.isfinite(base).any() or np.isfinite(rl).any()):
            axis.text(0.5, 0.5, "not scored", ha="center", va="center", transform=axis.transAxes)
            continue
        axis.hlines(y, base, rl, color="#c9ccd1", lw=2, zorder=1)
        axis.plot(base, y, "s", color=COLOR["base"], ms=4.5, label="base")
        axis.plot(rl, y, "o", color=COLOR["rl"], ms=4.5, label="RL")
        top = np.nanmax(np.concatenate([base, rl]))
        axis.set_xlim(0, 1.12 * top if top > 0 else 1)
    axes[0].set_yticks(y, [_name(g.name) for g in groups])
    axes[0].set_ylim(-0.6, len(groups) - 0.4)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=2, loc="outside upper left")
    return figure
