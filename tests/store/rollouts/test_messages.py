"""Messages and parts of content of any JSON are read or left out, and never an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.store.rollouts.messages import (
    content_text,
    is_assistant,
    is_chat,
    message_text,
    plain_messages,
    role_of,
)

KEYS = [
    *("type", "role", "from", "content", "value", "text", "thinking", "reasoning", "message"),
    *("reasoning_content", "reasoning_details", "summary", "redacted", "refusal", "prompt"),
]
WORDS = ["assistant", "reasoning", "thinking", "text", "message", "refusal", "<think>a</think>"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([*WORDS, "", None, True, 0, 1.5]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_read(value: Any) -> None:
    assert isinstance(content_text(value), str | None)
    if isinstance(value, dict):
        assert isinstance(message_text(value), str | None)
        assert isinstance(role_of(value), str | None)
        assert is_assistant(value) in (True, False)
    if isinstance(value, list) and is_chat(value):
        assert len(plain_messages(value)) == len(value)


@pytest.mark.parametrize("kind", [{}, [], {"a": []}, 3, None])
def test_a_part_of_no_known_type_is_text(kind: Any) -> None:
    assert content_text([{"type": kind, "text": "so 2"}]) == "so 2"
