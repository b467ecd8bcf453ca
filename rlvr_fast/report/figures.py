"""The style of the figures for papers, and saving them: matplotlib, each as PNG, SVG and PDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr_fast.report.comparison import Group
from rlvr_fast.report.palette import COLOURS
from rlvr_fast.report.problems import IntArray
from rlvr_fast.shown_text import visible
from rlvr_fast.store.files import replacing

__all__ = [
    "COLOURS",
    "HATCH",
    "MARK",
    "STYLE",
    "Panels",
    "left_out",
    "log2_ticks",
    "most_groups",
    "new_figure",
    "panel_grid",
    "panels",
    "plain_name",
    "save_figure",
    "write_figures",
]

# Shapes and hatching carry the same meaning as the colours.
MARK = {"preserved": "o", "shrunk": "v", "expanded": "^", "out": "x", "undetermined": "s"}
HATCH = {"preserved": "", "shrunk": "////", "expanded": "....", "out": "", "undetermined": "xx"}
STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # no axis has marks on top, which a search for room would measure
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
    # A user's own settings would lay figures out a second time.
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "text.usetex": False,  # a user's own settings may ask for it: LaTeX would run the names
}
_MAX_PANELS = 12
# A longer name leaves no room for what it names.
_NAME_CHARACTERS = 60
_MAX_LINES = 40


def write_figures(drawings: Mapping[str, Callable[[], Any]], folder: Path) -> list[Path]:
    """Draw every figure into `folder`, in the style of the report; returns the files written.

    Args:
        drawings: name of the file to the function that draws the figure.
        folder: made if missing.
    """
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context(STYLE):
        for name, draw in drawings.items():
            written += save_figure(draw(), folder / name)
    return written


def save_figure(figure: Any, stem: Path) -> list[Path]:
    """Saves one figure, with or without a layout engine, as STEM.png, STEM.svg and STEM.pdf."""
    written = []
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        # Laid out once, not once a format. None, unlike "none", also spares a draw before each.
        figure.set_layout_engine(None)
    for suffix in ("png", "svg", "pdf"):
        path = stem.with_suffix(f".{suffix}")
        # Without a date two reports of the same runs are the same bytes.
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[suffix]
        with replacing(path) as file:
            figure.savefig(file, format=suffix, dpi=200, metadata=metadata)
        written.append(path)
    return written


def new_figure(width: float, height: float) -> Any:
    """An empty figure; width and height in inches."""
    # Not pyplot: no global state, no display, safe in a thread.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class Panels(Sequence[Group]):
    """The groups that have a panel of their own; `note` says which have none, "" for none."""

    groups: tuple[Group, ...]
    note: str = ""

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, at: Any) -> Any:
        return self.groups[at]


def panels(chosen: Sequence[Group], every: Sequence[Group]) -> Panels:
    """The groups that have a panel of their own: everything, and each of several tasks.

    Args:
        chosen: the groups of the page, everything first.
        every: all groups of the comparison.
    """
    total = sum(group.kind == "task" for group in every)
    tasks = [g for g in chosen if g.kind == "task"]
    shown = (chosen[0], *(tasks if total > 1 else []))[:_MAX_PANELS]
    return Panels(shown, left_out(len(shown) - 1, total) if total > 1 else "")


def left_out(shown: int, total: int) -> str:
    """The words on a figure that leaves tasks out; "" where all are shown."""
    return f"{shown:,} of {total:,} tasks; all are in tables/" if shown < total else ""


def most_groups(chosen: Sequence[Group], every: Sequence[Group]) -> tuple[list[Group], list[str]]:
    """The groups that have a line of their own, and the words on those that have none.

    Args:
        chosen: the groups of the page.
        every: all groups of the comparison.
    """
    shown = list(chosen)[:_MAX_LINES]
    number, total = (sum(g.kind == "task" for g in some) for some in (shown, every))
    return shown, [note] if (note := left_out(number, total)) else []


def panel_grid(groups: Sequence[Group], height: float = 2.3) -> tuple[Any, list[Any]]:
    """A figure with one panel a group, and its axes; `height` of a panel in inches."""
    columns = 2 if len(groups) == 4 else min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(2.6 * columns + 0.4, height * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[len(groups) :]:
        spare.set_axis_off()
    if isinstance(groups, Panels) and groups.note:
        figure.suptitle(groups.note, fontsize=8, x=0.99, ha="right")
    return figure, axes


def plain_name(text: str) -> str:
    """A name as matplotlib prints it; a dollar sign would start matplotlib's own mathematics."""
    return visible(text, _NAME_CHARACTERS, lines=False).replace("$", r"\$")


def log2_ticks(axis: Any, ks: IntArray) -> None:
    """A logarithmic axis of k, with at most six powers of two named."""
    axis.set_xscale("log", base=2)
    powers = [int(k) for k in ks if k & (k - 1) == 0]
    step = max(1, -(-len(powers) // 6))
    axis.set_xticks(powers[::step], [str(k) for k in powers[::step]])
    axis.minorticks_off()
