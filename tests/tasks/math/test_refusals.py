"""Answers that are close to the gold in writing and say something else."""

import pytest

from rlvr_fast.tasks.schemes.math.evaluation.outcomes import Budget, shared_budget, sharing
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


DIFFERENT = [
    # names inside lists
    ("x=1, y=2", "x=1, x=2"),
    ("x=1, x=2", "x=1, y=2"),
    ("x=2,3", "a=2, b=3"),
    ("f(x)=x, f(x)=-x", "f(x)=x, f(5)=-x"),
    ("f(x)=x, f(x)=-x", "f(x)=x, g(x)=-x"),
    # the variable of a derivative
    (r"\frac{dy}{dt}", r"\frac{dy}{dx}"),
    (r"\frac{dy}{dx}=y+1", r"\frac{dy}{dt}=y+1"),
    (r"\frac{d}{dx} f", r"\frac{d}{dy} f"),
    (r"\frac{d^2y}{dx^2}+y=0", r"\frac{d^2y}{dt^2}+y=0"),
    ("dx/dt = kx-a", "dx/dy = kx-a"),
    ("f^{(n)}", "f^n"),
    # limits and steps
    (r"\lim_{x\to\infty} f(x)", r"\lim_{x\to-\infty} f(x)"),
    (r"\lfloor x \rfloor+1", r"\lceil x \rceil"),
    (r"\lfloor \frac{2n}{3} \rfloor+1", r"\lfloor \frac{2.000002n}{3} \rfloor+1"),
    (r"\lceil n/2 \rceil", r"\lfloor n/2 \rfloor+1"),
    # complex names, indeterminate values
    ("|z|^2", "z^2"),
    ("1", r"\infty^0"),
    # sets and intervals
    (r"\{x\}", "x"),
    (r"\{1,2\}", r"\{1\},\{2\}"),
    ("1,1,2", "1,2,2"),
    ("1,1,2", "1,2"),
    ("(1,1), (3,2)", "(1,1], (3,2)"),
    ("all real numbers", "some real numbers"),
    # words that change a number
    ("5", "5 doubled"),
    ("5", "5 inverted"),
    ("5", "5 nonillion"),
    ("5", "5 milliard"),
    ("5", "5 zillion"),
    ("5", "5 orders of magnitude"),
    ("5", "5 unlikely"),
    ("5", "5 never"),
    ("5", "5 tops"),
    ("5", "5K"),
    ("5", "5M"),
    ("5", "nearly 5"),
    ("5", "almost 5"),
    ("5", "just under 5"),
    ("5", "~~5~~"),
    # what is said of an answer
    ("5", "twice the answer is 5"),
    ("5", "the square of the answer is 5"),
    ("5", "the negative of the answer is 5"),
    ("5", "one plus the answer is 5"),
    ("5", "half the answer is 5"),
    ("5", "The answer squared is 5"),
    ("5", "an upper bound for the answer is 5"),
    ("5", "John's answer is 5"),
    ("5", "5 assuming the answer is 5"),
    ("5", "Some say the answer is 5"),
    ("1/2", "1 - the answer = 1/2"),
    # choices
    ("A", "(A) is incorrect"),
    ("A", "A. Wait, actually B"),
    ("A", "A. incorrect"),
    ("I and II", "I or II"),
    ("red, blue", "red or blue"),
]

EQUAL = [
    ("x=1,2", "x_1=1, x_2=2"),
    ("x=1, x=2", "x=2, x=1"),
    (r"y'=y+1", r"\frac{dy}{dx}=y+1"),
    (r"\frac{dx}{dt}=kx-a", "x'=kx-a"),
    (r"y''+y=0", r"\frac{d^2y}{dt^2}=-y"),
    (r"\frac{d^2y}{dt^2}+y=0", r"\frac{d^2y}{dt^2}=-y"),
    (r"\lim_{x\to\infty} f(x)", r"\lim_{t\to\infty} f(t)"),
    (r"\lceil n/2 \rceil", r"\lfloor (n+1)/2 \rfloor"),
    (r"\lfloor x+1 \rfloor", r"\lfloor x \rfloor+1"),
    (r"\lfloor x \rfloor", r"-\lceil -x \rceil"),
    ("|z|^2", r"z\bar{z}"),
    ("|x|^2", "x^2"),
    (r"\{1\}", "1"),
    ("1,1,2", "2,1,1"),
    ("(1,1)", "(1, 1)"),
    ("300 K", "300K"),
    ("nearly 5", "almost 5"),
    ("5", "5 pairs"),
    ("42", "First compute 6*7. The answer is 42."),
    ("73", "So 489 - 73 = 416 and hence the answer is 73"),
    ("42", "We multiply, so the answer is 42"),
    ("A", "(A) is correct"),
    ("1, 2", "x=1 or x=2"),
]


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_what_says_something_else_is_refused(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_what_says_the_same_is_accepted(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize("end", [r"\end{", r"\endp{matrix}", r"\end", r"\endpmatrix}", ""])
def test_an_environment_without_its_end_is_no_error(end: str) -> None:
    text = r"\begin{pmatrix} 1 \\ 2 " + end
    assert not agrees(r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", text)


def test_all_parts_of_an_answer_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = 0
    spend = Budget.spend

    def counted(self: Budget, nodes: int = 1) -> None:
        nonlocal spent
        spent += nodes
        spend(self, nodes)

    monkeypatch.setattr(Budget, "spend", counted)
    golds = ", ".join(rf"\int_0^1 x^x dx+{number}" for number in range(12))
    answers = ", ".join(rf"\int_0^1 x^x dx+{number}+10^{{-30}}" for number in range(12))
    assert not agrees(golds, answers)
    # Each of 144 pairs takes 40,000; every comparison may go one step beyond the budget.
    assert spent < 2 * Budget().nodes
    with sharing():
        assert shared_budget() is shared_budget()
    assert shared_budget() is not shared_budget()
