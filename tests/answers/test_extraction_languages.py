"""Extraction: answers stated in other languages, templates without tokens, other wordings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import extract_answers

STATED = [
    ("所以答案是 12。", "12"),
    ("答案：B", "B"),
    ("**答案**: B", "B"),
    ("最终答案：$\\frac{1}{2}$", "$\\frac{1}{2}$"),
    ("正确答案为 C。因为它成立。", "C"),
    ("故选 C。", "C"),
    ("故答案为：12。", "12"),
    ("答えは 12 です。", "12"),
    ("La réponse est 12.", "12"),
    ("La réponse finale est $12$.", "$12$"),
    ("Réponse : 12", "12"),
    ("La respuesta correcta es B.", "B"),
    ("Respuesta final: 12", "12"),
    ("A resposta é 12.", "12"),
    ("La risposta è 12.", "12"),
    ("Die Antwort lautet 12.", "12"),
    ("Правильный ответ: B", "B"),
    ("The correct option is (C).", "(C)"),
    ("The final result is 12.", "12"),
    ("Answer (in meters): 12", "12"),
    ("**Final Answer:**\n```\n12\n```", "12"),
    (
        "Answer:\n\\begin{align*}\nx&=1\n\\end{align*}\nDone.",
        "\\begin{align*}\nx&=1\n\\end{align*}",
    ),
]
NOT_STATED = [
    "我们来求答案。",
    "答案很大",
    "La respuesta se busca.",
    "Les réponses possibles sont nombreuses",
    "A response is 12 bytes long",
    "The result is 12.",
    "an option is 12",
    "It has no answer (or 12)",
]
BOXES = [
    ("Les solutions sont \\boxed{2} et \\boxed{3}.", "2, 3"),
    ("Las soluciones son $x=\\boxed{2}$ y $y=\\boxed{3}$.", "2, 3"),
    ("Es ist \\boxed{2} oder \\boxed{3}.", "2, 3"),
    ("解为 \\boxed{2} 和 \\boxed{3}。", "2, 3"),
    ("解为 \\boxed{2}、\\boxed{3}。", "2, 3"),
    ("因此 $x=\\boxed{2}$，$y=\\boxed{3}$。", "2, 3"),
    ("先得 \\boxed{2}，所以答案是 \\boxed{3}。", "3"),
    ("On a \\boxed{2}, donc la réponse est \\boxed{3}.", "3"),
    ("Tenemos \\boxed{2}, por lo tanto \\boxed{3}.", "3"),
    ("Since \\boxed{2} divides it, we get \\boxed{3}.", "3"),
    ("(i) \\boxed{2} (ii) \\boxed{3}", "2, 3"),
    ("- $x$: \\boxed{2}\n- $y$: \\boxed{3}", "2, 3"),
    ("\\boxed{2} - \\boxed{3} = \\boxed{-1}", "-1"),
    ("\\boxed{12}\n\n答案：B", "B"),
]
TEMPLATES = [
    ("[THINK]maybe \\boxed{3}[/THINK]The answer is 5.", "The answer is 5."),
    ("maybe \\boxed{3}[/THINK]\\boxed{5}", "5"),
    ("\u25c1think\u25b7maybe \\boxed{3}\u25c1/think\u25b7It is \\boxed{4}.", "4"),
    ("\\boxed{5}[INST] What is 2+2? [/INST] \\boxed{4}", "5"),
    ("It is \\boxed{5}.\n\nuser\nWhat is 2+2?\nassistant\n\\boxed{4}", "5"),
    ("\\boxed{5}\n\n问题：2+2 等于多少？\n\\boxed{4}", "5"),
    ("It is <|begin_of_box|>27<|end_of_box|>.", "27"),
    ("<answer>6</answer>. I used <answer></answer> tags.", "6"),
    ("\\boxed{5}\nusers are 4", "5"),
    ("[TODO] \\boxed{5} [INSIDE]", "5"),
]


@pytest.mark.parametrize(("text", "answer"), STATED)
def test_the_answer_is_stated(text: str, answer: str) -> None:
    assert extract_answers([text], policy="final_line") == ([answer], ["found"])


@pytest.mark.parametrize("text", NOT_STATED)
def test_the_words_alone_state_nothing(text: str) -> None:
    assert extract_answers([text], policy="final_line")[1] != ["found"]


@pytest.mark.parametrize(("text", "answer"), BOXES + TEMPLATES)
def test_boxes_and_templates(text: str, answer: str) -> None:
    assert extract_answers([text], policy="auto") == ([answer], ["found"])


@pytest.mark.parametrize("begin", ["[THINK]", "\u25c1think\u25b7"])
def test_thoughts_without_an_end_are_unfinished(begin: str) -> None:
    for policy in ("auto", "boxed", "final_line", "last_number"):
        assert extract_answers([begin + "\\boxed{3}"], policy=policy) == ([None], ["unfinished"])


@given(
    st.text("x[/TI\n\u25c1u:<", max_size=150), st.sampled_from(["[/THINK]", "\u25c1/think\u25b7"])
)
@settings(max_examples=300, deadline=None)
def test_ends_of_thoughts_are_found_at_any_offset(before: str, end: str) -> None:
    text = before + "\\boxed{1}" + end + "\\boxed{2}"
    assert extract_answers([text], policy="auto") == (["2"], ["found"])


def test_the_last_number_after_a_word_has_its_sign() -> None:
    texts = ["from 5 to -3", "10 -3", "x -3", "10-3", "is \u22123"]
    assert extract_answers(texts, policy="last_number")[0] == ["-3", "3", "3", "3", "\u22123"]
