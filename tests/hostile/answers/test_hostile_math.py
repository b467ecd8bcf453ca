"""The reader and Math-Verify have grammars of their own; no text of an answer is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from rlvr_fast.tasks.schemes.math.verifier import MathVerifier
from rlvr_fast.tasks.schemes.math_verify import MathVerifyVerifier

WORD = "zqzq"
FORMS = (
    "{}.__class__",
    "{}()",
    "open('{}')",
    r"\text{{{}()}}",
    r"\{{\text{{{}()}}, 1\}}",
    r"(\mathrm{{{}.a}}, 2)",
    r"\begin{{pmatrix}}\text{{{}()}}\\1\end{{pmatrix}}",
    r"x=\text{{{}()}}",
    r"\operatorname{{{}}}(3)",
    r"f(\text{{{}()}})",
    r"x_{{\text{{{}()}}}}",
    r"\max(\text{{{}}}, 1)",
    "1+2*{}()",
    "1 + 2 (3) {}",
    "__import__('{}')",
    "eval('{}()')",
    "lambda: {}()",
    "[{}() for _ in (1,)]",
    "{}.__class__.__mro__[1].__subclasses__()",
    "'{}'.format(1)",
    '"{}()"',
    "1;{}()",
    "1\n{}()",
    "$1$\n{}()",
    r"\boxed{{{}()}}",
    r"$\text{{{}()}}$",
    r"\({}()\)",
    r"\[{}()\]",
    r"\frac{{{}()}}{{2}}",
    r"\sqrt[{}()]{{2}}",
    r"\log_{{{}()}}{{2}}",
    r"\int_0^1 {}() dx",
    r"\sum_{{i={}()}}^{{5}} i",
    r"\lim_{{x\to {}()}} x",
    r"\binom{{{}()}}{{2}}",
    r"\begin{{cases}}{}()\end{{cases}}",
    r"\begin{{bmatrix}}{}()&1\\2&3\end{{bmatrix}}",
    r"\{{x \mid {}() > 0\}}",
    r"x \in \{{\text{{{}()}}\}}",
    r"(\text{{{}()}}, \infty)",
    r"[1, \text{{{}()}}] \cup (3, 4)",
    r"\text{{{}()}} = \text{{{}()}}",
    r"\text{{{}()}} < 5 < 6",
    r"5 \text{{ {}() }}",
    r"5\%\text{{{}()}}",
    r"\dot{{{}}}'(1)",
    r"{}()^{{{}()}}",
    r"{}()!",
    r"|{}()|",
    r"\lfloor {}() \rfloor",
    r"\prod_{{k=1}}^{{{}()}} k",
    r"\left({}()\right)",
    "`{}()`",
    "{{{{{}()}}}}",
    "1,000{}()",
)


@pytest.fixture(scope="module")
def compiled() -> Iterator[list[str]]:
    """The sources that are compiled while the tests run."""
    sources: list[str] = []
    watching = [True]

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "compile" and watching:
            sources.append(str(arguments[0]))

    sys.addaudithook(note)  # a hook cannot be taken away
    yield sources
    watching.clear()


@pytest.mark.parametrize("form", FORMS)
def test_no_text_of_an_answer_is_compiled(form, compiled):
    answer = form.replace("{}", WORD).replace("{{", "{").replace("}}", "}")
    for gold in ("5", r"\{1,2\}", "x=1", rf"\text{{{WORD}}}"):
        compiled.clear()
        for verifier in (MathVerifier(), MathVerifyVerifier()):
            assert verifier.verify("p", gold, {}, answer) in ("correct", "incorrect", "unparsed")
        assert not any(WORD in text for text in compiled)


def test_there_are_enough_hostile_answers():
    assert len(set(FORMS)) >= 40
