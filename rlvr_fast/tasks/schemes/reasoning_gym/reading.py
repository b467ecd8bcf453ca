r"""Other ways to write an answer, which a dataset's verifier does not read.

Upstream most verifiers compare texts: `\boxed{500}`, `$500$`, `500.` and `500.0` are no 500, `yes`
is no Yes, and `3 \times 4` is no expression. `read_forms` gives the plain forms of an answer, by
the type of the gold answer: a number, a word that the question names, one token or a short line
with digits, a fraction, or an expression. A form has the value of what was written, so that no
wrong answer becomes right. Answers to other golds (sentences, grids, long lists, code) have no
other form: their signs and blanks are what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rlvr_fast.tasks.schemes.reasoning_gym.fixes import fixed
from rlvr_fast.tasks.schemes.reasoning_gym.plain_numbers import number

__all__ = ["EXPRESSIONS", "READING", "plain_expression", "read_forms", "undressed"]

# The version in the name of the grader: which forms are read decides verdicts.
READING = "forms 2"
MOST_READ = 4096  # characters
MOST_LAYERS = 8
# The datasets that ask for an expression; sympy reads the answer.
EXPRESSIONS = frozenset(
    (
        "countdown",
        "intermediate_integration",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
    )
)

_GOLD_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_GOLD_WORD = re.compile(r"[A-Z]?[a-z]{1,12}")
_GOLD_TOKEN = re.compile(r"[^\s\\$]*[^\s\\$.]|(?=.*[0-9])[^\n\\$]{1,40}(?<!\.)")
_GOLD_FRACTION = re.compile(r"\$?(?:\\d?frac\{[0-9]+\}\{[0-9]+\}|[0-9]+/[0-9]+)\$?")
# What stands around a text, and what the text may then not hold: `$1$ or $2$` has no such signs.
_WRAPPERS = tuple(
    (re.compile(rf"{begin}(.*){end}", re.DOTALL), sign)
    for begin, end, sign in (
        (r"\$\$", r"\$\$", "$"),
        (r"\$", r"\$", "$"),
        (r"\\\(", r"\\\)", "\\("),
        (r"\\\[", r"\\\]", "\\["),
        (r"\\(?:boxed|fbox|text|textbf|textrm|mathrm|mathbf|mathit)\s*\{", r"\}", ""),
        (r"\*\*", r"\*\*", "**"),
        ("`", "`", "`"),
        ('"', '"', '"'),
    )
)
_SPACES = re.compile(r"\\[,;:! ]|[\u00a0\u2009\u202f~]")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013", "-"),
        **dict.fromkeys("\u00d7\u22c5\u00b7\u2217", "*"),
        **dict.fromkeys("\u00f7\u2215\u2044", "/"),
    }
)
# Between numbers alone, where the question has no letters.
_TIMES = re.compile(r"(?<=[0-9)])\s?[xX]\s?(?=[0-9(])")
_BRACED = re.compile(r"\{\s?(\\(?:times|cdot|div))\s?\}")
_PRIMES = str.maketrans(dict.fromkeys("\u2019\u2032\u2018\u00b4", "'"))
_DEGREES = re.compile(r"\s?\^\s?(?:\\circ|\{\s?\\circ\s?\})")
_FRACTION = re.compile(r"\\[dt]?frac\s?(?:\{([^{}\\]*)\}\s?\{([^{}\\]*)\}|([0-9])\s?([0-9]))")
_PLAIN_FRACTION = re.compile(r"(-?)\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}")
_ROOT = re.compile(r"\\sqrt\s?\{([^{}\\]*)\}")
_POWER = re.compile(r"\^\s?\{([^{}\\]*)\}")
_FUNCTIONS = ("sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh", "log", "exp")
_COMMANDS = {
    "times": "*", "cdot": "*", "div": "/", "left": "", "right": "", "pi": "pi", "ln": "log",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", **{name: name for name in _FUNCTIONS},
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)\s?")
_FACTOR = re.compile(r"(?<![A-Za-z0-9_])((?:[0-9]+\.)?[0-9]+)\s?(?=[A-Za-z(])(?![eE][+-]?[0-9])")
_EULER = re.compile(r"\be(?=\s?\*\*)")
_LETTER = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z])\s(?=[A-Za-z(])")
_BETWEEN = re.compile(r"\)\s?(?=[A-Za-z0-9(])")


# Signs of logic in LaTeX and in plain text, the longer first.
_LOGIC = tuple(
    (re.compile(pattern), sign)
    for pattern, sign in (
        (r"\\(?:leftrightarrow|Leftrightarrow|iff)(?![A-Za-z])|<-+>|<=+>|\u21d4", "\u2194"),
        (r"\\(?:rightarrow|Rightarrow|to|implies)(?![A-Za-z])|-+>|=+>|\u21d2", "\u2192"),
        (r"\\(?:land|wedge)(?![A-Za-z])", "\u2227"),
        (r"\\(?:lor|vee)(?![A-Za-z])", "\u2228"),
        (r"\\(?:neg|lnot|sim)(?![A-Za-z])|[~\u223c]", "\u00ac"),
    )
)


def read_forms(dataset: str, answer: str, entry: Mapping[str, Any]) -> list[str]:
    r"""The plain forms of an answer, without the answer as it stands; often none.

    Args:
        dataset: the dataset that posed the problem.
        answer: the answer.
        entry: the problem, as the dataset generated it.

    Example:
        >>> read_forms("leg_counting", r"$\boxed{500}$.", {"answer": "500", "question": ""})
        ['500']
    """
    if len(answer) > MOST_READ:
        return []
    dataset = _source(dataset, entry)
    forms: list[str]
    if dataset == "propositional_logic":
        forms = [_formula(answer)]
    elif dataset == "rubiks_cube":
        forms = [undressed(answer.translate(_PRIMES)).removesuffix(".").rstrip()]
    elif dataset in EXPRESSIONS:
        text = plain_expression(answer, _result(dataset, entry))
        if dataset.endswith("integration") and entry["metadata"]["variable"] != "e":
            text = _EULER.sub("E", text)
        forms = [text]
    else:
        gold = entry.get("answer")
        forms = _forms(dataset, answer, gold, entry) if isinstance(gold, str) else []
    return [form for form in dict.fromkeys(forms) if form and form != answer]


def _forms(dataset: str, answer: str, gold: str, entry: Mapping[str, Any]) -> list[str]:
    text = undressed(answer)
    if _GOLD_NUMBER.fullmatch(gold):
        text = text.replace("{,}", ",").removesuffix(".")
        value = number(text, exponent=False)
        if value is None:
            return [_of_number(dataset, text)]
        return [gold if value == Decimal(gold) else text]
    if _GOLD_WORD.fullmatch(gold) and _names(str(entry.get("question", "")), gold):
        text = text.removesuffix(".").rstrip()
        return [gold if text.lower() == gold.lower() else text]
    text = _DEGREES.sub("\u00b0", text).removesuffix(".").rstrip()
    if _GOLD_FRACTION.fullmatch(gold):
        return [_plain_fraction(text)]
    return [text] if _GOLD_TOKEN.fullmatch(gold) else []


def _of_number(dataset: str, text: str) -> str:
    """A number in another notation: a fraction, a power of ten, or a probability in per cent."""
    if dataset == "power_function":
        return fixed(dataset, text)
    if dataset == "coin_flip" and text.endswith("%"):
        value = number(text.removesuffix("%").removesuffix("\\"), exponent=False)
        return text if value is None else format(value.scaleb(-2), "f")
    return _plain_fraction(text)


def _plain_fraction(text: str) -> str:
    found = _PLAIN_FRACTION.fullmatch(text)
    return text if found is None else f"{found[1]}{found[2]}/{found[3]}"


def _formula(text: str) -> str:
    """A formula of logic in the signs of the question."""
    for sign, plain in _LOGIC:
        text = sign.sub(plain, text)
    return undressed(text).removesuffix(".").rstrip()


def _names(question: str, word: str) -> bool:
    """Whether a question names a word, as one of the answers between which it asks to choose."""
    return re.search(rf"\b{word}\b", question, re.IGNORECASE) is not None


def undressed(text: str) -> str:
    r"""A text without the signs around it: boxes, dollars, fonts, emphasis, quotation marks.

    Example:
        >>> undressed(r"$\boxed{\text{Yes}}$."), undressed("$1$ or $2$")
        ('Yes.', '$1$ or $2$')
    """
    text = _SPACES.sub(" ", text.translate(_SIGNS)).strip()
    for _ in range(MOST_LAYERS):
        end = "." if text.endswith(".") else ""
        body = text[: len(text) - len(end)].rstrip()
        inner = next(
            (
                found[1]
                for form, sign in _WRAPPERS
                if (found := form.fullmatch(body)) and not (sign and sign in found[1])
            ),
            None,
        )
        if inner is None or not _balanced(inner):
            return text
        text = inner.strip() + ("" if inner.rstrip().endswith(".") else end)
    return text


def _balanced(inner: str) -> bool:
    """Whether braces belong together: there is no box around the whole of two boxes."""
    depth = 0
    for sign in inner:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0


def plain_expression(answer: str, result: str | None = None) -> str:
    r"""An expression in LaTeX or with signs of typography, as Python writes it.

    Args:
        answer: the expression.
        result: the number that an equation of the expression may have on its other side.

    Example:
        >>> plain_expression(r"\frac{12}{4} \times 2^{3} = 24", "24")
        '((12)/(4)) * 2**(3)'
    """
    text = undressed(answer)
    if text.endswith(".") and not text.endswith(".."):
        text = text[:-1].rstrip()
    if result is not None and text.count("=") == 1:
        left, right = (side.strip() for side in text.split("="))
        text = left if right == result else right if left in (result, "") else text
    if result is not None:
        text = _TIMES.sub("*", text)
    text = _BRACED.sub(r"\1", text)
    text = text.replace("{,}", ",")
    for _ in range(MOST_LAYERS):
        before = text
        text = _FRACTION.sub(_divided, text)
        text = _ROOT.sub(r"sqrt(\1)", text)
        text = _POWER.sub(r"**(\1)", text)
        text = _COMMAND.sub(lambda found: _COMMANDS.get(found[1], found[0]), text)
        if text == before:
            break
    text = text.replace("^", "**")
    text = _FACTOR.sub(r"\1*", text)
    text = _LETTER.sub(r"\1*", _BETWEEN.sub(")*", text))
    return re.sub(r"\s+", " ", text).strip()


def _divided(found: re.Match[str]) -> str:
    above, below = found[1] or found[3], found[2] or found[4]
    return f"(({above})/({below}))"


def _result(dataset: str, entry: Mapping[str, Any]) -> str | None:
    """The number that the question asks an expression to make."""
    if dataset == "puzzle24":
        return "24"
    return str(entry["metadata"]["target"]) if dataset == "countdown" else None


def _source(dataset: str, entry: Mapping[str, Any]) -> str:
    return entry["metadata"]["source_dataset"] if dataset == "composite" else dataset
