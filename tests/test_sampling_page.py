"""The commands, programs and studies of docs/sampling.md, run as printed with the small models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from lora import random_adapter
from pages import blocks, commands
from typer.main import get_command

import rlvr_fast
from rlvr_fast.cli import app
from rlvr_fast.store import Run, verify

# Together some twenty commands, in one process.
pytestmark = pytest.mark.slow

PAGE = "docs/sampling.md"
MODELS = {"MODEL": "smollm2", "BASE": "smollm2", "RL": "rl"}
# Parts of a line that ask for a machine or a server: tests of the engines run them.
ELSEWHERE = ("--engine vllm", "--engine server", "runs/served")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the page presupposes."""
    demo = Path(rlvr_fast.__file__).parent / "demo_models"
    shutil.copytree(demo / "base", tmp_path / "smollm2")
    shutil.copytree(demo / "rl", tmp_path / "rl")
    random_adapter(tmp_path / "smollm2", tmp_path / "grpo-lora")
    problems = [("What is 2 + 3?", "5"), ("What is 7 - 4?", "3"), ("What is 6 * 2?", "12")]
    write(tmp_path / "problems.jsonl", problems)
    write(tmp_path / "shots.jsonl", [("What is 1 + 1?", r"1 + 1 is \boxed{2}.")])
    (study,) = (block for block in blocks(PAGE, "yaml") if block.text.startswith("base:"))
    (tmp_path / "study.yaml").write_text(study.text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, pairs: list[tuple[str, str]]) -> None:
    rows = [json.dumps({"question": question, "answer": answer}) for question, answer in pairs]
    path.write_text("\n".join(rows))


def test_the_page_runs_as_printed(folder: Path) -> None:
    for command in commands(PAGE, inline=False):
        words = [MODELS.get(word, word) for word in command.words]
        if not any(part in " ".join(words) for part in ELSEWHERE):
            get_command(app).main(words, prog_name="rlvr-fast", standalone_mode=False)
    (program,) = (b.text for b in blocks(PAGE, "python") if '"transformers"' in b.text)
    before = drawn("plain"), drawn("grpo")
    exec(compile(program, PAGE, "exec"), {})

    # The program asks for what the commands above it drew.
    assert before == (drawn("plain"), drawn("grpo")) == ({8}, {8})
    assert drawn("cut") == drawn("own") == {64}
    assert drawn("more") == {64, 256}  # of the task that came later, and of the first
    assert drawn("shots") == drawn("asked-nothing") == {4}
    assert Run.open("runs/grpo").info.model["adapter"]["name"] == "grpo-lora"
    asked = json.loads(Path("plan.json").read_text())
    assert round(asked["epsilon"], 4) == 0.0468  # the number of the page
    assert max(drawn("base")) == max([64, *asked["base"]["samples"].values()])
    for report in ("report", "reports/grpo", "runs/lora/report"):
        assert Path(report, "summary.json").exists()
    for run in {path.parent for path in Path("runs").rglob("run.json")}:
        assert [finding for finding in verify(run) if finding.level != "info"] == []


def drawn(name: str) -> set[int]:
    """The numbers of samples of the problems of a run."""
    return set(Run.open(f"runs/{name}").num_samples().tolist())
