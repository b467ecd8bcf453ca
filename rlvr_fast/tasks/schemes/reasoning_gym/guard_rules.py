"""The rules of `guards.py`: why an answer with the full score of its dataset is wrong."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from rlvr_fast.tasks.schemes.reasoning_gym.expressions import syntax_of
from rlvr_fast.tasks.schemes.reasoning_gym.plain_numbers import is_rounding, number, numbers

__all__ = [
    "buttons",
    "coloring",
    "cube_turns",
    "disk_moves",
    "each_letter_once",
    "exact_number",
    "formula",
    "integers_alone",
    "legal_drive",
    "legal_plan",
    "listed",
    "made_number",
    "moves",
    "names_and_roles",
    "only_number",
    "only_numbers",
    "probability",
    "rounded_value",
    "same_items",
    "same_json",
    "same_list",
    "same_matrix",
    "same_number",
    "same_truth_value",
    "same_words",
    "whole_fraction",
    "whole_interval",
    "whole_point",
    "written_number",
    "zeros_and_ones",
]

Entry: TypeAlias = Mapping[str, Any]

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
_ALL_OPERATORS = frozenset(_OPERATORS.values())
_OFFERED = re.compile(r"You can use the operators ([-+*/, ]+)\.")
_NUMBER_IN_TEXT = re.compile(r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?")
_FRACTION = re.compile(
    r"\$?\s*(?:\\[dt]?frac\s*\{\s*[1-9]\d*\s*\}\s*\{\s*[1-9]\d*\s*\}|"
    r"[1-9]\d*\s*/\s*[1-9]\d*)\s*\$?",
    re.ASCII,
)
_POINT = re.compile(r"\(?\s*([^\s,()]+)\s*,\s*([^\s,()]+)\s*\)?")
_CLOCK = r"\d{1,4}:[0-5]\d(?::[0-5]\d(?:\.\d{3})?)?"
_DAYS = re.compile(r"\d{1,9}(?:\s+days?)?", re.A | re.I)
_INTERVAL = re.compile(rf"(?:\d{{1,9}} days,\s*)?{_CLOCK}", re.A)
_DRIVE = re.compile(r"(?:[A-Z][+-]\d{1,2}[\s,]*)+", re.A)
_TURNS = re.compile(r"(?:(?:[LRDUBF]w?|[XYZMES])'?(?:[1-9][0-9]?)?(?:\s+|$))+")
_DISK_MOVE = re.compile(r"Move disk [0-9]+ from Peg [0-9]+ to Peg [0-9]+")
_DENIES = re.compile(
    r"(?<![A-Za-z])(?:not?|or|nor|never|but|wrong|incorrect|false|instead)(?![A-Za-z])|n['\u2019]t\b",
    re.I,
)
_DIGIT_OF = re.compile(r"\s*([A-Z])\s*=\s*[0-9]\s*")
_STEP = re.compile(r"([A-Z])([+-])(\d+)", re.A)
_BUTTONS = re.compile(r"[A-Ca-c](?:(?:\s|,|\u2192|->|=>)+[A-Ca-c])*|[A-Ca-c]+")
_VARIABLE = re.compile("[A-Z]")
_SUBFORMULA = re.compile("\\([A-Z]\\)|\u00ac[A-Z]|[A-Z][\u2227\u2228\u2192\u2194][A-Z]")
_NO_SOLUTION = re.compile(r"(?:no (?:real )?(?:solutions?|roots?|values?)|none|empty|\[\]|\{\})?")
_SIGNIFICANT = re.compile(r"maximum of ([0-9]{1,3}) significant digits")
_EXACT_HALF = Decimal("0.0005")
_CENT_HALF = Decimal("0.005")
MOST_STEPS = 2000
MOST_FORMULA = 4096  # characters


def made_number(answer: str, entry: Entry) -> str | None:
    """An expression makes the target, exactly, of the numbers and operators of the question."""
    about = entry["metadata"]
    tree = syntax_of(answer.strip())
    offered = _OFFERED.search(str(entry.get("question", "")))
    allowed = _ALL_OPERATORS & set(offered[1]) if offered else _ALL_OPERATORS
    used: list[int] = []
    try:
        value = None if tree is None else _value(tree, allowed, used)
    except (ZeroDivisionError, RecursionError):
        value = None
    if value is None:
        return "it has more than integers and the operators of the question"
    if sorted(used) != sorted(about["numbers"]):
        return "it does not use the numbers of the question"
    target = about.get("target", 24)
    return None if value == target else f"its value is not exactly {target}"


def _value(node: ast.expr, allowed: frozenset[str], used: list[int]) -> Fraction | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        if node.value != int(node.value):
            return None
        used.append(int(node.value))
        return Fraction(int(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        inner = _value(node.operand, allowed, used)
        return None if inner is None else -inner if isinstance(node.op, ast.USub) else inner
    if not isinstance(node, ast.BinOp) or _OPERATORS.get(type(node.op)) not in allowed:
        return None
    left, right = _value(node.left, allowed, used), _value(node.right, allowed, used)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    return left * right if isinstance(node.op, ast.Mult) else left / right


def same_truth_value(answer: str, entry: Entry) -> str | None:
    """True or False, in any case."""
    same = answer.strip().lower() == str(entry["answer"]).lower()
    return None if same else "it is not the word of the answer"


def same_words(answer: str, entry: Entry) -> str | None:
    """The answer and nothing behind it, in any case."""
    given, wanted = ("".join(text.split()).lower() for text in (answer, entry["answer"]))
    return None if given == wanted else "it is more than the answer, or another text"


def same_items(answer: str, entry: Entry) -> str | None:
    """Words between commas: those of the answer and no others."""
    given = [word.strip() for word in answer.split(",")]
    return None if given == entry["metadata"]["sorted_words"] else "it has other words as well"


def exact_number(answer: str, entry: Entry) -> str | None:
    """A plain number with the value of the answer."""
    value, wanted = number(answer), number(str(entry["answer"]))
    return None if value is not None and value == wanted else "it is no plain number of this value"


def same_number(answer: str, entry: Entry) -> str | None:
    """A plain number with the value of the answer, where the answer is a number."""
    return None if number(str(entry["answer"])) is None else exact_number(answer, entry)


def written_number(answer: str, entry: Entry) -> str | None:
    """A number in plain digits, with an exponent or without."""
    return "it is no plain number" if number(answer) is None else None


def only_number(answer: str, entry: Entry) -> str | None:
    """One number, with its sign; other words may be units."""
    found = _NUMBER_IN_TEXT.findall(answer)
    wanted = number(str(entry["answer"]))
    if len(found) != 1 or number(found[0]) != wanted:
        return "it has another number than the answer, or several"
    return "it denies the number" if _DENIES.search(answer) else None


def probability(answer: str, entry: Entry) -> str | None:
    """The exact value, as a fraction or a decimal, or the value rounded to three digits or more."""
    rational = entry["metadata"]["rational"]
    exact = Fraction(rational["numerator"], rational["denominator"])
    if "/" in answer:
        above, below = (number(part, exponent=False) for part in answer.split("/", 1))
        same = above is not None and below and Fraction(above) == exact * Fraction(below)
        return None if same else "it is not the exact fraction"
    value = number(answer)
    if value is None:
        return "it is no plain number"
    if value in (0, 1) and exact != value:
        return "the event is neither impossible nor certain"
    return None if is_rounding(value, exact) else "it is not the value, rounded to 3 digits or more"


def rounded_value(answer: str, entry: Entry) -> str | None:
    """The value, or the value rounded to three digits or more."""
    value, wanted = number(answer), Decimal(entry["answer"])
    _, digits, exponent = wanted.as_tuple()
    asked = _SIGNIFICANT.search(str(entry.get("question", "")))
    # A gold answer of as many digits as are asked for is rounded itself, in every step.
    error = Fraction(0)
    if isinstance(exponent, int) and asked is not None and len(digits) >= int(asked[1]):
        error = 2 * Fraction(10) ** exponent
    if value is not None and is_rounding(value, Fraction(wanted), error=error):
        return None
    return "it is not the value, rounded to 3 digits or more"


def listed(answer: str, entry: Entry) -> str | None:
    """A number of the question, which gives three decimals."""
    value = number(answer)
    wanted = Decimal(repr(float(entry["metadata"]["solution"])))
    same = value is not None and abs(value - wanted) < _EXACT_HALF
    return None if same else "it is not the number of the question"


def same_list(answer: str, entry: Entry) -> str | None:
    """The numbers of the answer, exactly."""
    given, wanted = (_list(text) for text in (answer, entry["answer"]))
    return None if given is not None and given == wanted else "it has other numbers"


def _list(text: str) -> list[Decimal] | None:
    return numbers(re.sub(r"[\[\]'\"\s]", "", text))


def only_numbers(answer: str, entry: Entry) -> str | None:
    """Numbers between commas; nothing, or the word none, where there are no real solutions."""
    if not entry["answer"]:
        text = answer.strip().strip("\"'.").lower()
        return None if _NO_SOLUTION.fullmatch(text) else "there is no solution"
    return None if numbers(answer) is not None else "it has more than numbers"


def same_matrix(answer: str, entry: Entry) -> str | None:
    """The numbers of the answer in its rows, right to two decimals."""
    given, wanted = (
        [line.split() for line in text.strip().splitlines() if line.strip()]
        for text in (answer, entry["answer"])
    )
    if [len(row) for row in given] != [len(row) for row in wanted]:
        return "it has other rows or columns"
    for row, wanted_row in zip(given, wanted, strict=True):
        for text, wanted_text in zip(row, wanted_row, strict=True):
            value, right = number(text), Decimal(wanted_text)
            most = _CENT_HALF if "." in wanted_text else Decimal(0)
            if value is None or abs(value - right) > most:
                return "it has another number"
    return None


def same_json(answer: str, entry: Entry) -> str | None:
    """The value of the answer, and no more rows or columns."""
    return None if json.loads(answer) == json.loads(entry["answer"]) else "it has other cells"


def names_and_roles(answer: str, entry: Entry) -> str | None:
    """Each name with its role: words of the answer alone, names and roles by turns."""
    wanted, given = (_told(text) for text in (entry["answer"], answer))
    pairs = {tuple(wanted[at : at + 2]) for at in range(0, len(wanted), 2)}
    told = {tuple(given[at : at + 2]) for at in range(0, len(given), 2)}
    same = pairs == told and len(given) == len(wanted)
    return None if same else "it says something else, or more"


def _told(text: str) -> list[str]:
    words = re.findall(r"[^\s.,;()]+", text.lower())
    return [word for word in words if word not in ("is", "a", "an", "and", "the")]


def whole_fraction(answer: str, entry: Entry) -> str | None:
    """A fraction and nothing else."""
    return None if _FRACTION.fullmatch(answer.strip()) else "it is more than a fraction"


def whole_point(answer: str, entry: Entry) -> str | None:
    """Two coordinates, an angle or a length, and nothing else."""
    text = answer.strip()
    if str(entry["answer"]).startswith("("):
        point = _POINT.fullmatch(text)
        parts = point.groups() if point else ()
        whole = len(parts) == 2 and all(number(part) is not None for part in parts)
    else:
        whole = number(text.removesuffix("\u00b0")) is not None
    return None if whole else "it is more than what was asked for"


def whole_interval(answer: str, entry: Entry) -> str | None:
    """A number of days, or a time in the form of the question, and nothing else."""
    form = _DAYS if entry["metadata"]["task_type"] == "date" else _INTERVAL
    text = answer.strip().removesuffix(".")
    return None if form.fullmatch(text) else "it is more than an interval"


def _made_of(pattern: str, expected: str) -> Callable[[str, Entry], str | None]:
    signs = re.compile(pattern)

    def rule(answer: str, entry: Entry) -> str | None:
        return None if signs.fullmatch(answer.strip()) else f"it has more than {expected}"

    return rule


zeros_and_ones = _made_of(r"[01\s,;|\[\]]*", "zeros and ones")
integers_alone = _made_of(r"[0-9\s]*", "integers")
moves = _made_of(r"[UDLR\s,]*", "moves")


def each_letter_once(answer: str, entry: Entry) -> str | None:
    """A digit for each letter, which no second digit contradicts."""
    pairs = [_DIGIT_OF.fullmatch(pair) for pair in answer.split(",")]
    letters = [pair[1] for pair in pairs if pair is not None]
    once = len(set(letters)) == len(pairs)
    return None if once else "it has a letter twice, or more than letters and digits"


def cube_turns(answer: str, entry: Entry) -> str | None:
    """Turns of a cube with blanks between them."""
    return None if _TURNS.fullmatch(answer.strip()) else "it has more than turns"


def disk_moves(answer: str, entry: Entry) -> str | None:
    """A move on each line, in the form of the question."""
    lines = (line.strip() for line in answer.splitlines())
    moves = all(_DISK_MOVE.fullmatch(line) for line in lines if line)
    return None if moves else "it has more than moves"


def coloring(answer: str, entry: Entry) -> str | None:
    """A color for each vertex, once, and for nothing else."""
    pairs = json.loads(answer, object_pairs_hook=list)
    named = sorted(name for name, _ in pairs)
    if named != sorted(map(str, entry["metadata"]["puzzle"]["vertices"])):
        return "it has other vertices, or one twice"
    plain = all(type(color) in (int, float) for _, color in pairs)
    return None if plain else "a color is no number"


def buttons(answer: str, entry: Entry) -> str | None:
    """Names of buttons with arrows, commas or blanks between them."""
    return None if _BUTTONS.fullmatch(answer.strip()) else "it has more than buttons"


def formula(answer: str, entry: Entry) -> str | None:
    """One formula of variables, connectives and brackets: it is made smaller to a variable."""
    text = "".join(answer.split())
    for _ in range(MOST_STEPS if len(text) <= MOST_FORMULA else 0):
        smaller = _SUBFORMULA.sub("P", text)
        if smaller == text:
            break
        text = smaller
    return None if _VARIABLE.fullmatch(text) else "it is more than a formula"


def legal_drive(answer: str, entry: Entry) -> str | None:
    """Moves of cars, each of which the board allows to its full length."""
    from reasoning_gym.games.rush_hour import Board

    if not _DRIVE.fullmatch(answer.strip()):
        return "it has more than moves"
    board = Board(entry["metadata"]["board_config"])
    steps = [
        (car, 1 if sign == "+" else -1)
        for car, sign, count in _STEP.findall(answer)
        for _ in range(int(count))
    ]
    if len(steps) > MOST_STEPS:
        return "it has too many moves"
    for car, step in steps:
        before = str(board)
        board.move(car, step)
        if str(board) == before:
            return f"the board does not allow {car}{step:+d}"
    return None


def legal_plan(answer: str, entry: Entry) -> str | None:
    """Moves of boxes, each of which changes where the boxes are."""
    from reasoning_gym.games.boxnet import action_from_response

    state = entry["metadata"]["initial_state"]
    plan = json.loads(answer)
    if not isinstance(plan, list) or not all(isinstance(step, dict) for step in plan):
        return "it is no list of steps"
    actions = [(agent, action) for step in plan for agent, action in step.items()]
    if len(actions) > MOST_STEPS:
        return "it has too many moves"
    for agent, action in actions:
        after = action_from_response(state, [{agent: action}])
        if after == state:
            return "a move is not allowed"
        state = after
    return None
