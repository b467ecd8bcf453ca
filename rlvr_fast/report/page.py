"""The page of a report: one file of HTML that opens offline.

Everything that comes from a model or a data set is untrusted text: see `shown_text`. The page's
policy forbids every script but its own, whose hash it names, and every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from rlvr_fast.report.columns import shown_counts
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.contents import contents
from rlvr_fast.report.depth import draws_text
from rlvr_fast.report.imported import unread_remedy, unread_sentence
from rlvr_fast.report.page_choice import PageChoice
from rlvr_fast.report.page_tables import MANY_COLUMNS, ems, runs
from rlvr_fast.report.page_tables import shown as shown_columns
from rlvr_fast.report.palette import css_variables
from rlvr_fast.report.report import Report
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.report.sentences import (
    all_draws_sentence,
    count_text,
    luck_sentences,
    proven_sentences,
    share_sentences,
)
from rlvr_fast.report.table import cell_text
from rlvr_fast.report.table_files import table_file
from rlvr_fast.report.threshold import epsilon_sentence
from rlvr_fast.shown_text import script_json, visible
from rlvr_fast.store.prompt_templates import template_words
from rlvr_fast.store.recorded import recorded_spec
from rlvr_fast.vocabulary import LABELS, RULES

if TYPE_CHECKING:
    import jinja2

__all__ = ["render_page"]

_HERE = Path(__file__).parent


def render_page(report: Report) -> str:
    """The page as one string of HTML."""
    choice = report.page_choice
    environment = _environment()
    # For the macros too, which see no name of a template.
    files = {table.name: table_file(table.name, table.rows) for table in report.tables.values()}
    environment.globals |= {"page": choice, "table_file": files.__getitem__}
    shared: dict[str, Any] = {"c": report.comparison, "rules": RULES}
    body = []
    for name, found in report.findings.items():
        template = environment.get_template(f"{name}.html.j2")
        body.append(Markup(template.render(shared, **found.view())))
    data: dict[str, Any] = {
        "labels": [{"key": x.key, "letter": x.letter, "word": x.word} for x in LABELS]
    }
    for found in report.findings.values():
        data |= found.data()
    if not choice.every_problem:
        data["whole"] = {"problems": len(report.comparison.problems), "file": files["problems"]}
    script = (_HERE / "templates" / "page.js").read_text(encoding="utf-8")
    style = css_variables() + (_HERE / "templates" / "style.css").read_text(encoding="utf-8")
    view = shared | _view(report, choice)
    definitions = Markup(environment.get_template("definitions.html.j2").render(view))
    return environment.get_template("index.html.j2").render(
        view,
        sections=body,
        definitions=definitions,
        contents=contents([*body, definitions]),
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=Markup(script_json(data)),
    )


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([_HERE / "templates", _HERE / "sections"]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalized,
    )
    environment.filters["visible"] = visible
    environment.filters["model"] = _model_name
    environment.filters["cell"] = cell_text
    environment.filters["number"] = count_text
    environment.filters |= {"ems": ems, "runs": runs, "shown": shown_columns}
    environment.globals["LABELS"] = LABELS
    environment.globals["MANY_COLUMNS"] = MANY_COLUMNS
    return environment


def _finalized(value: Any) -> Any:
    """What an expression of a template prints: text that is not HTML of ours is made visible."""
    return visible(value) if type(value) is str else value


def _model_name(name: str) -> str:
    """The name of a model of the hub unchanged; the last part of a path."""
    parts = [part for part in re.split(r"[/\\]", name) if part]
    return name if len(parts) <= 2 and not name.startswith(("/", ".", "~")) else parts[-1]


def _view(report: Report, choice: PageChoice) -> dict[str, Any]:
    """What the page's head, its controls and its settings show."""
    c = report.comparison
    return {
        "samples_text": _samples_text(c),
        "facts": report.key_facts(),
        "epsilon": epsilon_sentence(c.threshold, c.zeta),
        "groups": [_group_view(report, group) for group in choice.groups],
        "sampling": _sampling(c),
        "engines": {side.name: _words(side.run.info.engine.values()) for side in c.sides},
        "template": template_words(c.base.run.info.prompt_template),
        "task_specs": [
            {**task, "spec": recorded_spec(str(task.get("spec")))} for task in c.base.run.info.tasks
        ],
    }


def _sampling(c: Comparison) -> list[tuple[str, str]]:
    """The sampling parameters in words: once, or of each model where they differ."""
    texts = []
    for side in c.sides:
        missing = "not recorded" if side.run.info.imported else "none"
        shown = {
            name: missing if value in (None, []) else str(value)
            for name, value in side.sampling.items()
        }
        texts.append(", ".join(f"{name} {value}" for name, value in shown.items()))
    if texts[0] == texts[1]:
        return [("Sampling", texts[0])]
    return [("Sampling, base", texts[0]), ("Sampling, RL", texts[1])]


def _words(values: Iterable[Any]) -> list[str]:
    """The values that say something; lists are taken apart, and mappings into NAME=VALUE."""
    flat = [item for value in values for item in _items(value)]
    return [str(item) for item in flat if item]


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [f"{name}={_json_text(inner)}" for name, inner in value.items()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _samples_text(c: Comparison) -> str:
    ours, theirs = (draws_text(side.num_samples) for side in c.sides)
    if ours == theirs:
        return f"{ours} samples per problem and model"
    return f"{ours} samples per problem before, {theirs} after"


def _group_view(report: Report, group: Group) -> dict[str, Any]:
    c = report.comparison
    evidence = report.measured(EVIDENCE).groups[group.index]
    unread = c.unread(group)
    order = {name: i for i, name in enumerate(dict.fromkeys(c.problems.tasks))}
    return {
        "index": group.index,
        "kind": group.kind,
        "name": group.name,
        # for the script's filters: the number of a task, the numbers of the tasks of a domain
        "task": order[group.name] if group.kind == "task" else -1,
        "tasks": ",".join(
            str(i) for i in sorted({order[c.problems.tasks[m]] for m in group.members})
        ),
        "unread": unread_sentence(unread, group.members.size) if unread else "",
        # Another policy would grade every task of the run.
        "remedy": unread_remedy(unread) if unread and group.kind == "overall" else "",
        "shifts": {rule: c.counts(group, rule) for rule in RULES},
        "bars": {rule: shown_counts(c.counts(group, rule).as_dict()) for rule in RULES},
        "depth": "" if c.equal_depth else c.depth_text(group),
        "all_draws": all_draws_sentence(c, group),
        "evidence": evidence,
        "shares": share_sentences(c, group, evidence),
        "luck": luck_sentences(c, group, evidence),
        "proven": proven_sentences(c, group, evidence),
    }
