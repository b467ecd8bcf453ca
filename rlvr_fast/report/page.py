"""A comparison to a folder: `index.html`, `summary.json`, `tables/` and `figures/`.

Everything that comes from a model or a data set is untrusted text. It reaches the page through
jinja2's autoescape or as JSON that the script shows with `textContent`; the page's policy forbids
every script but its own, whose hash it names, and every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import clopper_pearson
from rlvr_fast.progress import Progress, steps
from rlvr_fast.report import analysis, charts, evidence_tables, tables
from rlvr_fast.report.comparison import RULES, Comparison, Group, plain
from rlvr_fast.report.evidence import crossover_sentence, luck_sentences, share_sentence
from rlvr_fast.report.examples import collect_examples
from rlvr_fast.report.figures import write_figures
from rlvr_fast.report.problem_tables import answers_by_problem
from rlvr_fast.report.sentences import (
    ceiling_sentence,
    completion_sentence,
    importance_view,
    tilt_sentence,
)
from rlvr_fast.report.summary import all_tables, summary
from rlvr_fast.report.table import Table, cell_text, finite, write_tables

__all__ = ["render_page", "write_report"]

# What all problems together may add to the page; a page must open on a phone.
_PROBLEM_BYTES = 2_600_000


def write_report(
    comparison: Comparison, out: str | Path, *, progress: Progress | None = None
) -> Path:
    """Write the report into the folder `out` (made if missing) and return the page's path.

    Leaves `index.html` (one file, opens offline), `summary.json`, `tables/` (CSV, JSON, LaTeX) and
    `figures/` (PNG, SVG, PDF). Raises InvalidInputError where `out` cannot be written. `progress`
    is called as progress("report", steps done, steps in all).
    """
    folder = Path(out)
    step = steps(progress, "report", 4)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = {table.name: table for table in all_tables(comparison)}
        step()
        text = json.dumps(summary(comparison, made), indent=2, allow_nan=False)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        write_tables(made.values(), folder / "tables")
        step()
        write_figures(comparison, folder / "figures")
        step()
        page = folder / "index.html"
        page.write_text(render_page(comparison, made), encoding="utf-8")
        step()
    except OSError as error:
        raise InvalidInputError(
            f"{folder}: cannot write the report: {error.strerror or error}; "
            "name a folder with room that may be written to"
        ) from error
    return page


def render_page(comparison: Comparison, made: Mapping[str, Table] | None = None) -> str:
    """The page as one string of HTML; `made` holds its tables by name where there are some."""
    if made is None:
        made = {table.name: table for table in all_tables(comparison)}
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rlvr_fast.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["visible"] = visible
    environment.filters["model"] = model_name
    environment.filters["cell"] = cell_text
    environment.filters["percent"] = lambda v: "–" if v != v else f"{v:.1%}"
    source = Path(__file__).parent / "templates"
    script = (source / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("index.html.j2").render(
        **_view(comparison, made),
        style=Markup((source / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=digest,
        data=script_json(_data(comparison)),
    )


_HIDDEN = [*(i for i in range(32) if i not in (9, 10)), *range(127, 160), 0x2028, 0x2029]
_HIDDEN += [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_VISIBLE = {code: f"⟨U+{code:04X}⟩" for code in _HIDDEN}


def model_name(name: str) -> str:
    """A hub name as it stands; of a path its last part."""
    parts = [part for part in re.split(r"[/\\]", name) if part]
    return name if len(parts) <= 2 and not name.startswith(("/", ".", "~")) else parts[-1]


def visible(text: str | None, limit: int | None = None) -> str:
    """Text whose control and direction-changing characters can be seen, cut to `limit`."""
    if text is None:
        return "none"
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text.translate(_VISIBLE)


def script_json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no character of it can end the element."""
    text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    return Markup(re.sub(r"[<>&]", lambda m: f"\\u{ord(m[0]):04x}", text))


