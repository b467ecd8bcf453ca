"""Writes bench/README.md from the JSON in bench/results.

python bench/table.py
"""

from __future__ import annotations

import json
from pathlib import Path

import gpu_page
import layouts
from peers import page as peers_page

HERE = Path(__file__).resolve().parent

# results file -> heading and comparison, in the order of the page
SECTIONS = {
    "demo": ("The demo", "The whole job on the embedded models (`bench_demo.py`)."),
    "token_stats": (
        "Token statistics from logits, CPU",
        "`token_stats` against PyTorch's log-softmax, entropy and gather (`bench_token_stats.py`).",
    ),
    "scorer": (
        "Scoring completions, CPU",
        "`Scorer` against a forward pass, log-softmax and entropy in transformers "
        "(`bench_scorer.py`).",
    ),
    "prompt_logprobs": (
        "Scoring against vLLM, CPU",
        "`Scorer` against `prompt_logprobs` of vLLM on the same tokens; vLLM gives log-prob and "
        "rank, the Scorer log-prob, entropy and rank (`bench_prompt_logprobs.py`).",
    ),
    "shared_prompt": (
        "Many draws of one prompt, CPU",
        "The prompt through the model once, against once for each draw (`bench_shared_prompt.py`).",
    ),
    "graders": (
        "Verdicts",
        "Graders on 1119 cases of grading from public bug reports (`bench_graders.py`; the cases "
        "are not part of the project). They were collected because a grader erred on them, so the "
        "shares say nothing about ordinary completions. A grader gets each answer as its users "
        'give it: in a box, after "The final answer is" or alone. Extraction: rivals extract by '
        "their one rule, we by the policy that the case names; a text counts where the grader "
        "accepts the completion for the answer that it holds. What a grader does not do (programs, "
        "Reasoning Gym, code blocks) is not counted for it. Seconds are those of one run on a "
        "shared machine; ours include programs and Reasoning Gym.",
    ),
    "answers": (
        "Answer engine",
        "Extraction, normalisation, grouping (`bench_answers.py`); polars is the rival.",
    ),
    "grading": (
        "Grading",
        "`grade_run` against Math-Verify; the reader verifies the texts again, each alone "
        "(`bench_grading.py`).",
    ),
    "verdicts": (
        "Verdicts on expressions of known value",
        "Pairs of expressions in random notations, whose values are computed from the trees that "
        "they were written from (`bench_verdicts.py`): equal ones, near ones (one digit, sign, "
        "exponent or part changed, or the value by 1e-6 to 1e-30 of itself) and unrelated ones. "
        "A pair that the canonical forms leave open is decided by the reader.",
    ),
    "vllm": (
        "vLLM",
        "`sample --engine vllm` into a run directory against `vllm.LLM.generate`, the same "
        "requests with a seed each (`bench_vllm.py`). The processor time is that of the process "
        "that asks.",
    ),
    "server": (
        "A server",
        "The engine `server` against the client of `vllm bench serve`, on one server; and against "
        "aiohttp alone, on a server that answers at once (`bench_server.py`).",
    ),
    "sampling": ("Sampling and the store", "`bench_sampling.py`."),
    "driver": (
        "The stage around an engine",
        "What `sample_run` costs a draw with an engine whose completions are ready "
        "(`bench_driver.py`): the time of the whole stage, less what the completions' objects take "
        "alone; medians of rounds in which both take turns. Beside it processor times: reading is "
        "the thread that reads the engine, without the engine; token ids are the part of it that "
        "turns lists of Python integers into a column; writing is the thread that compresses and "
        "writes parts meanwhile. Memory is the largest resident set of the whole process.",
    ),
    "store": (
        "The size of tokens, the rate of append, and resume",
        "Bytes a token of `token_ids` on the disk; draws of 20 token ids and their text through "
        "`append`, in parts of 20,000 and the order in which the index takes most; and the time "
        "until a process that opens the run knows what is missing (`bench_store.py`). Memory is "
        "the largest resident set of the whole process.",
    ),
    "import": (
        "Import of rollouts",
        "`import_rollouts`, from files to a run directory that can be graded, beside polars and "
        "pyarrow, which parse the same file and write its rows to Parquet without a look at what "
        "they mean (`bench_import.py`). MB/s counts the bytes of the completions. Memory is the "
        "largest resident set of the whole process, Python and its libraries included.",
    ),
    "large_store": (
        "Long completions and many parts",
        "Import, grading and `doctor` of long completions and of runs of many parts "
        "(`bench_large_store.py`). Memory is the largest resident set of the whole process, Python "
        "and its libraries included.",
    ),
    "pass_at_k": (
        "pass@k and intervals",
        "3400 problems, 8192 samples, 14 values of k, 1000 replicates (`bench_pass_at_k.py`).",
    ),
    "report": ("Report", "2000 problems x 2 models x 1024 samples (`bench_report.py`)."),
    "large_report": (
        "Reports of very many problems and tasks",
        "`rlvr-fast compare` and `plan` in a process of their own (`bench_large_report.py`). "
        "Memory is the largest resident set of the whole process.",
    ),
    "coverage": (
        "Coverage of the intervals",
        "Measured on models whose answers are known (`coverage.py`): the share of intervals that "
        "hold the truth, unless the line says what else is counted; see docs/statistics.md.",
    ),
    "gpu": ("CUDA kernels", "`make gpu`; see docs/cuda.md."),
    "gpu_peers": (
        "CUDA kernels and their peers",
        "Log-prob, entropy and more from hidden states and the LM head's weight, in bfloat16; no "
        "gradients (`make gpu-peers`; docs/cuda.md names the wheels). TFLOP/s and shares count the "
        "product alone. Bold: the fastest rival with at least these outputs.",
    ),
}

