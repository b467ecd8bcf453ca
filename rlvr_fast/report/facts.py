"""What a reader has to know of the draws: how many, how sampled, how many cut off or unread."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr_fast.report.depth import draws_text
from rlvr_fast.report.problems import IntArray
from rlvr_fast.report.sides import Side, curve_depth
from rlvr_fast.store.prompt_templates import template_words
from rlvr_fast.store.sampling_values import sampling_value
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["count_of", "draw_notes", "key_facts", "percent", "undefined_notes"]


def count_of(number: int, noun: str) -> str:
    """A number with its noun: "1 problem", "2 problems"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percent(share: float) -> str:
    """A share in words that does not round to 0 % or 100 % unless it is: "52 %", "0.3 %".

    Below 1 % and above 99 % one decimal stands; an even smaller distance from the end is said in
    words. An exact 0 is "0 %", nan an en dash.
    """
    if not np.isfinite(share):
        return "–"
    if share in (0, 1):
        return "100 %" if share else "0 %"
    if share < 0.0005:
        return "below 0.1 %"
    if share > 0.9995:
        return "above 99.9 %"
    places = 1 if share < 0.0095 or share > 0.9905 else 0
    return f"{100 * share:.{places}f} %"


def undefined_notes(ks: tuple[int, ...], base: Side, rl: Side) -> list[str]:
    """A note on the k at which pass@k of all problems is not defined."""
    depth = curve_depth(base, rl)
    beyond = [f"{k:,}" for k in ks if k > depth]
    if not beyond or not depth:
        return []
    return [
        f"pass@k of all problems is not defined at k = {', '.join(beyond)}: fewer than nine of ten "
        f"problems have more than {depth:,} samples of both models, and every point of a curve is "
        "the mean over the same problems."
    ]


def draw_notes(base: Side, rl: Side) -> list[str]:
    """Sentences about numbers of draws that a reader of any number has to know."""
    notes = []
    unequal = int(np.count_nonzero(base.num_samples != rl.num_samples))
    if unequal:
        draws = f"base {draws_text(base.num_samples)}, RL {draws_text(rl.num_samples)}"
        notes.append(
            f"On {count_of(unequal, 'problem')} the two models have different numbers of samples "
            f"({draws} a problem). Under the rule “seen once” the counts and ratios at the top are "
            "those expected at the smaller number of each problem. The labels of single problems, "
            "in tables and charts, are counted with all samples and favour the model with more."
        )
    for side in (base, rl):
        empty = int(np.count_nonzero(side.num_samples == 0))
        if empty:
            notes.append(
                f"{count_of(empty, 'problem')} of the {side.title} run "
                f"{'has' if empty == 1 else 'have'} no samples and count as undetermined."
            )
        ungraded = int(np.maximum(side.num_ungraded, 0).sum())
        if ungraded:
            notes.append(
                f"{count_of(ungraded, 'draw')} of the {side.title} run are not graded yet and are "
                f"left out; `rlvr-fast grade {side.run.path.name}` adds them."
            )
        drawn = side.num_samples[side.num_samples > 0]
        if drawn.size and drawn.min() != drawn.max():
            notes.append(
                f"The {side.title} run has between {drawn.min()} and {drawn.max()} samples a "
                "problem; every problem is counted with its own number."
            )
    return notes


def key_facts(base: Side, rl: Side) -> list[tuple[str, str]]:
    """The conditions of the comparison, title and text, for the top of the page.

    Numbers of draws, sampling parameters, prompt template, and the shares of the draws without an
    answer and cut off at the token limit.
    """
    facts = [("Draws per problem", _draws(base, rl))]
    for title, name in (("Temperature", "temperature"), ("Top-p", "top_p")):
        facts.append((title, _both(_recorded(base, name), _recorded(rl, name))))
    for name in SAMPLING_DEFAULTS:
        default = sampling_value({}, name)
        if any(sampling_value(side.sampling, name) != default for side in (base, rl)):
            title = name.replace("_", "-").capitalize()
            facts.append((title, _both(_recorded(base, name), _recorded(rl, name))))
    facts.append(("Prompt template", _both(*(_template(side) for side in (base, rl)))))
    facts.append(("Without an answer", _both(*(_unparsed(side) for side in (base, rl)))))
    facts.append(("Cut off at the token limit", _both(*(_cut_off(side) for side in (base, rl)))))
    return facts


def _draws(base: Side, rl: Side) -> str:
    ours, theirs = (draws_text(side.num_samples) for side in (base, rl))
    if np.array_equal(base.num_samples, rl.num_samples):
        return f"{ours} of each model"
    return f"base {ours}, RL {theirs}: unequal"


def _template(side: Side) -> str:
    template = dict(side.run.info.prompt_template)
    return template_words(template) if template.get("name") else "not recorded"


def _both(base: str, rl: str) -> str:
    return base if base == rl else f"base {base}, RL {rl}"


def _recorded(side: Side, name: str) -> str:
    value: Any = side.sampling.get(name)
    if value is None and not side.run.info.imported:  # run.json leaves defaults out
        value = sampling_value({}, name)
    return "not recorded" if value is None else str(value)


def _unparsed(side: Side) -> str:
    return _share(side.num_unparsed, side.num_samples)


def _cut_off(side: Side) -> str:
    return _share(side.num_truncated, side.num_ended) if side.num_ended.any() else "not recorded"


def _share(part: IntArray, whole: IntArray) -> str:
    total = int(whole.sum())
    return percent(int(part.sum()) / total) if total else "no draws"
