from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task, load_tasks
from rlvr_fast.tasks.specs import TaskSpec, parse_spec

PLAIN = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def test_spec_does_not_depend_on_the_order_of_its_options():
    first = parse_spec("reasoning_gym:countdown?size=50&seed=7")
    second = parse_spec("reasoning_gym:countdown?seed=7&size=50")
    assert str(first) == str(second) == "reasoning_gym:countdown?seed=7&size=50"


@given(st.dictionaries(PLAIN.map(str.strip).filter(bool), PLAIN, max_size=4))
def test_spec_equals_the_parse_of_its_text(options):
    spec = TaskSpec("math", "dir/a b.jsonl", options)
    assert dict(parse_spec(str(spec)).options) == options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("countdown", "SCHEME:SOURCE"),
        (":x", "SCHEME:SOURCE"),
        ("math:", "SCHEME:SOURCE"),
        ("math:x?size", "not of the form key=value"),
        ("math:x?a=1&a=2", "'a' is given twice"),
    ],
)
def test_error_of_a_malformed_spec_names_the_mistake(text, said):
    with pytest.raises(InvalidInputError, match=said):
        parse_spec(text)


def test_unknown_scheme_names_the_known_ones():
    with pytest.raises(InvalidInputError, match=r"Did you mean 'math'.*reasoning_gym:\.\.\."):
        load_task("maths:problems.jsonl")


def test_tasks_of_one_name_get_numbers_and_keep_their_ids_apart():
    tasks = load_tasks([f"reasoning_gym:chain_sum?size=2&seed={seed}" for seed in (1, 2, 3)])
    assert [task.name for task in tasks] == ["chain_sum", "chain_sum-2", "chain_sum-3"]
    ids = [problem.problem_id for task in tasks for problem in task.problems()]
    assert len(set(ids)) == 6


def test_the_same_task_twice_is_refused_even_when_written_differently():
    with pytest.raises(InvalidInputError, match="given twice"):
        load_tasks(
            ["reasoning_gym:chain_sum?size=2&seed=1", "reasoning_gym:chain_sum?seed=1&size=2"]
        )


@pytest.mark.parametrize("specs", ["reasoning_gym:chain_sum", []])
def test_load_tasks_requires_a_list(specs):
    with pytest.raises(InvalidInputError):
        load_tasks(specs)