def _view(c: Comparison, made: Mapping[str, Table]) -> dict[str, Any]:
    labels = c.shifts["seen"].labels
    assert labels is not None
    task_groups = [g for g in c.groups if g.kind == "task"]
    task_index = np.zeros(len(c.problems), dtype=np.int64)
    for i, group in enumerate(task_groups):
        task_index[group.members] = i
    answer_counts = np.bincount(c.answers.problem, minlength=len(c.problems))
    return {
        "c": c,
        "rules": RULES,
        "rule_text": {rule: tables.rule_text(rule, c.zeta) for rule in RULES},
        "samples_text": _samples_text(c),
        "groups": [_group_view(c, i, g) for i, g in enumerate(c.groups)],
        "tables": {
            "support": {rule: tables.support_table(c, rule) for rule in RULES},
            "answers": {rule: tables.answer_table(c, rule) for rule in RULES},
            "evidence": evidence_tables.evidence_table(c),
            "beyond": evidence_tables.beyond_table(c),
            "unseen": evidence_tables.unseen_table(c),
            "reweighting": evidence_tables.reweighting_table(c),
            "plan": evidence_tables.plan_table(c, 10),
            "entropy": tables.entropy_table(c),
            "failures": tables.failure_table(c),
            "perplexity": made["perplexity"],
            "completions": made["completions"],
            "bounds": evidence_tables.bounds_as_ranges(made["bounds"]),
            "guessing": made["guessing"],
        },
        "importance": importance_view(c, made["importance"]),
        "taxonomy": charts.taxonomy_chart(
            c.base.accuracy,
            c.rl.accuracy,
            [str(label) for label in labels],
            [int(t) for t in task_index],
            [visible(i, 60) for i in c.problems.ids],
            depth=int(max(c.base.num_samples.max(initial=1), c.rl.num_samples.max(initial=1))),
        ),
        "task_of_group": {
            i: (task_groups.index(g) if g.kind == "task" else -1) for i, g in enumerate(c.groups)
        },
        "examples": {
            region: [_example_view(c, e) for e in collect_examples(c, region)]
            for region in ("shrunk", "expanded")
        },
        "coverage": {
            label: [c.problems.ids[i] for i in np.flatnonzero(labels == label)]
            for label in charts.REGIONS
        },
        "many_answers": bool(answer_counts.max(initial=0) > 1),
        "perplexity": _perplexity_view(made["perplexity"]),
        "token_entropy_missing": [s.name for s in c.sides if int(s.token_entropy_count.sum()) == 0],
        "evidence_hidden": (
            "kind",
            *(
                f"{r}_{end}"
                for r in ("srr", "ndr", "sds", "nscr")
                for end in ("low", "high", "least", "most")
            ),
            *(f"{r}_share{end}" for r in charts.REGIONS for end in ("", "_low", "_high")),
        ),
        "beyond_far_off": any(h.worst_error > 0.05 for h in c.beyond.held_out.values()),
        "nucleus_missing": all(row["problems_outside"] is None for row in made["completions"].rows),
        "completion_text": [completion_sentence(row) for row in made["completions"].rows],
        "tilt_text": tilt_sentence(c),
        "ceiling_text": ceiling_sentence(c),
        "score_temperature": _score_temperature(c),
        "failing": any(int(s.num_undecided.sum()) for s in c.sides),
        "sampling": dict(plain(c.base.run.info.sampling)),
        "engines": {s.name: dict(plain(s.run.info.engine)) for s in c.sides},
        "template": dict(plain(c.base.run.info.prompt_template)),
        "task_specs": [dict(plain(t)) for t in c.base.run.info.tasks],
        "LETTER": charts.LETTER,
        "WORD": charts.WORD,
        "REGIONS": charts.REGIONS,
    }


def _score_temperature(c: Comparison) -> str | None:
    """The temperature that the scores were taken at, where it is one and the same."""
    found = {
        str(one.info.get("temperature"))
        for side in c.sides
        for name, one in side.scores.items()
        if name in ("base", "rl")
    }
    return found.pop() if len(found) == 1 and "None" not in found else None


def _samples_text(c: Comparison) -> str:
    drawn = np.concatenate([s.num_samples for s in c.sides])
    drawn = drawn[drawn > 0]
    if not drawn.size:
        return "no samples"
    if drawn.min() == drawn.max():
        return f"{int(drawn.min()):,} samples"
    return f"{int(drawn.min()):,} to {int(drawn.max()):,} samples"


def _group_view(c: Comparison, index: int, group: Group) -> dict[str, Any]:
    shift_at_k = analysis.shift_at_k(c, group)
    curves = analysis.pass_curves(c, group)
    evidence = c.evidence[index]
    base, rl = analysis.histograms(c, group)
    return {
        "index": index,
        "kind": group.kind,
        "name": group.name,
        "task_members": _task_members(c, group),
        "shifts": {rule: c.group_shift(group, rule) for rule in RULES},
        "answers": {rule: analysis.answer_shift(c, group, rule) for rule in RULES},
        "evidence": evidence,
        "crossing": crossover_sentence(evidence.crossover),
        "shares": share_sentence(evidence.interval),
        "luck": luck_sentences(c.group_shift(group, "seen"), evidence),
        "curves": charts.pass_chart(
            curves,
            name=group.name,
            bands={
                name: (curve.low[: curves.ks.size], curve.high[: curves.ks.size])
                for name, curve in (("base", evidence.base_curve), ("rl", evidence.rl_curve))
            }
            if curves.ks.size
            else None,
            crossover=(evidence.crossover.k, evidence.crossover.low, evidence.crossover.high)
            if evidence.crossover is not None and evidence.crossover.k is not None
            else None,
        ),
        "regions": charts.region_chart(shift_at_k, name=group.name),
        "histogram": charts.histogram_chart(base, rl, name=group.name),
    }


