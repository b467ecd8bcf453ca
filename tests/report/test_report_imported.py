"""Reports on imported rollouts: other ids, imported verdicts, and what is not recorded."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from planted_runs import HOSTILE, TASKS, write_pair
from rollout_runs import imported_run

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report import (
    CompareOptions,
    build_report,
    compare_runs,
    training_dynamics,
    write_report,
)
from rlvr_fast.report.page import render_page
from rlvr_fast.store import Run, seal

GOLDS = {f"p{i}": str(i) for i in range(6)}


def rewards_only(path: Path, correct: Callable[[int, int], bool | None], **arguments) -> Run:
    """Completions without golds, answers, tokens and scores; 4 on each of 6 problems."""
    draws = {f"p{i}": [("words", correct(i, j)) for j in range(4)] for i in range(6)}
    run = imported_run(path, draws, **arguments)
    grade_run(run)
    return run


def rewarded_pair(folder: Path) -> tuple[Run, Run]:
    # p0 kept, p1 lost, p2 found, p3 to p5 reached by neither
    base = rewards_only(folder / "base", lambda i, j: i < 2 and j == 0)
    rl = rewards_only(folder / "rl", lambda i, j: i in (0, 2) and j < 3)
    return base, rl


def answered(path: Path, answers: dict[str, list[str]], **arguments) -> Run:
    draws = {
        name: [(f"\\boxed{{{answer}}}", None) for answer in given]
        for name, given in answers.items()
    }
    run = imported_run(path, draws, rule=None, **arguments)
    grade_run(run)
    return run


def test_rewards_alone_give_support_and_pass_at_k(tmp_path):
    report = write_report(compare_runs(*rewarded_pair(tmp_path)), tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    shift = summary["overall"]
    assert [shift[key] for key in ("preserved", "shrunk", "expanded", "out")] == [1, 1, 1, 3]
    assert summary["pass_at_k"]["base"]["1"] == pytest.approx(2 / 24)
    assert summary["pass_at_k"]["rl"] == pytest.approx({"1": 0.25, "2": 1 / 3, "4": 1 / 3})
    # Without answers nothing is claimed about them.
    for model in ("base", "rl"):
        row = summary["entropy"][model]
        assert row["answer"] is None
        assert row["answer_at_32"] is None
        assert row["mean_length"] is None
    assert report.tables["entropy"].rows[0]["distinct_answers"] is not None
    assert math.isnan(report.tables["entropy"].rows[0]["distinct_answers"])
    tilt = report.tables["reweighting"].rows[0]
    for key in ("before", "after", "noise", "new_mass", "new_correct_mass"):
        assert math.isnan(tilt[key])
    assert math.isfinite(tilt["beta"])
    unseen = report.tables["unseen"].rows[0]
    assert unseen["seen"] == 0
    assert math.isnan(unseen["richness"])
    assert report.tables["answers_seen"].rows[0]["answers"] == 0
    failures = report.tables["failures"].rows[0]
    assert math.isnan(failures["truncated"])
    page = (tmp_path / "out" / "index.html").read_text()
    warning = "The verdicts of both models came with the rollouts (imported: acc)"
    assert page.index(warning) < page.index("<h1>")
    assert "A completion of base that counts as correct; no answer was found in it." in page
    assert report.headline().startswith(warning)
    assert "kept 1, lost 1 and found 1" in report.headline()
    (recorded,) = [note for note in summary["notes"] if "Not recorded" in note]
    for word in ("base and RL", "temperature", "prompt template", "why a completion ended"):
        assert word in recorded
    assert any("On 6 of 6 problems no answer was found" in note for note in summary["notes"])


def test_one_answer_with_two_imported_verdicts_is_one_answer(tmp_path):
    draws = {"a": [(r"\boxed{1}", True), (r"\boxed{1}", False), (r"\boxed{2}", False), ("-", True)]}
    runs = []
    for name in ("base", "rl"):
        run = imported_run(tmp_path / name, draws)
        grade_run(run)
        runs.append(run)
    comparison = compare_runs(*runs)
    assert any("In 1 of base’s 4 completions no answer was found" in n for n in comparison.notes)
    side = comparison.base
    assert side.answer_entropy[0] == pytest.approx(-(0.5 * np.log(0.5) + 0.5 * np.log(0.25)))
    assert side.answers_known.all()
    assert side.accuracy[0] == 0.5


def test_draws_without_a_verdict_are_said_and_bounded(tmp_path):
    base = rewards_only(tmp_path / "base", lambda i, j: None if j == 0 else i == 0)
    rl = rewards_only(tmp_path / "rl", lambda i, j: i == 0)
    comparison = compare_runs(base, rl)
    assert any("6 of base’s completions came without a verdict" in n for n in comparison.notes)
    row = build_report(comparison).tables["failures"].rows[0]
    assert row["error"] == 0.25
    assert row["highest"] - row["lowest"] == pytest.approx(0.25)


BOXED = {name: [(rf"\boxed{{{i}}}", True)] for i, name in enumerate(GOLDS)}


@pytest.mark.parametrize(
    ("base_golds", "rl_rule", "rl_verdicts", "said", "warned"),
    [
        (
            True,
            "reward>=1",
            "imported",
            "base’s by imported: acc and RL’s by imported: reward>=1.*accept them: --allow ver",
            "both models came with the rollouts (base: imported: acc; RL: imported: reward>=1)",
        ),
        (
            True,
            "acc",
            "ours",
            "RL’s verdicts are ours. To take the verdicts of both files: rlvr-fast grade rl "
            "--verdicts imported --regrade",
            "base model came with its rollouts (imported: acc) and were not verified here",
        ),
        (
            True,
            None,
            "ours",
            "To verify both: rlvr-fast grade base --verdicts ours --regrade",
            "those of the RL model were made here",
        ),
        (
            False,
            None,
            "ours",
            "problems of base have no gold answers.*--out FOLDER --problems math:FILE",
            "those of the RL model were made here",
        ),
    ],
)
def test_graders_are_not_mixed_unless_allowed(
    tmp_path, base_golds, rl_rule, rl_verdicts, said, warned
):
    base = imported_run(tmp_path / "base", BOXED, golds=GOLDS if base_golds else None)
    grade_run(base, GradeOptions(verdicts="imported"))
    rl = imported_run(tmp_path / "rl", BOXED, golds=GOLDS, rule=rl_rule)
    grade_run(rl, GradeOptions(verdicts=rl_verdicts))
    with pytest.raises(InvalidInputError, match=f"(?s){said}.*allow .*--allow verifiers"):
        compare_runs(base, rl)
    comparison = compare_runs(base, rl, CompareOptions(allow=("verifiers",)))
    assert list(comparison.allowed) == ["verifiers"]
    (warning,) = comparison.warnings
    assert warned in warning


def test_the_command_that_verifies_both_sides_works(tmp_path):
    base = imported_run(tmp_path / "base", BOXED, golds=GOLDS)
    grade_run(base, GradeOptions(verdicts="imported"))
    rl = imported_run(tmp_path / "rl", BOXED, golds=GOLDS, rule=None)
    grade_run(rl)
    grade_run(base, GradeOptions(verdicts="ours", regrade=True))
    assert compare_runs(base, rl).allowed == {}


def test_answers_of_one_side_alone_are_neither_kept_nor_found(tmp_path):
    """Base has rewards without answers: whether RL's answers are new is not known."""
    base = rewards_only(tmp_path / "base", lambda i, j: i < 3)
    right = {name: [gold, gold, "77", gold] for name, gold in GOLDS.items()}
    rl = answered(tmp_path / "rl", right, golds=GOLDS)
    report = build_report(compare_runs(base, rl, CompareOptions(allow=("verifiers",))))
    for row in report.tables["problems"].rows:
        assert [row[f"answers_{word}"] for word in ("kept", "lost", "found")] == [None] * 3
    data = render_page(report).partition('id="data">')[2].partition("</script>")[0]
    for row in json.loads(data)["problems"]:
        assert row[8:11] == [None] * 3
        answers, _ = row[12]
        # What base answered is not known; RL's answers are its own.
        assert all(text is None for text, _, base, _ in answers if base)
    assert report.summary()["answers"]["expanded"] == 0
    # The right answer of RL itself is known.
    assert "RL answered" in render_page(report)


