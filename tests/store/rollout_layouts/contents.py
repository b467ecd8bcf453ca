"""Plain rows whose values trip readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollout_layouts.files import plain_rows, stated, text_of
from rollout_layouts.study import PROBLEMS, Case, Study, case, layout, write_jsonl

__all__: list[str] = []


@layout
def ids_of_three_spellings(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    for number, row in enumerate(rows):
        row["id"] = [row["id"], float(row["id"]), str(row["id"])][number % 3]
    return stated(study, write_jsonl(folder / "a.jsonl", rows))


@layout
def golds_of_many_forms(folder: Path, study: Study) -> Case:
    # A number, a list of one, a worked solution in reward_model, LaTeX in a nested object.
    golds = {7: 42, 12: [r"\frac{3}{8}"], 31: r"2\sqrt{3}", 108: 168.0}
    rows = [{**row, "answer": golds[row["id"]]} for row in plain_rows(study)]
    return stated(study, write_jsonl(folder / "a.jsonl", rows), golds={})


@layout
def golds_missing_for_a_problem(folder: Path, study: Study) -> Case:
    # Python writes NaN; pandas writes null.
    rows = plain_rows(study)
    for row in rows:
        del row["correct"]
        if row["id"] == 108:
            row["answer"] = float("nan")
        if row["id"] == 31:
            row["answer"] = None
    golds: dict[int, Any] = {7: "42", 12: r"\frac{3}{8}", 31: None, 108: None}
    return stated(
        study, write_jsonl(folder / "a.jsonl", rows), golds=golds, verdicts=None, counts={}
    )


@layout
def nested_golds_without_ids(folder: Path, study: Study) -> Case:
    rows = [
        {
            "prompt": [{"role": "user", "content": row["question"]}],
            "reward_model": {"ground_truth": row["answer"], "style": "rule"},
            "response": row["response"],
            "score": float(row["correct"]),
        }
        for row in plain_rows(study)
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown")


@layout
def last_row_cut_off(folder: Path, study: Study) -> Case:
    (folder / "a.jsonl").write_text(text_of(study) + '{"id": 7, "question": "What is 6', "utf-8")
    return stated(study, folder / "a.jsonl", left_out=1)


@layout
def rows_without_completion(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    rows.insert(4, {**rows[4], "response": None})
    rows.insert(9, {k: v for k, v in rows[0].items() if k != "response"})
    return stated(study, write_jsonl(folder / "a.jsonl", rows), left_out=2)


@layout
def finish_reasons_of_many_servers(folder: Path, study: Study) -> Case:
    words = {
        "stop": ("stop", "eos", "end_turn", "completed"),
        "length": ("max_tokens", "truncated"),
    }
    rows = plain_rows(study)
    for number, row in enumerate(rows):
        choice = words[row["finish_reason"]]
        row["finish_reason"] = choice[number % len(choice)]
    rows.append({**rows[0], "finish_reason": "content_filter"})
    rows.append({**rows[0], "finish_reason": "abort"})
    return stated(study, write_jsonl(folder / "a.jsonl", rows), left_out=2)


@layout
def special_tokens_and_a_next_turn(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    ends = (
        "<|im_end|>\n<|im_start|>user\nAnother: \\boxed{1}",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n\\boxed{2}",
        "</s>",
        "<|endoftext|>",
        "<｜end▁of▁sentence｜>",
        "<eos>",
        "<end_of_turn>",
        "",
    )
    for number, row in enumerate(rows):
        row["response"] += ends[number % len(ends)]
    return stated(study, write_jsonl(folder / "a.jsonl", rows), reported=["im_end", "eot_id"])


@layout
def prompt_copied_in_front(folder: Path, study: Study) -> Case:
    rows = [
        {
            "prompt": f"Q: {p.question}\nA:",
            "response": f"Q: {p.question}\nA:{d.text}",
            "gold": p.gold,
        }
        for p, _, d in study
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown", verdicts=None)


@layout
def completions_as_messages_and_parts(folder: Path, study: Study) -> Case:
    def form(number: int, text: str) -> Any:
        return [
            [{"role": "assistant", "content": text}],
            [{"role": "assistant", "content": [{"type": "text", "text": text}]}],
        ][number % 2]

    rows = [
        {
            "prompt": [{"role": "user", "content": p.question}],
            "completion": form(n, d.text),
            "answer": p.gold,
        }
        for p, n, d in study
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), finish="unknown", verdicts=None)


@layout
def rewards_with_partial_credit(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question": p.question,
            "response": d.text,
            "reward": 1.0 if d.right else (0.5 if n % 2 else 0.0),
        }
        for p, n, d in study
    ]
    rewards = {
        p.id: [1.0 if d.right else (0.5 if n % 2 else 0.0) for n, d in enumerate(study.draws(p))]
        for p in PROBLEMS
    }
    return case(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        golds=None,
        finish="unknown",
        rewards=rewards,
    )


@layout
def fields_named_by_the_user(folder: Path, study: Study) -> Case:
    rows = [
        {
            "zeta": {"q": p.question, "key": f"k{p.id}"},
            "eta": [{"gen": d.text}],
            "theta": {"truth": [p.gold, "?"]},
        }
        for p, _, d in study
    ]
    fields = {
        "question": "zeta.q",
        "problem_id": "zeta.key",
        "completion": "eta[0].gen",
        "gold": "theta.truth[0]",
    }
    return case(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        options={"fields": fields},
        finish="unknown",
        verdicts=None,
        ids={p.id: f"k{p.id}" for p in PROBLEMS},
    )


@layout
def golds_from_a_problem_file(folder: Path, study: Study) -> Case:
    rows = [
        {"prompt": f"<s>[INST] {r['question']}  [/INST]", "output": r["response"]}
        for r in plain_rows(study)
    ]
    problems = write_jsonl(
        folder / "gold.jsonl",
        [{"id": p.id, "problem": p.question, "answer": p.gold} for p in reversed(PROBLEMS)],
    )
    return case(
        study,
        write_jsonl(folder / "a.jsonl", rows),
        options={"problems": (f"math:{problems}",)},
        finish="unknown",
        verdicts=None,
        left_out=None,
    )


@layout
def fields_absent_from_the_first_rows(folder: Path, study: Study) -> Case:
    rows = plain_rows(study)
    for row in rows[:5]:
        del row["finish_reason"], row["correct"]
    case = stated(study, write_jsonl(folder / "a.jsonl", rows))
    case.verdicts = {p.id: list(case.verdicts[p.id]) for p in PROBLEMS} if case.verdicts else None
    assert case.verdicts is not None
    for number in range(5):
        key = PROBLEMS[number // 4].id
        case.verdicts[key][number % 4] = None
        case.finish[key][number % 4] = "unknown"
    return case


@layout
def a_chat_completion_in_each_row(folder: Path, study: Study) -> Case:
    rows = [
        {
            "question": p.question,
            "answer": p.gold,
            "response": {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "model": "org/api",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": d.text},
                        "finish_reason": d.finish,
                    }
                ],
            },
        }
        for p, _, d in study
    ]
    return case(study, write_jsonl(folder / "a.jsonl", rows), verdicts=None)
