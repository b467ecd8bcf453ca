"""The findings of every section on one comparison, before any file is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rlvr_fast.progress import Progress, steps
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.facts import key_facts
from rlvr_fast.report.imported import unread_remedy, unread_sentence
from rlvr_fast.report.page_choice import PageChoice, choose
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections import load_sections
from rlvr_fast.report.table import Table, cell_text, finite
from rlvr_fast.shown_text import visible

__all__ = ["Report", "build_report", "measure"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Report:
    """What every section found on one comparison.

    Attributes:
        comparison: the two runs.
        findings: by name of the section, in the order of the report.
        page: the page's file; None for a report that was not written.
    """

    comparison: Comparison
    findings: Mapping[str, Findings[Any]]
    page: Path | None = None

    @property
    def tables(self) -> dict[str, Table]:
        """Every table of the report by its name."""
        return {table.name: table for found in self.findings.values() for table in found.tables}

    @property
    def figures(self) -> dict[str, Callable[[], Any]]:
        """Name of each figure to the function that draws the figure with matplotlib."""
        return {k: draw for found in self.findings.values() for k, draw in found.figures.items()}

    def measured(self, section: Section[T]) -> T:
        """The numbers of one section."""
        found: T = self.findings[section.name].measured
        return found

    @property
    def page_choice(self) -> PageChoice:
        """The groups and problems that the page shows."""
        found = self.findings.get("evidence")
        return choose(self.comparison, None if found is None else found.measured)

    def key_facts(self) -> list[tuple[str, str]]:
        """The conditions of the comparison, title and text, for the top of the page."""
        return key_facts(*self.comparison.sides)

    def headline(self) -> str:
        """The main findings in plain words: regions of problems, their intervals, pass@k.

        The intervals belong to the rule "seen"; there are none under "epsilon", whose labels are
        proven themselves. Every statement is a line; warnings come first. Where no
        answer was found in the completions of a model, there are no findings.
        """
        c = self.comparison
        warnings = (visible(warning, lines=False) for warning in c.warnings)
        if c.unread():
            said = unread_sentence(c.unread(), len(c.problems)), unread_remedy(c.unread())
            return "\n".join((*warnings, " ".join(filter(None, said))))
        found = "\n".join(found.headline for found in self.findings.values() if found.headline)
        return "\n".join((*warnings, found))

    def headline_table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """(columns, rows) for a terminal 80 columns wide: support of the groups of the page."""
        table = self.page_choice.table(self.tables[f"support_{self.comparison.rule}"])
        shown = [c for c in table.columns if c.key != "kind"]
        if not any(row["undetermined"] for row in table.rows):
            shown = [c for c in shown if c.key != "undetermined"]
        rows = [tuple(cell_text(row[c.key], c.kind) for c in shown) for row in table.rows]
        return tuple(c.title for c in shown), rows

    def summary(self) -> dict[str, Any]:
        """The object of summary.json: strict JSON, None for what is not a number."""
        c = self.comparison
        value: dict[str, Any] = {
            "rule": c.rule,
            "zeta": c.zeta,
            "epsilon": c.threshold.as_dict(),
            "depth": _depth_cells(c),
        }
        for found in self.findings.values():
            value |= found.summary
        sampling: dict[str, Any] = c.base.sampling
        if "sampling" in c.allowed:
            sampling = {side.name: side.sampling for side in c.sides}
        value |= {
            "models": {s.name: s.recorded_model for s in c.sides},
            "sampling": sampling,
            "samples": {
                side.name: {
                    "total": int(side.num_samples.sum()),
                    "least": int(side.num_samples.min()),
                    "most": int(side.num_samples.max()),
                }
                for side in c.sides
            },
            "allowed_differences": c.allowed,
            "warnings": list(c.warnings),
            "notes": list(c.notes),
        }
        cleaned: dict[str, Any] = finite(value)
        return cleaned


def _depth_cells(comparison: Comparison) -> dict[str, Any]:
    """The numbers of draws of a problem that the headline belongs to."""
    depth = comparison.common_depth
    drawn = depth[depth > 0]
    return {
        "equal": comparison.equal_depth,
        "least": int(drawn.min()) if drawn.size else 0,
        "most": int(drawn.max()) if drawn.size else 0,
    }


def build_report(comparison: Comparison, *, progress: Progress | None = None) -> Report:
    """Measure every section of the report, without writing files.

    Args:
        comparison: the two runs, as `compare_runs` gives them.
        progress: called as progress("report", steps done, steps in all).
    """
    sections = load_sections()
    return measure(comparison, sections, steps(progress, "report", len(sections)))


def measure(
    comparison: Comparison, sections: tuple[Section[Any], ...], step: Callable[[], None]
) -> Report:
    """The findings of `sections`, in order; calls `step` after each."""
    context = Context(comparison)
    for section in sections:
        context.add(section)
        step()
    return Report(comparison, context.findings)