def test_problems_without_gold_are_left_out_on_both_sides(tmp_path):
    answers = {name: [gold, "77"] for name, gold in GOLDS.items()}
    base = answered(tmp_path / "base", answers, golds={n: GOLDS[n] for n in ("p0", "p1", "p2")})
    rl = answered(tmp_path / "rl", answers, golds={n: GOLDS[n] for n in ("p1", "p2", "p3")})
    comparison = compare_runs(base, rl)
    assert comparison.problems.ids == ("p1", "p2")
    assert comparison.problems.golds == ("1", "2")
    assert comparison.base.num_correct.tolist() == comparison.rl.num_correct.tolist() == [1, 1]
    assert comparison.notes[0] == (
        "4 of 6 problems are left out, as they have no gold answer to grade by (base: 3, RL: 3)."
    )
    page = render_page(build_report(comparison))
    assert page.index("4 of 6 problems are left out") < page.index("</header>")
    table = training_dynamics(base, {"step 1": rl, "step 2": base})
    assert "2 problems" in table.caption
    assert "4 without a gold answer are left out" in table.caption
    assert [row["preserved"] for row in table.rows] == [2, 2, 2]


def test_no_problem_with_gold_on_both_sides_is_an_error(tmp_path):
    answers = {name: [gold] for name, gold in GOLDS.items()}
    base = answered(tmp_path / "base", answers, golds={"p0": "0"})
    rl = answered(tmp_path / "rl", answers, golds={"p1": "1"})
    with pytest.raises(InvalidInputError, match=r"without: base: 5, RL: 5.*--problems math:FILE"):
        compare_runs(base, rl)


