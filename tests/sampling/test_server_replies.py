"""Replies of a server, read and checked, and the waits between tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.errors import EngineError, InvalidInputError, RlvrError
from rlvr_fast.sampling.engines.server import retrying
from rlvr_fast.sampling.engines.server.replies import (
    MalformedReply,
    error_text,
    read_models,
    read_reply,
)


def test_waits_grow_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(retrying, "FIRST_SECONDS", 0.5)
    monkeypatch.setattr(retrying, "MOST_SECONDS", 60.0)
    assert [retrying.backoff(n, 1.0) for n in (1, 2, 3, 8, 9, 1000)] == [0.5, 1, 2, 60, 60, 60]
    assert retrying.backoff(5, 0.0) == 0
    assert 0 <= retrying.backoff(3) <= 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("", None), ("7", 7.0), ("0.5", 0.5), ("999999", 300.0), ("-3", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 10.0), ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:27:00 GMT", 300.0), ("Wed, 21 Oct 2015 07:28:00", 10.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None), ("soon", None), ("nan", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_retry_after(header, seconds):
    now = datetime(2015, 10, 21, 7, 27, 50, tzinfo=UTC)
    assert retrying.retry_after(header, now) == seconds


KEYS = """
choices index text message content reasoning token_ids logprobs finish_reason data id error detail
loc param usage token_logprobs type prompt_token_ids
""".split()  # noqa: SIM905 - a table of words
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)
CHOICE = st.fixed_dictionaries(
    {"finish_reason": VALUES | st.just("stop")},
    optional=dict.fromkeys(("index", "text", "message", "token_ids", "logprobs"), VALUES),
)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    st.binary(max_size=40)
    | VALUES.map(json.dumps).map(str.encode)
    | st.lists(CHOICE, max_size=2).map(lambda choices: json.dumps({"choices": choices}).encode())
)
def test_any_bytes_are_a_reply_or_malformed(data):
    message, name = error_text(data)
    assert isinstance(message, str)
    assert name is None or isinstance(name, str)
    for read in (read_models, partial(read_reply, most=2, max_tokens=4, logprobs=True)):
        try:
            read(data)
        except MalformedReply as error:
            said = str(error)
            assert len(said) < 400


def test_errors_are_errors_of_rlvr_fast():
    assert issubclass(EngineError, RlvrError)
    assert not issubclass(EngineError, InvalidInputError)
