from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task
from rlvr_fast.tasks.schemes.math.verifier import MathVerifier

SHARED = Path(os.environ.get("RLVR_SHARED", Path(__file__).parents[2] / ".." / "shared"))
needs_benchmarks = pytest.mark.skipif(
    not (SHARED / "benchmarks").is_dir(), reason=f"benchmark files are not at {SHARED}"
)


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@needs_benchmarks
@pytest.mark.parametrize(
    ("name", "count", "fields", "gold"),
    [
        ("aime24", 30, "answer=answer&answer_space=1000&id=id&question=problem", "204"),
        ("amc23", 40, "answer=answer&id=id&question=problem", "27"),
        (
            "math500",
            500,
            "answer=answer&id=unique_id&question=problem",
            r"\left( 3, \frac{\pi}{2} \right)",
        ),
        ("minerva_math", 272, "answer=solution&id=idx&question=problem", "1.6"),
        ("olympiadbench", 675, "answer=final_answer&id=id&question=question", "2"),
        ("gsm8k", 1319, "answer=answer&id=idx&question=question", "18"),
    ],
)
def test_benchmark_files_load_as_they_are(name, count, fields, gold):
    task = load_task(f"math:{SHARED}/benchmarks/{name}.jsonl")
    problems = task.problems()
    assert len(problems) == len({p.problem_id for p in problems}) == count
    assert problems[0].gold == gold
    assert all(p.gold and p.gold.strip() and "####" not in p.gold for p in problems)
    assert f"?{fields}&sha256=" in task.spec
    assert load_task(task.spec).problems() == problems


@needs_benchmarks
@pytest.mark.slow
def test_every_benchmark_gold_is_correct_by_itself():
    verifier = MathVerifier()
    failures = []
    for name in ("aime24", "amc23", "math500", "minerva_math"):
        for p in load_task(f"math:{SHARED}/benchmarks/{name}.jsonl").problems():
            if verifier.verify(p.problem_id, p.gold, p.metadata, p.gold) != "correct":
                failures.append((p.problem_id, p.gold))
    assert failures == []


