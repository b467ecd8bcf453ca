"""Sections of the report: a section measures once and returns its findings.

A section is a module of `rlvr_fast/report/sections/` that defines `SECTION`, and a template beside
it with the same name. The module measures in one function, which gets a `Context` and returns
`Findings`: tables, sentences, a part of summary.json, figures, and what its template and the
page's script show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.page_choice import PageChoice, choose
from rlvr_fast.report.table import Table

__all__ = ["Context", "Findings", "Section"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings(Generic[T]):
    """What one section found.

    `figures`, `view` and `data` hold functions, called only where a report is written to files.

    Attributes:
        measured: the numbers, for sections that stand later.
        tables: files of tables/; names are unique in a report.
        headline: the section's part of the headline of the command line, a statement a line; ""
            for none.
        summary: keys of summary.json; nan and infinities become null.
        figures: name of a file in figures/, without a suffix, to the function that returns a
            matplotlib figure, made by `new_figure` or `panel_grid` of `rlvr_fast.report.figures`.
        view: gives the names that the section's template uses.
        data: gives the keys of the page's JSON that the page's script uses.
    """

    measured: T
    tables: Sequence[Table] = ()
    headline: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    view: Callable[[], Mapping[str, Any]] = dict
    data: Callable[[], Mapping[str, Any]] = dict

    def names(self) -> set[str]:
        """The names that no other section may use, each with its kind."""
        return {
            *(f"table {table.name}" for table in self.tables),
            *(f"figure {name}" for name in self.figures),
            *(f"summary {key}" for key in self.summary),
        }


class Context:
    """The comparison, and the numbers of the sections measured so far."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.findings: dict[str, Findings[Any]] = {}

    @cached_property
    def page(self) -> PageChoice:
        """The groups and problems that the page shows, for sections after the evidence."""
        found = self.findings.get("evidence")
        return choose(self.comparison, None if found is None else found.measured)

    def measured(self, section: Section[T]) -> T:
        """The numbers of a section that stands earlier in the list.

        Raises:
            LookupError: the section has not measured yet: it stands later, or is not in the list.
        """
        if section.name not in self.findings:
            raise LookupError(
                f"the section {section.name!r} has not measured yet: in "
                "rlvr_fast.report.sections.SECTIONS a section stands after those that it asks"
            )
        found: T = self.findings[section.name].measured
        return found

    def add(self, section: Section[Any]) -> None:
        """Measure one more section.

        Raises:
            ValueError: a table, figure or key of summary.json has the name of an earlier one.
        """
        found = section.measure(self)
        taken = {name for earlier in self.findings.values() for name in earlier.names()}
        repeated = sorted(taken & found.names())
        if repeated:
            raise ValueError(
                f"the section {section.name!r} repeats names of earlier sections: "
                + ", ".join(repeated)
            )
        self.findings[section.name] = found


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """One section of the report.

    Attributes:
        name: name of its module and of its template.
        measure: measures once and gives the findings.
    """

    name: str
    measure: Callable[[Context], Findings[T]]