def test_settings_that_are_not_recorded_are_not_shown_as_values(tmp_path):
    known = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64}
    answers = {name: ["1"] for name in GOLDS}
    base = answered(tmp_path / "base", answers, golds=GOLDS, sampling=known)
    rl = answered(tmp_path / "rl", answers, golds=GOLDS)
    page = render_page(build_report(compare_runs(base, rl)))
    assert "temperature 1.0, top_p 1.0, max_tokens 64, seed not recorded" in page
    assert "temperature not recorded, top_p not recorded" in page
    assert "None," not in page


def test_log_probs_that_came_along_are_no_scores_of_the_models(tmp_path):
    """Log-probs of the sampler and of the trainer's reference stay under their own labels."""
    known = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64}
    answers = {name: [gold, "77"] for name, gold in GOLDS.items()}
    runs = []
    for name in ("base", "rl"):
        run = answered(tmp_path / name, answers, golds=GOLDS, sampling=known)
        draws = run.read("samples", ["problem_id", "sample_index"])
        for label in ("sampler", "reference"):
            scores = {"num_tokens": 3, "logprob": -1.5, "mean_entropy": math.nan}
            rows = [{**draw, **scores} for draw in draws.to_pylist()]
            run.append(f"scores/{label}", pa.Table.from_pylist(rows))
        seal(run)
        runs.append(run)
    report = build_report(compare_runs(*runs))
    page = render_page(report)
    assert 'id="perplexity"' not in page
    assert 'id="completions"' not in page
    assert "have no scores under the base model as they were sampled" in page
    assert "this was not done\nfor base and RL" in page
    assert all(math.isnan(row["token_entropy"]) for row in report.tables["entropy"].rows)


def test_two_files_with_one_rule_compare(tmp_path):
    assert compare_runs(*rewarded_pair(tmp_path)).allowed == {}