def test_parquet_and_jsonl_give_the_same_problems(tmp_path):
    rows = [{"id": i, "question": f"{i} + 1?", "answer": str(i + 1)} for i in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    jsonl(tmp_path / "p.jsonl", rows)
    first = load_task(f"math:{tmp_path}/p.parquet").problems()
    assert first == load_task(f"math:{tmp_path}/p.jsonl").problems()
    assert [p.problem_id for p in first] == ["p/0", "p/1", "p/2"]


def test_a_file_that_changed_is_noticed(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", [{"question": "1 + 1?", "answer": 2}])
    spec = load_task(f"math:{path}").spec
    jsonl(path, [{"question": "1 + 1?", "answer": 3}])
    with pytest.raises(InvalidInputError, match="the file has changed"):
        load_task(spec)


GOOD = {"id": 1, "question": "1 + 1?", "answer": "2"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([GOOD, {"id": 2, "question": "?", "answer": None}], "row 2: missing gold answer"),
        ([GOOD, {"id": 2, "question": "?", "answer": "  "}], "row 2: missing gold answer"),
        (
            [GOOD, {"id": 2, "question": "?"}],
            "row 2: missing gold answer: no field 'answer'; the row has: id, question",
        ),
        ([GOOD, {"id": ["2"], "question": "?", "answer": 1}], r"row 2: field 'id' .*got \['2'\]"),
        ([GOOD, {"id": "", "question": "?", "answer": 1}], r"row 2: field 'id' .*\?id=FIELD"),
        ([GOOD, {"question": "?", "answer": 1}], "row 2: field 'id' .*got no such field"),
        ([GOOD, {"id": 2, "question": "?", "answer": "7" * 70_000}], "row 2: .*has 70,000 bytes"),
        ([GOOD, {"id": 2, "question": "\ud800", "answer": "7"}], r"row 2: .*'question'.*\\ud800"),
        ([GOOD, {"id": 2, "question": "?", "answer": []}], "row 2: .*empty list"),
        ([GOOD, {"id": 2, "question": "?", "answer": r"\boxed{1"}], "row 2: .*unbalanced"),
        ([GOOD, {"id": 1, "question": "?", "answer": 3}], "row 2: id '1' stands in row 1 too"),
        ([GOOD, {"id": 2, "question": "", "answer": 3}], "row 2: .*the question as text"),
        ([GOOD, ["not", "an", "object"]], "row 2: expected a JSON object, got a list; write each"),
        ([{"text": "?", "answer": 1}], "no field looks like the question.*text, answer"),
        ([], "holds no rows"),
    ],
)
def test_bad_rows_are_named(tmp_path, rows, said):
    path = jsonl(tmp_path / "bad.jsonl", rows)
    with pytest.raises(InvalidInputError, match=f"bad.jsonl.*{said}"):
        load_task(f"math:{path}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'{"question": "a", "answer": "1"}\n{"question": "\xff", "answer": "1"}\n',
            "row 2: not UTF-8",
        ),
        (
            b'{"question": "a", "answer": "1"}\n{"question": \n',
            "row 2: expected one JSON object a line, got",
        ),
    ],
)
def test_bad_bytes_are_named(tmp_path, content, said):
    (tmp_path / "bad.jsonl").write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        load_task(f"math:{tmp_path}/bad.jsonl")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("question=prompt", "no such field; they have: id, question, answer"),
        ("anser=answer", "Did you mean 'answer'"),
        ("answer_space=0", "positive integer"),
    ],
)
def test_bad_options_are_named(tmp_path, option, said):
    path = jsonl(tmp_path / "p.jsonl", [GOOD])
    with pytest.raises(InvalidInputError, match=said):
        load_task(f"math:{path}?{option}")


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(InvalidInputError, match="no such file"):
        load_task(f"math:{tmp_path}/none.jsonl")
    with pytest.raises(InvalidInputError, match="a folder; expected a JSONL"):
        load_task(f"math:{tmp_path}")
    (tmp_path / "p.txt").write_text("a,b\n")
    with pytest.raises(InvalidInputError, match=r"\.jsonl.*begins with b'a'"):
        load_task(f"math:{tmp_path}/p.txt")
    (tmp_path / "p.csv").write_text("a,b\n")
    with pytest.raises(InvalidInputError, match="holds no rows"):
        load_task(f"math:{tmp_path}/p.csv")
    (tmp_path / "p.parquet").write_bytes(b"PAR1 not parquet")
    with pytest.raises(InvalidInputError, match="not a readable Parquet file"):
        load_task(f"math:{tmp_path}/p.parquet")


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("1,3,5", "5, 1, 3", "correct"),
        ("1,3,5", "1", "incorrect"),
        ("1,3,5", "1, 3", "incorrect"),
        ("1,3,5", "1, 3, 5, 7", "incorrect"),
        ("1,3,5", "1, 1, 3, 5", "incorrect"),  # no set: repetition counts
        ("$69$,$84$", "84 and 69", "correct"),
        ("$(1,8,19), (2,7,13), (4,5,7)$", "(4,5,7), (1,8,19), (2,7,13)", "correct"),
        ("$(1,8,19), (2,7,13), (4,5,7)$", "(1,8,19)", "incorrect"),
        ("$f(x)=x$,$f(x)=2-x$", "f(x)=2-x, f(x)=x", "correct"),
        ("$f(x)=x$,$f(x)=2-x$", "f(x)=x", "incorrect"),
    ],
)
def test_a_gold_of_several_answers_asks_for_all_of_them(gold, answer, expected):
    assert MathVerifier().verify("p", gold, {"multiple_answers": True}, answer) == expected


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("5", "x = 5", "correct"),
        (r"\frac{1}{2}", "0.5", "correct"),
        ("100000", "1e5", "correct"),
        ("16", "sixteen", "correct"),
        ("16", "", "unparsed"),
        ("5", r"The answer is $5$", "correct"),
        ("5", r"\boxed{5}", "correct"),
    ],
)
def test_single_golds(gold, answer, expected):
    assert MathVerifier().verify("p", gold, {}, answer) == expected


def test_tolerance_of_the_file_is_honoured():
    assert MathVerifier().verify("p", "10", {"tolerance": "1e-1"}, "10.05") == "correct"
    assert MathVerifier().verify("p", "10", {"tolerance": "1e-1"}, "10.2") == "incorrect"


# -- what is no text -------------------------------------------------------------------------------

PARTS = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x.png"}},
                                      {"type": "text", "text": "What is shown?"}]}]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image": "data:image/png;base64,AAAA"}, "row 2: field 'image' holds a picture"),
        ({"images": [{"bytes": None, "path": "x.png"}]}, "field 'images' holds"),
        ({"image_3": "x.png"}, "field 'image_3'"),
        ({"Audio": {"array": [0.5]}}, "field 'Audio'"),
        ({"question": PARTS}, "the part 'image_url' of a message"),
        ({"image": "", "images": [], "image_1": None, "video": {"bytes": None}}, None),
        ({"imagery": "rich", "image": False}, None),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_questions_about_pictures_are_refused(tmp_path, fields, said, form):
    rows = [{"question": "1 + 1?", "answer": "2"}, {"question": "?", "answer": "3", **fields}]
    file = jsonl(tmp_path / "rows.jsonl", rows)
    if form == "parquet":
        if "question" in fields or "video" in fields:
            pytest.skip("a column has one type")
        file = tmp_path / "rows.parquet"
        pq.write_table(pa.Table.from_pylist([dict.fromkeys(fields) | row for row in rows]), file)
    if said is None:
        assert len(load_task(f"math:{file}").problems()) == 2
        return
    with pytest.raises(InvalidInputError, match=said):
        load_task(f"math:{file}")
