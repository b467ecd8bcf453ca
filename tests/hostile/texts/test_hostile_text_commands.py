"""Runs whose every text is hostile, through the commands, on a terminal, and in Chromium."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import latex_tokens
import pytest
from browser import CHROMIUM, browser
from payloads import PAYLOADS, hidden_in
from terminal import acts_on_terminal, run_commands

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.store import ImportOptions, Run, import_rollouts

pytestmark = pytest.mark.slow  # commands and a whole report

TEXTS = list(PAYLOADS.values())
TASKS = [
    PAYLOADS["row argument"] + PAYLOADS["colour"] + PAYLOADS["line feed"] + PAYLOADS["override"],
    PAYLOADS["formula"] + PAYLOADS["odd mathematics"] + PAYLOADS["clipboard"] + PAYLOADS["C1 CSI"],
    PAYLOADS["script"] + PAYLOADS["carets"] + PAYLOADS["noncharacters"] + PAYLOADS["markup"],
]
NOT_UTF8 = os.fsdecode(b"name\xff\x9b31m")


def write_rollouts(path: Path, side: str) -> None:
    """Each payload as an id, a question, a gold, an answer, and the name of a task and a model."""
    with path.open("w") as file:
        for i, text in enumerate(TEXTS):
            for draw in range(6):
                other = TEXTS[(i + draw) % len(TEXTS)]
                reached = i % 4 == 0 or i % 4 == (1 if side == "base" else 2)
                row = {
                    "problem_id": f"{text} {i}",
                    "task": TASKS[i % len(TASKS)],
                    "prompt": f"Question {i}: {text}",
                    "answer": text,
                    "response": f"Of {side}, draw {draw}, by {other}: \\boxed{{{other}}}",
                    "correct": reached and draw % 2 == 0,
                    "model": TEXTS[3] + TEXTS[6],
                    TEXTS[1]: 1,
                }
                file.write(json.dumps(row) + "\n")


def graded(folder: Path, side: str) -> Run:
    write_rollouts(folder / f"{side}.jsonl", side)
    run = import_rollouts([str(folder / f"{side}.jsonl")], folder / side, ImportOptions())
    # What an import does not set: a stranger writes run.json.
    about = json.loads((folder / side / "run.json").read_text())
    whole = [text for text in TEXTS if text.isascii() or "\ud800" not in text]
    about["model"] = {"name": " ".join(whole)[:2000], "revision": TEXTS[0] + TEXTS[9]}
    about["engine"] = {"name": TEXTS[2], "version": TEXTS[5], "notes": whole[:40]}
    about["sampling"]["stop"] = TEXTS[:5]
    about["prompt_template"]["name"] = TEXTS[18]
    about["versions"] = dict.fromkeys(TEXTS[:20], TEXTS[4])
    (folder / side / "run.json").write_text(json.dumps(about))
    run = Run.open(folder / side)
    grade_run(run, GradeOptions(verdicts="imported"))
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for side in ("base", "rl"):
        graded(folder, side)
    (folder / "evil\x1b[31m\u202e").mkdir()
    (folder / "evil\x1b[31m\u202e" / "run.json").write_text('{"format": "\x1b]52;c;x\x07"}')
    (folder / "bad.jsonl").write_text(json.dumps({TEXTS[3]: TEXTS[0], "x": TEXTS[18]}) + "\n")
    (folder / "study.yaml").write_text('base: a\nrl: b\nout: o\n"\\e[31m\\u202e": 1\n')
    (folder / "broken.yaml").write_text('a: "\\e[31m\na: [\x7f')
    (folder / "evil.jinja").write_text("no question")
    shutil.copy(folder / "base.jsonl", folder / NOT_UTF8)
    for side in ("base", "rl"):
        shutil.copytree(folder / side, folder / f"{side}{NOT_UTF8}")
    return folder


COMMANDS = {
    "import": ["import", "base.jsonl", "--dry-run", "-q"],
    "import as JSON": ["import", "base.jsonl", "--dry-run", "--json"],
    "import of bad rows": ["import", "bad.jsonl", "--dry-run", "-q"],
    "import of a name": ["import", NOT_UTF8, "--dry-run", "-q"],
    "import of a name as JSON": ["import", NOT_UTF8, "--dry-run", "--json"],
    "import from nowhere": ["import", "no\x1b[31m\u202e.jsonl", "--dry-run", "-q"],
    "field": ["import", "base.jsonl", "--field", "gold=\x1b[31m\u202e", "--dry-run", "-q"],
    "doctor": ["doctor", "base"],
    "doctor as JSON": ["doctor", "base", "--json"],
    "doctor of another": ["doctor", "evil\x1b[31m\u202e"],
    "grade": ["grade", "evil\x1b[31m\u202e", "-q"],
    "grade as JSON": ["grade", "base", "--verdicts", "imported", "--json"],
    "plan": ["plan", "base", "rl", "-q"],
    "plan as JSON": ["plan", "base", "rl", "--json"],
    "study": ["study", "study.yaml"],
    "broken study": ["study", "broken.yaml"],
    "study from nowhere": ["study", "no\x1b]52;c;x\x07\n\u202e.yaml"],
    "usage": ["grade", "base", "more\x1b[31m\u202e\x9b"],
    "option": ["grade", "base", "--no\x1b[31m\u202e"],
    "choice": ["grade", "base", "--policy", "\x1b[31m\u202e\x9b"],
    "command": ["\x1b[31m\u202e\x9b"],
    "engine argument": ["sample", "m", "--out", "o", "--task", "\x1b[31m\u202e",
                        "--engine-arg", "\x1b[31m=[\u202e"],
    "task": ["sample", "m", "--out", "o", "--task", "nosuch\x1b[31m\u202e:x"],
    "model": ["sample", "./m\x1b[31m\u202e", "--out", "o", "--task", "reasoning_gym:chain_sum"],
    "arms": ["compare", "base", "rl", "--arm", "a\x1b[31m\u202e=no\x9b", "-q"],
    "references": ["references", "base", "rl", "rl", "-q"],
    "grade of a name": ["grade", f"base{NOT_UTF8}", "--verdicts", "imported", "-q"],
    "doctor of a name": ["doctor", f"base{NOT_UTF8}"],
    "plan of a name": ["plan", f"base{NOT_UTF8}", f"rl{NOT_UTF8}", "-q"],
    "import to a name": ["import", "base.jsonl", "--out", f"new{NOT_UTF8}", "-q"],
    "dynamics": ["dynamics", "base", "rl", "--out", "dynamics", "-q"],
    "dynamics as JSON": ["dynamics", "base", "rl", "--out", "dynamics",
                         "--json"],
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(folder: Path) -> dict[str, tuple[int, str]]:
    return dict(zip(COMMANDS, run_commands(list(COMMANDS.values()), folder), strict=True))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_lets_text_act(shown: dict[str, tuple[int, str]], name: str) -> None:
    code, text = shown[name]
    assert acts_on_terminal(text) == []
    assert "Traceback" not in text
    assert code in (0, 1, 2)
    if name.endswith("JSON"):
        assert code == 0
        json.loads(text)
        assert not hidden_in(text)


def test_the_commands_do_show_the_names(shown: dict[str, tuple[int, str]]) -> None:
    """The checks above would hold of commands that print nothing."""
    assert "\\x1b[31mred" in shown["import"][1]
    assert "\\x1b[31m" in shown["study"][1]
    assert "\\u202e" in shown["usage"][1]
    assert "name\\udcff\\udc9b31m" in shown["import of a name"][1]
    assert [shown[name][0] for name in ("plan", "dynamics", "doctor")] == [0, 0, 0]
    assert "\\x1b" in shown["plan"][1]


def test_an_output_of_ascii_passes_the_filter_too(folder: Path) -> None:
    """Other packages look for the bytes below a stream whose encoding is ASCII."""
    command = [sys.executable, "-m", "rlvr_fast", "--no\u202e\u200b\u2028"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True)
    assert done.returncode == 2
    assert (done.stdout + done.stderr).isascii()
    assert b"\\u202e\\u200b\\u2028" in done.stderr


@pytest.fixture(scope="module")
def report(folder: Path) -> tuple[Path, str]:
    """The report, written with progress bars on the terminal."""
    command = ["compare", "base", "rl", "--out", "report"]
    ((code, text),) = run_commands([command], folder)
    assert code == 0, text
    return folder / "report", text


def test_compare_lets_no_text_act(report: tuple[Path, str]) -> None:
    assert acts_on_terminal(report[1]) == []
    assert "\\x1b" in report[1]


def test_no_file_of_a_report_holds_hidden_characters(report: tuple[Path, str]) -> None:
    files = [
        f for f in report[0].rglob("*") if f.suffix in (".html", ".json", ".tex", ".csv", ".svg")
    ]
    assert len(files) > 40
    for file in files:
        lines = "\n\r\t" if file.suffix == ".csv" else "\n"
        assert not hidden_in(file.read_text("utf-8"), lines=lines), file.name


def test_every_svg_is_xml(report: tuple[Path, str]) -> None:
    drawn = [f.read_text("utf-8") for f in report[0].rglob("*.svg")]
    page = (report[0] / "index.html").read_text("utf-8")
    drawn += re.findall(r"<svg\b.*?</svg>", page, re.DOTALL)
    assert len(drawn) > 10
    for text in drawn:
        names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
        assert not names & {"script", "foreignObject", "img"}


def test_the_tables_are_data(report: tuple[Path, str]) -> None:
    for file in (report[0] / "tables").rglob("*.json"):
        json.loads(file.read_text("utf-8"))
    for file in (report[0] / "tables").rglob("*.tex"):
        text = file.read_text("utf-8")
        assert latex_tokens.control_sequences(text) <= latex_tokens.OWN, file.name
        widths = {len(row) for row in latex_tokens.rows(text)}
        assert len(widths) <= 1, file.name
    for file in (report[0] / "tables").rglob("*.csv"):
        with file.open(newline="", encoding="utf-8") as opened:
            assert len({len(row) for row in csv.reader(opened)}) <= 1, file.name
        for line in re.split(r"[\n;]", file.read_text("utf-8")):
            assert not re.match(r'[\s"]*[=@]', line), line


@pytest.fixture(scope="module")
def page(report: tuple[Path, str]) -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    with browser() as tab:
        tab.open(report[0] / "index.html")
        yield tab


def test_no_script_of_a_text_runs_on_the_page(page: object) -> None:
    ask = page.ask  # type: ignore[attr-defined]
    # Open what the page opens: every problem of the table, page after page.
    ask(
        """for (let i = 0; i < 8; i++) {
          for (const b of document.querySelectorAll('button.open')) b.click();
          for (const d of document.querySelectorAll('details')) d.open = true;
          const next = document.getElementById('next');
          if (!next || next.disabled) break;
          next.click();
        }
        for (const n of document.querySelectorAll('bdi, td, th, a')) {
          n.dispatchEvent(new Event('mouseover', {bubbles: true}));
        }"""
    )
    assert ask("window.PWNED") is None
    assert ask("document.querySelectorAll('img, iframe, object, embed, base').length") == 0
    assert ask("[...document.querySelectorAll('[onload], [onerror], [onmouseover]')].length") == 0
    assert ask("getComputedStyle(document.body).display") != "none"
    hrefs = ask("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(href.startswith(("#", "https://arxiv.org/", "tables/")) for href in hrefs)
    asked = page.requests()  # type: ignore[attr-defined]
    assert [url for url in asked if not url.startswith("file:")] == []


def test_nothing_hides_on_the_page(page: object) -> None:
    ask = page.ask  # type: ignore[attr-defined]
    text = ask("document.documentElement.innerText")
    assert "⟨U+001B⟩" in text
    assert "⟨U+202E⟩" in text
    assert not hidden_in(text, lines="\n\t\r")
    spoken = ask(
        """[...document.querySelectorAll('*')].flatMap(n =>
          ['title', 'aria-label', 'placeholder'].map(a => n.getAttribute(a) || ''))
        .concat([...document.querySelectorAll('svg title')].map(n => n.textContent)).join(' ')"""
    )
    assert not hidden_in(spoken)
