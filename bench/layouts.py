"""The columns of each section of bench/README.md, and the format of figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]


def number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def seconds(value: float) -> str:
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def spread(row: Row) -> str:
    """Returns median (smallest to largest), from the time columns that the row has."""
    if "median_s" in row:
        return f"{seconds(row['median_s'])} ({seconds(row['min_s'])} to {seconds(row['max_s'])})"
    if "median_ms" in row:
        low, high = row["spread_ms"]
        return f"{row['median_ms']:.3g} ms ({low:.3g} to {high:.3g})"
    for key in ("seconds", "wall_s"):
        if key in row:
            return seconds(row[key])
    return ""


def figure(key: str, unit: str = "", factor: float = 1.0) -> Callable[[Row], str]:
    """Returns a function that shows a figure of a row, or "" for a row without the figure."""

    def show(row: Row) -> str:
        value = row.get(key)
        return "" if value is None else number(value * factor if factor != 1.0 else value) + unit

    return show


def pair(key: str, first: str, second: str, unit: str = "") -> Callable[[Row], str]:
    def show(row: Row) -> str:
        values = row.get(key)
        return "" if values is None else f"{number(values[first])} / {number(values[second])}{unit}"

    return show


def share(key: str) -> Callable[[Row], str]:
    return figure(key, " %", 100.0)


WHAT: Column = ("what", lambda row: str(row["what"]))
TIME: Column = ("time", spread)
TIMES = "x"

# A section without an entry shows every figure.
COLUMNS: dict[str, tuple[Column, ...]] = {
    "demo": (WHAT, TIME, ("largest process", figure("largest_process_gb", " GB"))),
    "token_stats": (
        WHAT,
        TIME,
        ("GB/s", figure("gigabytes_per_s")),
        ("of read bandwidth", share("share_of_read_bandwidth")),
        ("PyTorch", figure("torch_median_ms", " ms")),
        ("faster", figure("times_faster_than_torch", TIMES)),
        ("worst error log-prob / entropy", pair("worst_error", "logprob", "entropy")),
        ("extra memory", figure("extra_memory_mb", " MB")),
    ),
    "scorer": (
        WHAT,
        ("tokens/s", figure("tokens_per_s")),
        ("transformers", figure("transformers_tokens_per_s")),
        ("faster", figure("times_faster", TIMES)),
        (
            "extra memory, ours / theirs",
            pair("extra_memory_mb", "rlvr_fast", "transformers", " MB"),
        ),
        (
            "largest difference, log-prob sum / entropy",
            pair("largest_difference", "logprob_sum", "entropy"),
        ),
    ),
    "prompt_logprobs": (
        WHAT,
        ("tokens/s", figure("tokens_per_s")),
        ("vLLM", figure("vllm_tokens_per_s")),
        ("faster", figure("times_faster", TIMES)),
        ("largest difference of a sum", figure("largest_difference")),
    ),
    "shared_prompt": (
        WHAT,
        ("tokens/s", figure("tokens_per_s")),
        ("each alone", figure("alone_tokens_per_s")),
        ("faster", figure("times_faster", TIMES)),
        ("largest difference of a sum", figure("largest_difference")),
    ),
    "answers": (
        WHAT,
        TIME,
        ("text a row", figure("bytes_each", " B")),
        ("GB/s of text", figure("gigabytes_per_s")),
        ("processor", figure("processor_s", " ms", 1e3)),
        (
            "faster than polars, wall / processor",
            pair("faster_than_polars", "wall", "processor", TIMES),
        ),
        (
            "without groups of rows",
            pair("faster_than_polars_without_rows", "wall", "processor", TIMES),
        ),
        ("bytes a group", figure("bytes_per_group")),
    ),
    "grading": (
        WHAT,
        TIME,
        ("processor", figure("processor_seconds", " s")),
        ("completions", figure("completions")),
        ("distinct pairs", figure("distinct_pairs")),
        ("decided by form", share("share_by_canonical_form")),
        ("texts verified again", figure("distinct_texts_compared")),
        ("the reader disagrees", figure("disagreements")),
        ("of Math-Verify's speed", figure("times_math_verify_by_processor_time", TIMES)),
        ("peak memory", figure("peak_memory_mib", " MiB")),
        ("load average", figure("load_average")),
    ),
    "verdicts": (
        WHAT,
        ("pairs", figure("pairs")),
        ("of equal value", figure("of_equal_value")),
        ("false equals", figure("false_equals")),
        ("missed equals", figure("missed_equals")),
        ("left open", figure("left_open")),
        ("microseconds a pair", figure("reader_microseconds_per_pair")),
    ),
    "vllm": (
        WHAT,
        ("tokens/s", figure("tokens_per_s")),
        ("of LLM.generate's", figure("of_llm_generate", TIMES)),
        ("processor time a draw", figure("own_cpu_us_per_draw", " us")),
    ),
    "driver": (
        WHAT,
        ("draws", figure("draws")),
        ("cost a draw", figure("cost_us", " us")),
        ("reading", figure("reading_us", " us")),
        ("of it token ids", figure("token_ids_us", " us")),
        ("writing", figure("writing_us", " us")),
        ("engine", figure("engine_us", " us")),
        ("peak memory", figure("peak_gb", " GB")),
        ("load average", figure("load")),
    ),
    "server": (
        WHAT,
        ("tokens/s", figure("tokens_per_s")),
        ("of vllm bench serve's", figure("of_vllm_bench_serve", TIMES)),
        ("requests/s", figure("requests_per_s")),
        ("processor time a request", figure("processor_ms_per_request", " ms")),
    ),
    "sampling": (
        WHAT,
        TIME,
        ("tokens/s", figure("tokens_per_s")),
        ("of generate's speed", figure("ratio_to_generate", TIMES)),
        ("draws/s", lambda row: figure("draws_per_s")(row) or figure("keys_per_s")(row)),
    ),
    "import": (
        WHAT,
        TIME,
        ("MB/s", figure("megabytes_per_s")),
        ("of polars' speed", figure("times_polars", TIMES)),
        ("of pyarrow's speed", figure("times_pyarrow", TIMES)),
        ("peak memory", figure("peak_mib", " MiB")),
        ("at a tenth of the draws", figure("peak_mib_of_a_tenth", " MiB")),
    ),
    "pass_at_k": (
        WHAT,
        TIME,
        ("extra memory", figure("extra_mb", " MB")),
        ("worst error", figure("worst_error")),
        ("than product form", figure("times_faster_than_product_form", TIMES)),
    ),
    "report": (
        WHAT,
        TIME,
        ("page", figure("page_mb", " MB")),
        ("extra memory", figure("extra_mb", " MB")),
    ),
    "store": (
        WHAT,
        ("bytes a token", figure("bytes_a_token")),
        ("draws/s", figure("draws_per_s")),
        ("draws a second of processor time", figure("draws_per_cpu_s")),
        ("time", figure("seconds", " s")),
        ("processor", figure("cpu_s", " s")),
        ("peak memory", figure("peak_gb", " GB")),
    ),
    "large_store": (
        WHAT,
        TIME,
        ("processor", figure("cpu_s", " s")),
        ("peak memory", figure("peak_mib", " MiB")),
    ),
    "large_report": (
        WHAT,
        TIME,
        ("processor", figure("cpu_s", " s")),
        ("peak memory", figure("peak_gib", " GiB")),
        ("page", figure("page_mb", " MB")),
        ("report", figure("report_mb", " MB")),
    ),
}


def every_figure(rows: list[Row]) -> tuple[Column, ...]:
    """Returns the columns of results without an entry in COLUMNS."""
    keys = dict.fromkeys(key for row in rows for key in row)
    shown = [key for key in keys if key not in ("what", "target", "met")]
    return (WHAT, *((key.replace("_", " "), figure(key)) for key in shown))


def target_text(value: Any) -> str:
    """Returns a target as text, with a name for each of several limits."""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {number(v)}" for key, v in value.items())
    return number(value)


def table(heads: list[str], body: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *body]
    return ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]


def plain(columns: tuple[Column, ...], rows: list[Row]) -> list[str]:
    """Returns a table with a line for each row, without empty columns."""
    shown = [(head, [show(row) for row in rows]) for head, show in columns]
    if any("target" in row for row in rows):
        met = {True: "yes", False: "**no**", None: ""}
        shown.append(("target", [target_text(row.get("target", "")) for row in rows]))
        shown.append(("met", [met[row.get("met")] for row in rows]))
    shown = [(head, cells) for head, cells in shown if any(cells)]
    return table(
        [head for head, _ in shown],
        [list(line) for line in zip(*(c for _, c in shown), strict=True)],
    )


def coverage(rows: list[Row]) -> list[str]:
    """Returns a table for each scenario: a line for each interval, a column for each size."""
    lines: list[str] = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        own = [row for row in rows if row["scenario"] == scenario]
        # The other parameters of a row name the column.
        sizes = dict.fromkeys(_size(row) for row in own)
        cells = {(row["what"], _size(row)): f"{row['rate']:.3f}" for row in own}
        error = max(row["standard_error"] for row in own)
        repeated = max(row["repetitions"] for row in own)
        lines += [
            f"**{scenario}** ({number(repeated)} repetitions, standard errors up to {error:.2g})",
            "",
            *table(
                ["rate", *sizes],
                [
                    [what, *(cells.get((what, size), "") for size in sizes)]
                    for what in dict.fromkeys(row["what"] for row in own)
                ],
            ),
            "",
        ]
    return lines[:-1]


def _size(row: Row) -> str:
    named = (("n", "n = "), ("problems", "problems: "))
    return ", ".join(f"{text}{number(row[key])}" for key, text in named if key in row)


def graders(rows: list[Row]) -> list[str]:
    """Returns two tables of graders, over all cases and by subject, and the cases that we lose."""
    overall = [row for row in rows if row.get("subject") == "all"]
    subjects = [row for row in rows if row.get("subject", "all") != "all"]
    names = [row["what"] for row in overall]
    heads = list(dict.fromkeys(row["subject"] for row in subjects))
    cells = {
        (row["what"], row["subject"]): (
            _part(row, "extracted", "of_texts")
            if row["of_texts"]
            else f"{_part(row, 'wrong_accepted', 'of_wrong')}; "
            f"{_part(row, 'right_recognised', 'of_right')}"
        )
        for row in subjects
    }
    lines = table(
        [
            "grader", "wrong answers accepted", "right answers recognised", "final answers found",
            "errors and time-outs", "seconds",
        ],
        [
            [
                row["what"],
                _part(row, "wrong_accepted", "of_wrong", share=True),
                _part(row, "right_recognised", "of_right", share=True),
                _part(row, "extracted", "of_texts", share=True),
                str(row["errors_and_timeouts"]),
                number(row["seconds"]),
            ]
            for row in overall
        ],
    )  # fmt: skip
    lines += ["", "Wrong accepted; right recognised, by subject (extraction: texts found):", ""]
    lines += table(
        ["grader", *heads],
        [[name, *(cells.get((name, head), "") for head in heads)] for name in names],
    )
    lost = [one for row in rows for one in row.get("rivals_right_ours_wrong", ())]
    if lost:
        lines += ["", "Cases where a rival is right and we are wrong:", ""]
        lines += table(
            ["kind", "gold", "answer or text", "ours", "expected", "right", "why we differ"],
            [
                [
                    one["kind"], f"`{one['gold']}`", f"`{one['answer'][:80]}`", str(one["ours"]),
                    one["expected"], _few(one["right"]), one["view"],
                ]
                for one in lost
            ],
        )  # fmt: skip
    return lines


def _part(row: Row, part: str, whole: str, *, share: bool = False) -> str:
    if not row[whole]:
        return ""
    text = f"{row[part]}/{row[whole]}"
    return f"{text} ({100 * row[part] / row[whole]:.3g} %)" if share else text


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{len(names)} graders"