def test_problems_under_other_ids_are_compared_by_question(tmp_path):
    """Every measure of the RL run is read under its own ids."""
    names = list(GOLDS)
    prompts = {name: f"What is {name}?" for name in names}
    right = {name: [GOLDS[name], "77", GOLDS[name]] for name in names}
    base = answered(tmp_path / "base", {n: ["66", "66", "66"] for n in names}, golds=GOLDS)
    same = answered(tmp_path / "same", right, golds=GOLDS, prompts=prompts)
    renamed = {f"q-{5 - i}": name for i, name in reversed(list(enumerate(names)))}
    other = answered(
        tmp_path / "other",
        {new: right[old] for new, old in renamed.items()},
        golds={new: GOLDS[old] for new, old in renamed.items()},
        prompts={new: f"{prompts[old]}\nLet's think step by step." for new, old in renamed.items()},
    )
    comparison = compare_runs(base, other)
    assert comparison.problems.ids == tuple(names)
    assert comparison.problems.rl_ids == tuple(f"q-{5 - i}" for i in range(6))
    assert any("6 problems are under other ids" in note for note in comparison.notes)
    expected = compare_runs(base, same)
    np.testing.assert_array_equal(comparison.rl.num_correct, expected.rl.num_correct)
    np.testing.assert_array_equal(comparison.rl.answer_entropy, expected.rl.answer_entropy)
    assert comparison.shift.expanded == 6
    report = build_report(comparison)
    page = render_page(report)
    assert page.count("<summary>The completion</summary>") == 6  # RL's own draws were found
    assert report.tables["problems"].rows[0]["problem_id"] == "p0"
    table = training_dynamics(base, {"renamed": other, "same": same})
    first, second = table.rows[1:]
    assert {**first, "checkpoint": ""} == pytest.approx({**second, "checkpoint": ""}, nan_ok=True)


def test_a_gold_of_either_run_is_kept(tmp_path):
    base = rewards_only(tmp_path / "base", lambda i, j: True)
    rl = imported_run(tmp_path / "rl", {n: [("words", True)] * 4 for n in GOLDS}, golds=GOLDS)
    grade_run(rl, GradeOptions(verdicts="imported"))
    assert compare_runs(base, rl).problems.golds == tuple(GOLDS.values())


def test_one_side_without_sampling_parameters(tmp_path):
    known = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64}
    answers = {name: ["1"] for name in GOLDS}
    base = answered(tmp_path / "base", answers, golds=GOLDS, sampling=known)
    rl = answered(tmp_path / "rl", answers, golds=GOLDS)
    notes = [note for note in compare_runs(base, rl).notes if "Not recorded" in note]
    assert len(notes) == 2
    (note,) = [note for note in notes if "rollouts of RL," in note]
    assert "temperature, top_p, max_tokens" in note


def test_known_ends_of_completions_count(tmp_path):
    answers = {name: ["1"] for name in GOLDS}
    base = answered(tmp_path / "base", answers, golds=GOLDS, finish_reason="length")
    rl = answered(tmp_path / "rl", answers, golds=GOLDS)
    base_row, rl_row = build_report(compare_runs(base, rl)).tables["failures"].rows[:2]
    assert base_row["truncated"] == 1.0
    assert math.isnan(rl_row["truncated"])


def test_a_wholly_unparsed_comparison_is_no_finding(tmp_path):
    draws = {name: [("#### 1", None)] * 4 for name in GOLDS}
    runs = []
    for name in ("base", "rl"):
        run = imported_run(tmp_path / name, draws, golds=GOLDS, rule=None)
        grade_run(run)
        runs.append(run)
    report = build_report(compare_runs(*runs))
    headline = report.headline()
    assert "neither" not in headline
    assert "pass@1" not in headline
    assert "base: 24 of 24 completions have no answer" in headline
    assert f"rlvr-fast grade {runs[1].path.name} --policy final_line --regrade" in headline
    assert headline.endswith(
        "Nothing can be said about 6 problems: no answer was found and read in any completion of "
        "base or RL. The policy final_line finds answers. If they are the final ones, compare the "
        "same rollouts again with --policy final_line --regrade."
    )
    page = render_page(report)
    top = page[page.index("<header") : page.index("</header>")]
    assert "RLVR <span" not in top
    assert top.index("24 of 24 completions") < top.index("<h1>Nothing can be said")
    assert "reached by neither" not in top
    title, _, rest = top.partition("</h1>")
    assert title.endswith("completion of base or RL.")
    assert "compare the same rollouts again with --policy final_line --regrade" in rest
    assert len(report.summary()["warnings"]) == 2


