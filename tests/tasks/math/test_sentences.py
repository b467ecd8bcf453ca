"""Sentences around an answer: other languages, headings, notes below, last sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.parts.languages import stated_abroad
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer

AGREE = [
    ("12", "所以答案是 12。"), ("12", "答案：12"), ("B", "因此，正确答案是 B"),
    ("12", "答えは 12 です。"),
    ("12", "La réponse est 12 euros."), ("12", "La respuesta correcta es 12."),
    ("12", "Die Antwort lautet 12."), ("12", "Правильный ответ: 12"),
    (r"\frac{3}{4}", r"因此，答案是 $\frac{3}{4}$。"),
    ("12", "### Final Answer\n\n**12**"), ("72", "**Answer**\n$72$"),
    ("12", "12, not 13"), ("12", "The answer is 12, and not 13."),
    ("12", "The answer is 12.\n\nExplanation: 3*4 = 12"), ("12", "Answer: 12\nCheck: 12 > 11"),
    ("12", "We add 5 and 7. The sum is 12."), ("8", "He runs 3 km and then 5 km. In total, 8 km."),
    ("540", "James sprints 3*3=9 times. So he runs 9*60=540 meters."),
    ("C", "Option C is correct."), ("C", "So (C) is the correct answer."), ("C", "I choose C."),
    ("x^2+1", "Thus the polynomial is $x^2+1$."), ("(-2,1)", "The solution set is $(-2,1)$."),
]  # fmt: skip
DIFFER = [
    ("13", "所以答案是 12。"), ("12", "答案不是 12。"), ("12", "答案是大于 12。"),
    ("12", "答案是 12 或 13。"),
    ("12", "La réponse est plus de 12."), ("12", "La réponse est 12 ou 13."),
    ("12", "Die Antwort ist nicht 12."), ("12", "Die Antwort ist mindestens 12."),
    ("12", "Ответ: не 12"), ("12", "La respuesta es no 12."),
    ("13", "12, not 13"), ("13", "The answer is 12, and not 13."), ("12", "not 12, not 13"),
    ("5", "5, not counting 3"), ("12", "### Answer\n\n12 or 13"), ("12", "### Answer\n\n13"),
    ("11", "Answer: 12\nCheck: 12 > 11"), ("12", "The answer is 13.\n\nExplanation: 13-1 = 12"),
    ("5", "We add 5 and 7. The sum is 12."), ("12", "We add 5 and 7. The sum is not 12."),
    ("12", "I do not know. The sum is 12."), ("12", "The total is 12. Hence the total is 13."),
    ("9", "James sprints 3*3=9 times. So he runs 9*60=540 meters."),
    ("C", "Option C is wrong."), ("C", "I choose D."), ("C", "Option C or D is correct."),
    ("x^2+1", "Thus the polynomial is $x^2-1$."),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), AGREE)
def test_sentences_that_state_the_gold(gold: str, answer: str) -> None:
    assert one_answer(read_answer(gold), read_answer(answer))


@pytest.mark.parametrize(("gold", "answer"), DIFFER)
def test_sentences_that_do_not_state_the_gold(gold: str, answer: str) -> None:
    assert not one_answer(read_answer(gold), read_answer(answer))


@given(
    st.sampled_from(
        [
            "答案是 {}。",
            "La réponse est {}",
            "### Answer\n{}",
            "We add. The sum is {}.",
            "{}, not 7",
        ]
    ),
    st.integers(-50, 50),
    st.integers(-50, 50),
)
@settings(max_examples=200, deadline=None)
def test_a_sentence_states_one_number(sentence: str, gold: int, answer: int) -> None:
    stated = read_answer(sentence.format(answer))
    assert one_answer(read_answer(str(gold)), stated) == (gold == answer)


@given(st.text("答案是la réponse est12,. :", max_size=1500))
@settings(max_examples=100)
def test_any_text_is_read_in_little_time(text: str) -> None:
    stated = stated_abroad(text)
    assert stated is None or stated in text
