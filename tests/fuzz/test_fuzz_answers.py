"""Fuzzes extraction and normalisation (libFuzzer, ASan, UBSan); tests grouping under TSan.

RLVR_FUZZ_RUNS sets the number of inputs of each target; the seed is fixed, so a run repeats itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
RUNS = int(os.environ.get("RLVR_FUZZ_RUNS", "100000"))
CLANG = next((c for c in ("clang++", "clang++-14", "clang++-19") if shutil.which(c)), None)
SOURCES = {
    "fuzz_extract": [
        "answers/extract.cpp",
        "answers/extract_boxes.cpp",
        "answers/extract_code.cpp",
        "answers/extract_languages.cpp",
        "answers/extract_line.cpp",
        "answers/extract_marks.cpp",
        "answers/find.cpp",
        "answers/utf8.cpp",
    ],
    "fuzz_normalize": [
        "answers/utf8.cpp",
        "answers/normalize.cpp",
        "answers/parse_answer.cpp",
        "answers/parse_arithmetic.cpp",
        "answers/parse_atoms.cpp",
        "answers/parse_collections.cpp",
        "answers/parse_lists.cpp",
        "answers/latex_cleanup.cpp",
        "answers/expression.cpp",
        "answers/expression_text.cpp",
        "answers/rational.cpp",
    ],
    "grouping_threads": [
        "answers/group.cpp",
        "answers/problem_table.cpp",
        "answers/shard.cpp",
        "common/parallel.cpp",
    ],
}
SEEDS = [
    r"\boxed{\frac{1}{2}}", "<answer>3</answer>", "</think> 5", "Answer: 7", "1,234",
    r"(1,2]\cup[3,4)",
    r"\{1\pm\sqrt{5},-2\}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"2^{1/2}+\pi^2-3i", "52_8",
    "<think>a</think>\nQ: 1", "```py\n5\n```", r"\boxed{1} and \boxed 2", "#### 5\nUser:",
    r"\sqrt[3]{x+1}^2", r"x=5 cm5 cm", r"\$50.3333333", "2,1(1,2)", r"45^\circ45",
    r"\lfloor n/2\rfloor", r"\log_{10}250", "5.4e-3 cm", r"3\frac{1}{2}",
]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CLANG is None, reason="clang++ is not installed (apt-get install clang)"),
]


@pytest.fixture(scope="module", autouse=True)
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips the tests where clang has no runtimes of the sanitizers: a package of their own."""
    assert CLANG is not None
    source = tmp_path_factory.mktemp("sanitizers") / "empty.cpp"
    source.write_text("int main() {}")
    for kind in ("address,undefined", "thread"):
        done = subprocess.run(
            [CLANG, f"-fsanitize={kind}", source, "-o", source.with_suffix("")],
            capture_output=True, text=True,
        )  # fmt: skip
        if "libclang_rt" in done.stderr:
            pytest.skip("the runtimes of clang's sanitizers are not installed (libclang-rt-dev)")


def build(name: str, flags: list[str], folder: Path) -> Path:
    assert CLANG is not None
    program = folder / name
    sources = [str(CSRC / source) for source in SOURCES[name]]
    subprocess.run(
        [CLANG, "-std=c++20", "-O1", "-g", "-fno-omit-frame-pointer", *flags, f"-I{CSRC}",
         str(Path(__file__).parent / f"{name}.cpp"), *sources, "-pthread", "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


@pytest.mark.parametrize("name", ["fuzz_extract", "fuzz_normalize"])
def test_fuzz_target_finds_no_error(name: str, tmp_path: Path) -> None:
    program = build(
        name,
        ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"],
        tmp_path,
    )
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i, seed in enumerate(SEEDS):
        (corpus / str(i)).write_bytes(
            bytes([i]) + seed.encode() if "extract" in name else seed.encode()
        )
    # A shell starts the program: a direct child would inherit the peak memory of this process,
    # which libFuzzer would count as the memory of the target.
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", program, f"-runs={RUNS}", "-seed=1", "-timeout=5",
         "-rss_limit_mb=1024", "-max_len=2048",
         "-print_final_stats=1", str(corpus)],
        capture_output=True, text=True, timeout=900, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "stat::number_of_executed_units" in done.stderr


def test_grouping_has_no_data_race(tmp_path: Path) -> None:
    program = build("grouping_threads", ["-fsanitize=thread"], tmp_path)
    done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-4000:]
