"""Checks of ours on answers that a dataset's verifier scores as correct.

Several verifiers of Reasoning Gym give the full score to answers that are plainly wrong: to every
text, to a number within a wide tolerance, to the right answer with anything behind it. Each has a
guard here. A guard sees only answers with the full score, and refuses those that do not answer the
question; it never makes an answer correct. `guards=off` in the spec of a task leaves guards and
other readings out, so that the dataset's verifier decides alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlvr_fast.tasks.schemes.reasoning_gym import guard_rules as rules

__all__ = ["GUARDS", "Guard", "guard_of", "guard_refusal"]


@dataclass(frozen=True, slots=True)
class Guard:
    """What one dataset's verifier accepts and should not.

    Attributes:
        name: stands in the name of the grader.
        symptom: what is scored as correct without the guard.
        refusal: why an answer to an entry of the dataset is wrong, else None.
        version: rises with every change of a verdict.
    """

    name: str
    symptom: str
    refusal: Callable[[str, Mapping[str, Any]], str | None]
    version: int = 1

    def __str__(self) -> str:
        """The name and the version, as the name of the grader has them."""
        return f"{self.name} {self.version}"


def guard_of(dataset: str) -> Guard | None:
    """The guard of a dataset; None where its verifier has none.

    That of `composite` is the guard of the dataset that posed the problem.
    """
    return _COMPOSITE if dataset == "composite" else GUARDS.get(dataset)


def guard_refusal(dataset: str, answer: str, entry: Mapping[str, Any]) -> str | None:
    """Why an answer with the full score of its dataset is wrong all the same; else None.

    Example:
        >>> guard_refusal("game_of_life_halting", "banana", {"answer": "True"})
        'it is not the word of the answer'
    """
    guard = guard_of(dataset)
    return None if guard is None else guard.refusal(answer, entry)


def _of_source(answer: str, entry: Mapping[str, Any]) -> str | None:
    return guard_refusal(entry["metadata"]["source_dataset"], answer, entry)


_COMPOSITE = Guard("as its datasets", "what the verifiers of its datasets accept", _of_source)
_MADE = Guard(
    "exact value",
    "other numbers (puzzle24), a value within 1e-5 of the target or cut to it, operators that the "
    "question does not offer",
    rules.made_number,
)
_WHOLE = Guard("whole text", "the right answer with any text behind it", rules.same_words)
_EXACT = Guard("plain number", "commas anywhere (1,2 for 12), underscores", rules.exact_number)

GUARDS: dict[str, Guard] = {
    "advanced_geometry": Guard(
        "whole point",
        "a point with any text behind it, an angle with signs in it",
        rules.whole_point,
    ),
    "boxnet": Guard("legal moves", "moves that the rules forbid, left out", rules.legal_plan),
    "calendar_arithmetic": Guard(
        "same number", "every number where the answer is -1", rules.same_number
    ),
    "chain_sum": _EXACT,
    "coin_flip": Guard(
        "rounded value",
        "0 for a probability below 1e-4, and any value within 1e-4",
        rules.probability,
    ),
    "countdown": _MADE,
    "decimal_chain_sum": _EXACT,
    "cryptarithm": Guard("each letter once", "two digits for one letter", rules.each_letter_once),
    "decimal_arithmetic": Guard(
        "rounded value", "any value within one unit of the third decimal", rules.rounded_value
    ),
    "figlet_font": _WHOLE,
    "fraction_simplification": Guard(
        "whole fraction",
        "a fraction with any text behind it, or digits before it",
        rules.whole_fraction,
        version=2,
    ),
    "game_of_life": Guard("whole board", "rows and columns beyond the board", rules.same_json),
    "game_of_life_halting": Guard(
        "same word", "every text that is not empty", rules.same_truth_value
    ),
    "gsm_symbolic": Guard(
        "one number",
        "the first number of any text, without its sign",
        rules.only_number,
        version=2,
    ),
    "graph_color": Guard(
        "same vertices", "vertices that the graph has not, and one vertex twice", rules.coloring
    ),
    "kakurasu": Guard("zeros and ones", "other signs, left out", rules.zeros_and_ones),
    "knights_knaves": Guard(
        "names and roles", "other words, left out, in any order", rules.names_and_roles
    ),
    "letter_jumble": _WHOLE,
    "number_format": Guard(
        "listed number", "any value within 0.01, which two of the numbers may be", rules.listed
    ),
    "number_sorting": Guard("same numbers", "numbers that are wrong by up to 1", rules.same_list),
    "polynomial_equations": Guard(
        "numbers alone", "items that are no numbers, left out", rules.only_numbers
    ),
    "pool_matrix": Guard(
        "same matrix", "a row for a column, and values within 1 per cent", rules.same_matrix
    ),
    "power_function": Guard("plain number", "underscores in a number", rules.written_number),
    "products": _EXACT,
    "propositional_logic": Guard("formula alone", "a formula with words behind it", rules.formula),
    "puzzle24": _MADE,
    "quantum_lock": Guard("buttons alone", "other signs, left out", rules.buttons),
    "rubiks_cube": Guard("turns alone", "what is no turn, left out", rules.cube_turns),
    "rush_hour": Guard("legal moves", "moves that the board forbids, left out", rules.legal_drive),
    "sokoban": Guard("moves alone", "other signs, left out", rules.moves),
    "spell_backward": _WHOLE,
    "survo": Guard("numbers alone", "words, left out", rules.integers_alone),
    "time_intervals": Guard(
        "whole interval",
        "days with any text behind them, and thousandths without their zeros",
        rules.whole_interval,
    ),
    "tower_of_hanoi": Guard("moves alone", "any text before a move", rules.disk_moves),
    "word_sorting": Guard("whole list", "words behind the list", rules.same_items),
}