def test_a_wholly_unparsed_pair_may_take_the_verdicts_of_its_files(tmp_path):
    draws = {name: [("word", True), ("other word", False)] for name in GOLDS}
    runs = []
    for name in ("base", "rl"):
        run = imported_run(tmp_path / name, draws, golds=GOLDS)
        grade_run(run)
        runs.append(run)
    headline = build_report(compare_runs(*runs)).headline()
    assert headline.endswith("compare the same rollouts again with --verdicts imported --regrade.")
    for run in runs:
        grade_run(run, GradeOptions(verdicts="imported", regrade=True))
    assert "kept 6" in build_report(compare_runs(*runs)).headline()


def test_one_unparsed_task_does_not_take_the_headline(tmp_path):
    tasks = {name: "hard" if name == "p5" else "easy" for name in GOLDS}
    draws = {n: [("no" if n == "p5" else rf"\boxed{{{g}}}", None)] * 4 for n, g in GOLDS.items()}
    runs = []
    for name in ("base", "rl"):
        run = imported_run(tmp_path / name, draws, golds=GOLDS, rule=None, tasks=tasks)
        grade_run(run)
        runs.append(run)
    report = build_report(compare_runs(*runs))
    assert "4 of 4 completions of task 'hard' have no answer" in report.headline()
    assert "RLVR kept 5" in report.headline()
    page = render_page(report)
    assert '<p class="heading" role="heading" aria-level="1">Nothing can be said about 1' in page


def test_a_run_graded_by_an_earlier_version_is_warned_about(tmp_path):
    draws = {name: [("no", None)] * 3 + [(r"\boxed{1}", None)] for name in GOLDS}
    run = imported_run(tmp_path / "run", draws, golds=GOLDS, rule=None)
    grade_run(run)
    grading = run.read_json("grading.json")
    del grading["unparsed"]
    run.write_json("grading.json", grading)
    seal(run)
    assert "base: 18 of 24 completions have no answer" in compare_runs(run, run).warnings[0]


def test_agreement_is_shown_and_hostile_text_escaped(tmp_path):
    draws = {
        f"p{i}": [(f"{text} \\boxed{{{text}}}", True), (rf"\boxed{{{i}}}", True)]
        for i, text in enumerate(HOSTILE)
    }
    golds = {name: str(i) for i, name in enumerate(draws)}
    runs = []
    for name in ("base", "rl"):
        run = imported_run(tmp_path / name, draws, golds=golds, rule="</script><b>acc")
        grade_run(run)
        runs.append(run)
    report = build_report(compare_runs(*runs))
    page = render_page(report)
    section = page[page.index('<section id="graders">') :]
    section = section[: section.index("</section>")]
    assert "on 6 of 12 completions (50.0%)" in section
    assert section.count("<article") == 10
    assert "<script" not in section
    assert "<b>acc" not in section
    assert "<img" not in section
    assert "\u202e" not in section
    assert "\x07" not in section
    agreement = report.summary()["imported_agreement"]["rl"]
    assert (agreement["agreed"], agreement["compared"]) == (6, 12)


def test_reports_on_sampled_runs_have_no_such_section(tmp_path):
    pair = write_pair(tmp_path, tasks=TASKS, samples=4, scores=False)
    report = build_report(compare_runs(*pair))
    assert 'id="graders"' not in render_page(report)
    assert report.summary()["warnings"] == []
    assert report.headline().startswith("Of 36 problems")