def _task_members(c: Comparison, group: Group) -> str:
    """Indices of the tasks a domain gathers, for the script's filter."""
    order = {name: i for i, name in enumerate(dict.fromkeys(c.problems.tasks))}
    return ",".join(str(i) for i in sorted({order[c.problems.tasks[m]] for m in group.members}))


def _example_view(c: Comparison, example: Any) -> dict[str, Any]:
    i = example.problem
    return {
        "id": c.problems.ids[i],
        "task": c.problems.tasks[i],
        "prompt": c.problems.prompts[i],
        "answer": example.answer,
        "count": example.count,
        "base": (int(c.base.num_correct[i]), int(c.base.num_samples[i])),
        "rl": (int(c.rl.num_correct[i]), int(c.rl.num_samples[i])),
        "text": example.text,
    }


def _perplexity_view(table: Table) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    """The rows by subset and by (completions of, under model)."""
    view: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for row in table.rows:
        view.setdefault(row["subset"], {})[row["completions"], row["scored_by"]] = row
    return view


def _data(c: Comparison) -> dict[str, Any]:
    """What the script needs: curves for the slider, and every problem for the last table."""
    groups = []
    for group in c.groups:
        curves, shift = analysis.pass_curves(c, group), analysis.shift_at_k(c, group)
        groups.append(
            {
                "ks": curves.ks.tolist(),
                "x": [round(charts.log2_axis(curves.ks)(int(k)), 1) for k in curves.ks],
                "base": [round(float(v), 4) for v in curves.base],
                "rl": [round(float(v), 4) for v in curves.rl],
                "regions": [
                    [round(float(getattr(shift, r)[i]), 2) for r in charts.REGIONS]
                    for i in range(curves.ks.size)
                ],
            }
        )
    return {"groups": groups, "problems": _problem_rows(c)}


def _problem_rows(c: Comparison) -> list[list[Any]]:
    total = max(len(c.problems), 1)
    budget = int(np.clip(_PROBLEM_BYTES // total, 240, 4000))
    text, answer = max(budget // 3, 100), int(np.clip(budget // 16, 24, 120))
    labels = [c.shifts[rule].labels for rule in RULES]
    codes = {label: i for i, label in enumerate((*charts.REGIONS, "undetermined"))}
    task_names = {name: i for i, name in enumerate(dict.fromkeys(c.problems.tasks))}
    kept, lost, found = answers_by_problem(c)
    shown = _answer_samples(c, answer)
    sure = _how_sure(c)
    wrong = [_commonest_wrong(side, len(c.problems), answer) for side in c.sides]
    rows = []
    for i in range(len(c.problems)):
        rows.append(
            [
                visible(c.problems.ids[i], 80),
                task_names[c.problems.tasks[i]],
                *(codes[str(rule_labels[i])] for rule_labels in labels if rule_labels is not None),
                int(c.base.num_correct[i]),
                int(c.base.num_samples[i]),
                int(c.rl.num_correct[i]),
                int(c.rl.num_samples[i]),
                int(kept[i]),
                int(lost[i]),
                int(found[i]),
                visible(c.problems.prompts[i], text),
                shown[i],
                [wrong[0][i], wrong[1][i]],
                sure[i],
            ]
        )
    return rows


def _how_sure(c: Comparison) -> list[list[Any]]:
    """Per problem [base low, high, RL low, high, q of Fisher's test, beta, low, high]."""
    limits = [clopper_pearson(side.num_samples, side.num_correct) for side in c.sides]
    columns = [end for one in limits for end in (one.low, one.high)]
    columns += [c.tests.q_value, c.tilt.problem_beta, c.tilt.problem_low, c.tilt.problem_high]
    return [[float(f"{v:.3g}") for v in row] for row in np.stack(columns, axis=1)]


def _answer_samples(c: Comparison, limit: int) -> list[list[list[Any]]]:
    """Per problem up to two answers kept, three lost and three found: [kind, text, base, rl]."""
    out: list[list[list[Any]]] = [[] for _ in range(len(c.problems))]
    room = [[2, 3, 3] for _ in range(len(c.problems))]
    a = c.answers
    for row, problem in enumerate(a.problem):
        b, r = int(a.base_count[row]), int(a.rl_count[row])
        kind = 0 if b and r else 1 if b else 2
        if room[problem][kind]:
            room[problem][kind] -= 1
            out[problem].append([kind, visible(a.canonical[row], limit), b, r])
    return out


def _commonest_wrong(side: Any, total: int, limit: int) -> list[list[Any] | None]:
    """Per problem the wrong answer a model gives most: [text, count]."""
    out: list[list[Any] | None] = [None] * total
    wrong = np.flatnonzero(side.answers.verdict == 1)
    problems, first = np.unique(side.answers.problem[wrong], return_index=True)
    for problem, at in zip(problems, first, strict=True):
        row = int(wrong[at])
        text = side.answers.canonical[row]
        if text is not None:
            out[int(problem)] = [visible(text, limit), int(side.answers.count[row])]
    return out
