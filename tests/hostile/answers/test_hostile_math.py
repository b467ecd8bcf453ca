"""Math-Verify turns text into expressions by grammars of its own; no text of an answer is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from rlvr_fast.tasks.schemes.math.verifier import MathVerifier
from rlvr_fast.tasks.schemes.numeric import NumericVerifier

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
    answer = form.format(WORD)
    for gold in ("5", r"\{1,2\}", "x=1", rf"\text{{{WORD}}}"):
        compiled.clear()
        for verifier in (MathVerifier(), NumericVerifier()):
            assert verifier.verify("p", gold, {}, answer) in ("correct", "incorrect", "unparsed")
        assert not any(WORD in text for text in compiled)
