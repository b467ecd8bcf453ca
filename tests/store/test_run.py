"""The run directory: stored rows, refused rows, missing draws, damage and repair."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError, RunDirectoryError, RunLockedError
from rlvr_fast.store import Run, differences, draw_seeds, repair, stage_schema, verify

SAMPLING = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16, "seed": 0, "stop": []}


def problem_table(count: int = 3) -> pa.Table:
    return pa.table(
        {
            "problem_id": [f"t/{i}" for i in range(count)],
            "task": ["t"] * count,
            "prompt": [f"{i}+{i}=" for i in range(count)],
            "prompt_token_ids": [[i, 1] for i in range(count)],
            "gold": pa.array([str(2 * i) for i in range(count)], pa.string()),
            "metadata": [json.dumps({"index": i}) for i in range(count)],
        }
    )


def make(path: Path, **changes) -> Run:
    options = {
        "model": {"name": "m", "revision": None},
        "engine": {"name": "transformers", "version": "1", "notes": []},
        "sampling": SAMPLING,
        "prompt_template": {"name": "plain", "sha256": "0" * 64},
        "tasks": [{"name": "t", "spec": "reasoning_gym:chain_sum"}],
        "problems": problem_table(),
    }
    return Run.create(path, **{**options, **changes})


def samples(keys: list[tuple[str, int]]) -> pa.Table:
    return pa.table(
        {
            "problem_id": [p for p, _ in keys],
            "sample_index": pa.array([i for _, i in keys], pa.int32()),
            "text": [f"{p} {i} é" for p, i in keys],
            "token_ids": pa.array([list(range(i)) for _, i in keys], pa.list_(pa.int32())),
            "finish_reason": ["stop"] * len(keys),
            "seed": pa.array([i for _, i in keys], pa.int64()),
        }
    )


def scores(keys: list[tuple[str, int]]) -> pa.Table:
    return pa.table(
        {
            "problem_id": [p for p, _ in keys],
            "sample_index": pa.array([i for _, i in keys], pa.int32()),
            "num_tokens": pa.array([1] * len(keys), pa.int32()),
            "logprob": [-1.0] * len(keys),
            "mean_entropy": [0.5] * len(keys),
        }
    )


def test_stored_rows_are_read_back(tmp_path):
    run = make(tmp_path / "run")
    table = samples([("t/0", 0), ("t/2", 5)])
    part = run.append("samples", table)
    assert part.name == "part-000000.parquet"
    again = Run.open(run.path)
    assert again.info == run.info
    schema = stage_schema("samples")
    names = table.column_names  # without what came with imported rollouts
    assert again.read("samples").schema == pa.schema([schema.field(name) for name in names])
    assert again.read("samples").to_pylist() == table.to_pylist()
    assert again.problems().to_pylist() == problem_table().to_pylist()
    assert again.read("samples", ["text"]).column_names == ["text"]
    assert run.append("samples", samples([("t/1", 0)])).name == "part-000001.parquet"
    assert again.read("samples")["problem_id"].to_pylist() == ["t/0", "t/2", "t/1"]


def test_a_stage_without_parts_is_an_empty_table(tmp_path):
    run = make(tmp_path / "run")
    for stage in ("samples", "answers", "scores/base"):
        assert run.read(stage).num_rows == 0
        assert run.read(stage).schema.names == stage_schema(stage).names
    assert run.read_table("grades.parquet") is None
    assert run.read_json("grading.json") is None


def test_column_that_a_part_lacks_is_null_there(tmp_path):
    run = make(tmp_path / "run")
    run.append("scores/base", scores([("t/0", 0)]))
    extra = pa.array([[-1.0]], pa.list_(pa.float32()))
    run.append("scores/base", scores([("t/0", 1)]).append_column("token_logprobs", extra))
    assert run.read("scores/base")["token_logprobs"].to_pylist() == [None, [-1.0]]
    columns = ["sample_index", "token_logprobs"]
    assert run.read("scores/base", columns).column_names == columns


@pytest.mark.parametrize("stage", ["", "sample", "scores", "scores/", "scores/../x", "scores/a/b"])
def test_unknown_stages_are_refused(tmp_path, stage):
    with pytest.raises(InvalidInputError, match="stage"):
        make(tmp_path / "run").read(stage)


def test_no_draw_is_stored_twice(tmp_path):
    run = make(tmp_path / "run")
    run.append("samples", samples([("t/0", 0)]))
    with pytest.raises(InvalidInputError, match=r"'t/0', sample_index 0 is stored already"):
        run.append("samples", samples([("t/1", 0), ("t/0", 0)]))
    with pytest.raises(InvalidInputError, match="given twice"):
        run.append("samples", samples([("t/1", 0), ("t/1", 0)]))
    # Also where another process stored the first row.
    other = Run.open(run.path)
    other.append("samples", samples([("t/1", 1)]))
    with pytest.raises(InvalidInputError, match="stored already"):
        run.append("samples", samples([("t/1", 1)]))
    assert run.num_samples().tolist() == [1, 1, 0]


def test_tables_that_do_not_conform_are_refused(tmp_path):
    run = make(tmp_path / "run")
    good = samples([("t/0", 0)])
    null = pa.array([None], pa.string())
    cases = [
        (good.drop_columns(["seed"]), "'seed'"),
        (good.append_column("score", pa.array([1.0])), "unexpected column.*'score'"),
        (good.set_column(2, "text", pa.array([1])), "'text' is int64"),
        (good.set_column(2, "text", null), "'text' holds a null"),
        (good.set_column(1, "sample_index", pa.array([2**40])), "does not fit int32"),
        (good.set_column(1, "sample_index", pa.array([-1])), "got -1"),
        (good.set_column(0, "problem_id", pa.array(["t/9"])), "'t/9'.*not in problems"),
        (good.set_column(4, "finish_reason", pa.array(["eos"])), "'eos'.*stop, length"),
        (good.slice(0, 0), "no rows"),
    ]
    for table, message in cases:
        with pytest.raises(InvalidInputError, match=message):
            run.append("samples", table)
    assert not (run.path / "samples").exists()


def test_create_opens_the_same_run_and_refuses_another(tmp_path):
    run = make(tmp_path / "run")
    run.append("samples", samples([("t/0", 0)]))
    assert make(run.path).num_samples().tolist() == [1, 0, 0]
    prompts = problem_table().set_column(2, "prompt", pa.array(["0+0=", "x", "2+2="]))
    cases = [
        ({"model": {"name": "n", "revision": None}}, "model m at no revision and n"),
        ({"sampling": {**SAMPLING, "top_p": 1.0}}, r"sampling.top_p 0.95 and 1.0"),
        ({"sampling": {**SAMPLING, "seed": 1}}, "sampling.seed 0 and 1"),
        ({"prompt_template": {"name": "chat", "sha256": "1" * 64}}, "prompt template"),
        ({"problems": problem_table(2)}, "3 and 2 problems: problem 't/2'"),
        ({"problems": prompts}, "prompt of problem 't/1': '1.1=' and 'x'"),
    ]
    for change, message in cases:
        with pytest.raises(RunDirectoryError, match=message):
            make(run.path, **change)


def test_model_identified_by_its_weights_may_be_moved(tmp_path):
    weights = "sha256:" + "a" * 64
    run = make(tmp_path / "run", model={"name": "/there/model", "revision": weights})
    again = make(tmp_path / "run", model={"name": "/here/model", "revision": weights})
    assert again.missing(2) == run.missing(2)


ADAPTER = {"name": "grpo", "sha256": "a" * 64}


def test_an_adapter_is_part_of_the_model(tmp_path):
    plain = make(tmp_path / "plain")
    null = make(tmp_path / "null", model={"name": "m", "revision": None, "adapter": None})
    run = make(tmp_path / "run", model={"name": "m", "revision": None, "adapter": ADAPTER})
    assert Run.open(run.path).info.model["adapter"] == ADAPTER
    assert plain.missing(2) == null.missing(2)
    assert not {d.seed for d in plain.missing(9)} & {d.seed for d in run.missing(9)}
    renamed = {"name": "m", "revision": None, "adapter": {**ADAPTER, "name": "copy"}}
    assert make(run.path, model=renamed).missing(2) == run.missing(2)
    other = {"name": "m", "revision": None, "adapter": {**ADAPTER, "sha256": "b" * 64}}
    with pytest.raises(
        RunDirectoryError,
        match=r"the adapter grpo \(sha256 aaaaaaaaaaaa\) and m .* grpo \(sha256 bbbbbbbbbbbb\)",
    ):
        make(run.path, model=other)
    with pytest.raises(RunDirectoryError, match=r"the adapter grpo .* without an adapter"):
        make(run.path)
    assert differences(plain, run) == []  # two models that compare


@pytest.mark.parametrize(
    "adapter", ["grpo", {"name": "grpo"}, {"sha256": "a"}, {**ADAPTER, "name": 7}, [ADAPTER]]
)
def test_an_adapter_of_another_form_is_refused(tmp_path, adapter):
    run = make(tmp_path / "run")
    value = json.loads((run.path / "run.json").read_text())
    value["model"]["adapter"] = adapter
    (run.path / "run.json").write_text(json.dumps(value))
    with pytest.raises(RunDirectoryError, match="'model': 'adapter'"):
        Run.open(run.path)


def test_folder_that_holds_no_run_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match="no such run directory"):
        Run.open(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunDirectoryError, match="expected a folder"):
        make(tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(RunDirectoryError, match=r"not empty .thesis.tex"):
        make(tmp_path / "full")
    run = make(tmp_path / "run")
    (run.path / "run.json").write_text("{")
    with pytest.raises(RunDirectoryError, match=r"run.json: cannot be read as JSON"):
        Run.open(run.path)
    (run.path / "run.json").write_text('{"format": 99}')
    with pytest.raises(RunDirectoryError, match=r"expected format 1, got 99"):
        Run.open(run.path)


def test_names_stay_inside_the_run_directory(tmp_path):
    run = make(tmp_path / "run")
    for name in ("../x.json", "/tmp/x.json", ""):
        with pytest.raises(InvalidInputError, match="inside the run directory"):
            run.write_json(name, {})
    run.write_json("scores/base/scores.json", {"top_p": None})
    assert run.read_json("scores/base/scores.json") == {"top_p": None}
    assert Run.open(run.path).read("scores/base").num_rows == 0


def test_one_writer_at_a_time(tmp_path):
    run = make(tmp_path / "run")
    code = (
        "import sys; from rlvr_fast.store import Run\n"
        "with Run.open(sys.argv[1]).writing():\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunLockedError, match=f"process {holder.pid} is writing"):
            run.append("samples", samples([("t/0", 0)]))
        assert Run.open(run.path).read("samples").num_rows == 0  # reading needs no lock
        holder.kill()
    run.append("samples", samples([("t/0", 0)]))  # the kernel released the lock of the dead writer


def test_temporary_file_of_a_dead_writer_is_ignored_and_deleted(tmp_path):
    run = make(tmp_path / "run")
    run.append("samples", samples([("t/0", 0)]))
    left = run.path / "samples" / ".tmp-part-000001.parquet-1"
    left.write_bytes(b"PAR1 half")
    assert Run.open(run.path).read("samples").num_rows == 1
    run.append("samples", samples([("t/0", 1)]))
    assert not left.exists()


# -- missing ---------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    parts=st.lists(
        st.sets(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1), max_size=5
    ),
    wanted=st.integers(1, 12),
)
def test_missing_draws_are_those_not_stored(parts, wanted):
    with tempfile.TemporaryDirectory() as folder:
        run = make(Path(folder) / "run")
        held: set[tuple[str, int]] = set()
        for part in parts:
            keys = sorted({(f"t/{p}", i) for p, i in part} - held)
            if keys:
                (run if len(keys) % 2 else Run.open(run.path)).append("samples", samples(keys))
                held |= set(keys)
        every = [(f"t/{p}", i) for p in range(3) for i in range(wanted)]
        draws = run.missing(wanted)
        assert [(d.problem_id, d.sample_index) for d in draws] == [
            key for key in every if key not in held
        ]
        assert draws == Run.open(run.path).missing(wanted)


def test_seeds_depend_on_everything_that_determines_a_draw_and_nothing_else(tmp_path):
    base = make(tmp_path / "base")
    others = [
        make(tmp_path / "a", model={"name": "n", "revision": None}),
        make(tmp_path / "b", model={"name": "m", "revision": "1"}),
        make(tmp_path / "c", sampling={**SAMPLING, "temperature": 1.0}),
        make(tmp_path / "d", sampling={**SAMPLING, "seed": 7}),
    ]
    indices = np.arange(1000)
    seeds = [draw_seeds(run.info, "t/0", indices) for run in [base, *others]]
    seeds.append(draw_seeds(base.info, "t/1", indices))
    assert len(set(np.concatenate(seeds).tolist())) == 6000
    assert min(seed.min() for seed in seeds) >= 0
    # The seed of a draw depends neither on the other draws nor on their order.
    assert draw_seeds(base.info, "t/0", np.array([999, 5])).tolist() == [seeds[0][999], seeds[0][5]]
    same = make(tmp_path / "e", problems=problem_table(2))
    assert draw_seeds(same.info, "t/0", indices).tolist() == seeds[0].tolist()
    bits = (seeds[0][:, None] >> np.arange(63)) & 1
    assert abs(bits.mean(axis=0) - 0.5).max() < 0.08  # 5 sigma of 1000 coin flips


def test_a_golden_seed():
    """Seeds are part of the format: a run made by an older version must resume with the same."""
    with tempfile.TemporaryDirectory() as folder:
        info = make(Path(folder) / "run").info
    assert draw_seeds(info, "t/0", np.array([0, 1])).tolist() == GOLDEN


GOLDEN = [2669532599454362355, 5572670003652482870]


# -- damage ---------------------------------------------------------------------


def stored_run(path: Path) -> Run:
    run = make(path)
    run.append("samples", samples([("t/0", 0), ("t/1", 0)]))
    run.append("samples", samples([("t/0", 1), ("t/1", 1)]))
    run.append("scores/base", scores([("t/0", 0), ("t/0", 1)]))
    run.write_table("grades.parquet", stage_grades())
    return run


def stage_grades() -> pa.Table:
    return pa.table(
        {
            "problem_id": ["t/0"],
            "answer_id": pa.array([0], pa.int32()),
            "canonical": ["0"],
            "count": [2],
            "verdict": ["correct"],
            "grader": ["g"],
        }
    )


def errors(path: Path) -> list[str]:
    return [f"{f.path.name}: {f.message}" for f in verify(path) if f.level == "error"]


def test_undamaged_run_has_no_error(tmp_path):
    run = stored_run(tmp_path / "run")
    assert errors(run.path) == []
    run.request(3)
    assert [f.message for f in verify(run.path) if f.level == "warning"] == [
        "5 of the draws asked for are missing"
    ]


def test_truncated_part(tmp_path):
    run = stored_run(tmp_path / "run")
    part = run.path / "samples" / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(
        RunDirectoryError, match=r"part-000001.parquet: truncated.*doctor.*--repair"
    ):
        Run.open(run.path)
    assert len(errors(run.path)) == 2  # the part, and the score of a draw that is gone
    moved = repair(run.path)
    assert [m.relative_to(run.path).as_posix() for m in moved] == [
        "quarantine/samples/part-000001.parquet",
        "quarantine/scores/base/part-000000.parquet",
        "quarantine/grades.parquet",
    ]
    again = Run.open(run.path)
    assert errors(run.path) == []
    assert [(d.problem_id, d.sample_index) for d in again.missing(2)] == [
        ("t/0", 1),
        ("t/1", 1),
        ("t/2", 0),
        ("t/2", 1),
    ]
    assert again.read("scores/base")["sample_index"].to_pylist() == [0]


def test_flipped_bits_in_a_page(tmp_path):
    run = make(tmp_path / "run")
    run.append("samples", samples([("t/0", i) for i in range(200)]))
    part = run.path / "samples" / "part-000000.parquet"
    data = bytearray(part.read_bytes())
    data[len(data) // 3] ^= 0x10
    part.write_bytes(data)
    assert len(errors(run.path)) == 1
    with pytest.raises(RunDirectoryError, match="part-000000"):
        Run.open(run.path).read("samples")


def test_foreign_parts(tmp_path):
    run = stored_run(tmp_path / "run")
    (run.path / "samples" / "notes.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match=r"notes.txt: not a part"):
        Run.open(run.path)
    pq.write_table(pa.table({"x": [1]}), run.path / "samples" / "part-000007.parquet")
    stranger = make(tmp_path / "other", problems=problem_table(9))
    stranger.append("samples", samples([("t/8", 0)]))
    foreign = stranger.path / "samples/part-000000.parquet"
    foreign.replace(run.path / "samples/part-000008.parquet")
    assert len(errors(run.path)) == 3
    assert len(repair(run.path)) == 3 + 1  # and grades.parquet, whose counts include moved rows
    assert errors(run.path) == []
    assert Run.open(run.path).num_samples().tolist() == [2, 2, 0]


def test_part_with_repeated_keys(tmp_path):
    run = stored_run(tmp_path / "run")
    part = run.path / "samples" / "part-000000.parquet"
    both = pa.concat_tables([pq.read_table(part), samples([("t/2", 4)]).cast(pq.read_schema(part))])
    pq.write_table(both, run.path / "samples" / "part-000002.parquet")
    with pytest.raises(RunDirectoryError, match="once more"):
        Run.open(run.path).missing(2)
    assert errors(run.path) == ["part-000002.parquet: 2 row(s) that an earlier part or row has too"]
    repair(run.path)
    assert errors(run.path) == []
    assert Run.open(run.path).num_samples().tolist() == [2, 2, 1]  # the good row was kept


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    """RLIMIT_FSIZE stands for a full disk: the write fails half way with EFBIG."""
    run = make(tmp_path / "run")
    run.append("samples", samples([("t/0", 0)]))
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_run import samples
from rlvr_fast.store import Run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = Run.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    run.append("samples", samples([("t/1", i) for i in range(3000)]))
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("StorageError"), done
    assert "no room left" in done.stdout
    assert "part-000001.parquet" in done.stdout
    assert sorted(p.name for p in (run.path / "samples").iterdir()) == ["part-000000.parquet"]
    assert errors(run.path) == []
    run.append("samples", samples([("t/1", i) for i in range(3000)]))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 2000


# -- comparing ---------------------------------------------------------------------


def test_differences_between_the_runs_of_two_models(tmp_path):
    base = make(tmp_path / "base")
    rl = make(
        tmp_path / "rl",
        model={"name": "rl", "revision": None},
        engine={"name": "vllm", "version": "2", "notes": []},
        sampling={**SAMPLING, "seed": 5},
    )
    for run in (base, rl):
        run.write_json("grading.json", {"policy": "auto"})
    assert differences(base, rl) == []
    rl.write_json("grading.json", {"policy": "boxed"})
    other = make(
        tmp_path / "other",
        sampling={**SAMPLING, "temperature": 1.0},
        prompt_template={"name": "chat", "sha256": "1" * 64},
        tasks=[],
        problems=problem_table(2),
    )
    assert [d.kind for d in differences(base, rl)] == ["extraction"]
    kinds = [d.kind for d in differences(base, other)]
    assert kinds == ["sampling", "template", "tasks", "problems", "extraction"]
    assert "temperature 0.6 and 1.0" in str(differences(base, other)[0])
