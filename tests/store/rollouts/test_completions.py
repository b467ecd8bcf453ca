"""Completions: several in one row, and their text from every form of message."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.completions import completion_texts, draws_per_row, is_several
from rlvr_fast.store.rollouts.messages import join_thinking


def assistant(text: str | None, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": text, **more}


USER = {"role": "user", "content": "What is 1+1?"}
CHOICES = [
    {"index": 0, "message": assistant("2"), "finish_reason": "stop"},
    {"index": 1, "message": assistant("3"), "finish_reason": "length"},
]


@pytest.mark.parametrize(
    ("value", "several"),
    [
        ("text", False),
        (7, False),
        (None, False),
        (assistant("2"), False),
        ([assistant("2")], False),
        ([USER, assistant("2")], False),
        ([assistant("2"), {"role": "tool", "content": "x"}, assistant("3")], False),
        ([{"from": "gpt", "value": "2"}], False),
        ([{"type": "text", "text": "2"}], False),
        ([{"type": "reasoning", "summary": []}, {"type": "message", "content": []}], False),
        (["2", "3"], True),
        (["2"], True),
        ([], True),
        ([None, "2"], True),
        (np.array(["2", "3"], dtype=object), True),
        ([[assistant("2")], [assistant("3")]], True),
        ([["2", "3"]], True),
        (CHOICES, True),
        ([{"generated_text": "2"}], True),
        ([{"text": "2", "token_ids": [1]}], True),
    ],
)
def test_several(value: object, several: bool) -> None:
    assert is_several(value) is several


STRUCT = pa.struct([("role", pa.string()), ("content", pa.string())])


@pytest.mark.parametrize(
    ("column", "counts", "texts"),
    [
        (["a", None, MISSING], None, ["a", None, None]),
        ([["a", "b"], "c", [], None], [2, 1, 0, 0], ["a", "b", "c"]),
        ([["a", None]], [2], ["a", None]),
        ([[["a", "b"]], [["c"], ["d"]]], [2, 2], ["a", "b", "c", "d"]),
        ([[[assistant("a")], [assistant("b")]]], [2], ["a", "b"]),
        ([CHOICES], [2], ["2", "3"]),
        (pa.array(["a", None]), None, ["a", None]),
        (pa.array([["a", "b"], [], None, ["c"]]), [2, 0, 0, 1], ["a", "b", "c"]),
        (pa.array([["x"], ["a", "b"], ["c"], ["y"]])[1:3], [2, 1], ["a", "b", "c"]),
        (pa.chunked_array([pa.array([["a"]]), pa.array([["b", "c"]])]), [1, 2], ["a", "b", "c"]),
        (pa.array([[["a", "b"], ["c"]], [], [["d"]]]), [3, 0, 1], ["a", "b", "c", "d"]),
        (pa.array([[assistant("a")]], pa.list_(STRUCT)), None, ["a"]),
        (
            pa.array([[[assistant("a")], [USER, assistant("b")]]], pa.list_(pa.list_(STRUCT))),
            [2],
            ["a", "b"],
        ),
        (pa.array([["a", "b"]], pa.list_(pa.string(), 2)), [2], ["a", "b"]),
        (pa.array([CHOICES]), [2], ["2", "3"]),
        (pa.nulls(2), None, [None, None]),
    ],
)
def test_draws_of_a_column(column, counts, texts) -> None:
    found, flat = draws_per_row(column)
    assert (None if found is None else found.tolist()) == counts
    assert completion_texts(flat).to_pylist() == texts


def test_a_column_of_one_draw_a_row_is_not_copied() -> None:
    column = pa.array(["a", "b"], pa.large_string())
    assert draws_per_row(column)[1] is column
    assert completion_texts(column).buffers()[2].address == column.buffers()[2].address


THOUGHT = "<think>\n1+1 is 2.\n</think>\n\nIt is 2."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("It is 2.", "It is 2."),
        ("", ""),
        (None, None),
        (MISSING, None),
        (float("nan"), None),
        (42, "42"),
        (1.5, "1.5"),
        (np.int64(42), "42"),
        (assistant("It is 2."), "It is 2."),
        (assistant(None), None),
        (assistant(""), ""),
        (assistant("It is 2.", reasoning_content="1+1 is 2."), THOUGHT),
        (assistant("\n\nIt is 2.", reasoning="1+1 is 2.\n"), THOUGHT),
        (assistant("It is 2.", reasoning_content=None, reasoning="1+1 is 2."), THOUGHT),
        (assistant("It is 2.", reasoning_content=" "), "It is 2."),
        (assistant(THOUGHT, reasoning_content="1+1 is 2."), THOUGHT),
        (assistant(None, reasoning_content="1+1 is"), "<think>\n1+1 is"),
        (assistant("", reasoning="1+1 is"), "<think>\n1+1 is"),
        (assistant("It is 2.", reasoning_details=[{"text": "1+1 is 2."}]), THOUGHT),
        ({"content": "It is 2."}, "It is 2."),
        ({"from": "gpt", "value": "It is 2."}, "It is 2."),
        ({"generated_text": "It is 2."}, "It is 2."),
        ({"index": 0, "message": assistant("It is 2.")}, "It is 2."),
        ({"index": 0, "text": "It is 2.", "token_ids": [1]}, "It is 2."),
        ({"generated_text": [USER, assistant("It is 2.")]}, "It is 2."),
        (USER, None),
        # inspect
        (
            assistant(
                [
                    {"type": "reasoning", "reasoning": "1+1 is 2."},
                    {"type": "text", "text": "It is 2."},
                ]
            ),
            THOUGHT,
        ),
        (
            [
                {"type": "reasoning", "reasoning": "x!", "redacted": True},
                {"type": "text", "text": "2"},
            ],
            "2",
        ),
        # Anthropic
        (
            [{"type": "thinking", "thinking": "1+1 is 2."}, {"type": "text", "text": "It is 2."}],
            THOUGHT,
        ),
        ([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}], "a\nb"),
        # OpenAI Responses
        (
            [
                {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "1+1 is 2."}]},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "It is 2.", "annotations": []}],
                },
            ],
            THOUGHT,
        ),
        (
            {
                "object": "response",
                "output": [
                    {
                        "type": "reasoning",
                        "summary": [{"type": "summary_text", "text": "1+1 is 2."}],
                    },
                    {
                        "type": "message",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "It is 2."}],
                    },
                ],
            },
            THOUGHT,
        ),
        ([{"type": "reasoning", "summary": []}], None),
        # chat lists
        ([assistant("It is 2.")], "It is 2."),
        ([USER, assistant("It is 2.", reasoning_content="1+1 is 2.")], THOUGHT),
        ([USER, assistant("5"), USER, assistant("It is 2.")], "It is 2."),
        (
            [
                USER,
                assistant("I compute.", tool_calls=[{"id": "1"}]),
                {"role": "tool", "content": "2"},
                assistant("It is 2."),
            ],
            "I compute.\n\nIt is 2.",
        ),
        (
            [
                {"type": "message", "role": "assistant", "content": [{"text": "I compute."}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "output": "2"},
                {"type": "message", "role": "assistant", "content": [{"text": "It is 2."}]},
            ],
            "I compute.\n\nIt is 2.",
        ),
        ([USER], None),
        ([USER, assistant("2"), USER], None),
        ([USER, assistant(None)], ""),
        ([{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}], "2"),
        (json.dumps(assistant("It is 2.")), "It is 2."),
        (json.dumps([USER, assistant("It is 2.")]), "It is 2."),
        ('[{"role": "assistant"', '[{"role": "assistant"'),
        ('{"answer": 2}', '{"answer": 2}'),
        ("[1, 2]", "[1, 2]"),
        ("a \ud800 b", "a \ufffd b"),
        ("a \ud83d\ude00 b", "a \U0001f600 b"),
    ],
)
def test_the_text_of_a_completion(value, text: str | None) -> None:
    assert completion_texts([value]).to_pylist() == [text]
    # In a column of other kinds of values.
    assert completion_texts(["x", assistant("y"), value]).to_pylist() == ["x", "y", text]


@pytest.mark.parametrize("value", [True, b"2", {"foo": 1}, [[1, 2]], [1, 2]])
def test_another_value_is_refused_with_its_row(value) -> None:
    with pytest.raises(InvalidInputError, match="row 2 of these rows: expected a completion"):
        completion_texts(["2", value])


ROWS = [
    [assistant("a")],
    [USER, assistant("b")],
    None,
    [assistant("c", reasoning_content="thought")],
]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["a", "a", None]).dictionary_encode(), ["a", "a", None]),
        (pa.array([b"a", b"\xc3\xa9"]), ["a", "\u00e9"]),
        (pa.array([42, None]), ["42", None]),
        (pa.array([[assistant("a")], [assistant(None)]]), ["a", None]),
        (pa.array([assistant("a"), None, assistant("b")]), ["a", None, "b"]),
        (pa.array([[USER], [assistant("a")]]), [None, "a"]),
        (pa.array(ROWS), ["a", "b", None, "<think>\nthought\n</think>\n\nc"]),
        (pa.array(ROWS[::-1])[1:], [None, "b", "a"]),
        (pa.chunked_array([pa.array(["a"]), pa.array(["b"])]), ["a", "b"]),
        (pa.array([json.dumps(assistant("a")), "b"]), ["a", "b"]),
    ],
)
def test_arrow_columns(column, texts) -> None:
    assert completion_texts(column).to_pylist() == texts


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InvalidInputError, match="bytes that are not UTF-8"):
        completion_texts(pa.array([b"\xff\xfe"]))


def test_thinking_in_a_column_of_its_own() -> None:
    texts = ["It is 2.", "It is 3.", None, THOUGHT]
    thoughts = ["1+1 is 2.", None, "1+1 is", "1+1 is 2."]
    expected = [THOUGHT, "It is 3.", "<think>\n1+1 is", THOUGHT]
    assert completion_texts(texts, thoughts).to_pylist() == expected
    assert completion_texts(pa.array(texts), pa.array(thoughts)).to_pylist() == expected
    assert completion_texts(texts, [MISSING] * 4).to_pylist() == texts
    assert completion_texts(texts, pa.nulls(4)).to_pylist() == texts


@pytest.mark.parametrize(
    ("thinking", "content", "joined"),
    [
        (None, "2", "2"),
        ("", None, None),
        ("t", "2", "<think>\nt\n</think>\n\n2"),
        ("<think>t</think>", "2", "<think>\nt\n</think>\n\n2"),
        ("t", "t\n</think>\n2", "t\n</think>\n2"),
        ("t", "<think>u", "<think>u"),
    ],
)
def test_joined_thinking(thinking, content, joined) -> None:
    assert join_thinking(thinking, content) == joined


def test_values_that_are_nested_too_deep_are_refused() -> None:
    value: object = "a"
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidInputError, match="nested too deep"):
        draws_per_row([value])
    message: object = "a"
    for _ in range(100_000):
        message = {"role": "assistant", "content": [message]}
    with pytest.raises(InvalidInputError, match="nested too deep"):
        completion_texts([message])