# For sections that miss a target: the limits, and the changes that were tried. The figures were
# measured as those of the section.
NOTES = {
    "driver": (
        "The first row was measured before token ids became 32-bit integers in the core: 5.05 us, "
        "and 4.70 us in another run. On a slower machine (`engine` 2.6 us), in turns, medians of "
        "three: `reading` 8.4 us before and 6.9 us since, the cost 10.9 us and 10.5 us. What "
        "limits it then is the thread that writes: 9.8 us of processor time, and 2 us in which it "
        "waits for the interpreter, which the reading thread gives away every 5 ms. Of the 9.8 us "
        "zstd of the texts takes 3.7 and the column of token ids 3.6, of which 2.7 without "
        "compression. Tried without gain: items or lists that cannot be null, other sizes of "
        "pages, zstd at level -5, lz4 (texts half as large again). An interpreter that changes "
        "threads every 0.5 ms takes 7 % less, but that is a setting of the whole process; with "
        "an engine that computes elsewhere the interpreter is free anyway."
    ),
    "store": (
        "One process on one core. Before, the index held 8 bytes a draw, and the peak was 0.84 GB "
        "at 10 M draws; it holds 2 bits a draw, and the peak is that at 1 M. What remains is the "
        "column of texts and its compression: 1.5 of 2.1 us a draw."
    ),
    "token_stats": (
        "The ratio to PyTorch moves with PyTorch's time, 742 to 1730 ms in runs minutes apart, "
        "while ours stays between 9.5 and 10.9 ms; 80x of the fastest would be 9.3 ms, 82 % of "
        "the read bandwidth. One core folds 10.3 G logits a second that lie in its cache, so "
        "two need 41 GB/s, the most that they can read: neither hides the other completely. "
        "Tried, in logits a second: four vectors folded stage by stage, so that their chains of "
        "dependent operations overlap (no gain); larger blocks and masks counted by scalar "
        "units (6.1 G to 7.1 G on one core); the next lines prefetched a page ahead (11.8 G to "
        "13.1 G on two); a guessed reference instead of a search of each split's first block "
        "(8.8 G on one, 15.4 G on two); bounds on exponents in blocks that meet a masked logit "
        "alone (15.0 G to 15.8 G on two); fractions by adding a large number instead of "
        "`vreduceps` (10.3 G to 9.3 G on one); other distances and non-temporal prefetches (no "
        "gain). Float32 reads at full bandwidth."
    ),
    "answers": (
        "Polars is fastest where sorted ids are spread over all integers and answers are short; "
        "there the ratio with groups of rows is about 2 (1.8 to 2.0 by wall time in two runs). "
        "About 40 % of our time is then the instructions that find a repeat. Tried without gain: "
        "counters and captures in registers, more inlining, batches of 512 k rows. `boxed` reads "
        "the whole text, as the other policies do: a box in thoughts or behind a second problem "
        "is no answer."
    ),
    "scorer": (
        "Both multiply in float32. The Scorer gives its products to oneDNN, PyTorch gives them "
        "to MKL, which leaves AVX-512 alone on AMD's processors: most of the ratio is that, and "
        "on Intel's it will be smaller. Before, with MKL for both, it was 1.3x."
    ),
    "prompt_logprobs": (
        "On this processor (AVX2, two cores) 10.6 s of our 14.4 s are matrix products. oneDNN "
        "alone reaches 118 to 126 GFLOP/s on the shapes of the layers and 97 on that of the head; "
        "all products together run at 104. With no other cost the ratio would be 1.46x. The rest "
        "is attention (2.1 s) and the operations on elements between products (1.7 s). Batches "
        "of 1024 tokens gained 3 % (2 and 4 in two runs), batches of 512 lost 5 % (1 and 8)."
    ),
    "large_report": (
        "3000 tasks: each task is a group with intervals, nulls and tests of its own, about 10 ms "
        "of processor time, and 8 x 12 panels of figures in three formats take 6 s whatever the "
        "study. Processor seconds before and after what was done, whole process: 62 and 39. Done: "
        "counts of a side checked once and not for each group; random numbers of a seed kept for "
        "all groups; small groups with equal counts computed once; a tilt's searches that compute "
        "moments alone; tails of few successes without arrays; figures laid out once and not for "
        "each format; tables written by column. Tried and left out: one search of all groups' "
        "tilts in lockstep (an estimated 2.5 s; its sums round differently), figures in a process "
        "of their own (an estimated 3.7 s of wall time on two cores; a started process runs the "
        "caller's script again), PNG compressed less (0.2 s, files 17 % larger)."
    ),
}

# Sections that show targets before a measurement, and their results files.
GPU = {
    "gpu": (gpu_page.kernels, ("gpu", "gpu_fused")),
    "gpu_peers": (peers_page.peers, ("gpu_peers",)),
}

# Every results file that the page shows.
SHOWN = {*SECTIONS, *(name for _, names in GPU.values() for name in names)}


def section(name: str) -> list[str]:
    title, text = SECTIONS[name]
    lines = [f"## {title}", "", text, ""]
    show, names = GPU.get(name, (None, (name,)))
    paths = [HERE / "results" / f"{part}.json" for part in names]
    values = [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]
    rows = [row for value in values for row in value["rows"]]
    if not values:
        return [*lines, *(show([]) if show else ["Not yet measured."]), ""]
    value = values[0]
    machine = value["machine"]
    where = machine.get("gpu") or f"{machine['cpu']}, {machine['cores']} cores"
    packages = ", ".join(
        f"{package} {value['versions'][package]}"
        for package in ("torch", "transformers", "polars", "pyarrow")
        if package in value["versions"]
    )
    lines += [f"{where}; {value['date'][:10]}; commit {value['commit']}; {packages}.", ""]
    if show is not None:
        lines += show(rows)
    elif name in ("coverage", "graders"):
        lines += getattr(layouts, name)(rows)
    else:
        lines += layouts.plain(layouts.COLUMNS.get(name) or layouts.every_figure(rows), rows)
    if name in NOTES:
        lines += ["", NOTES[name]]
    return [*lines, ""]


def page() -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `python bench/table.py` from `bench/results/*.json`. A benchmark checks its",
        "results first, then times all rivals in turn, in several rounds of one process: medians",
        "(smallest to largest). Other jobs share the machines, so ratios within a run are more",
        "reliable than times.",
        "",
    ]
    for name in SECTIONS:
        lines += section(name)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    (HERE / "README.md").write_text(page(), "utf-8")
