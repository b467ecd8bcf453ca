"""A base run against runs of the same model with a LoRA adapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from planted_runs import HOSTILE, write_pair

from rlvr_fast.report import CompareOptions, build_report, compare_runs
from rlvr_fast.report.page import render_page
from rlvr_fast.report.threshold import _study
from rlvr_fast.store import Run, seal

SHA256 = "0123456789abcdef" * 4


def with_adapter(run: Run, name: str) -> Run:
    """The run, as drawn by the base model with an adapter of this name."""
    file = run.path / "run.json"
    value = json.loads(file.read_text())
    value["model"] = {
        "name": "planted/base",
        "revision": "sha256:base",
        "adapter": {"name": name, "sha256": SHA256},
    }
    file.write_text(json.dumps(value))
    opened = Run.open(run.path)
    seal(opened)
    return opened


def runs(folder: Path, name: str, **more: object) -> tuple[Run, Run]:
    base, rl = write_pair(folder, tasks={"puzzle": 8}, samples=24, scores=False, seed=3, **more)
    return base, with_adapter(rl, name)


def test_page_and_summary_name_the_adapter(tmp_path):
    base, rl = runs(tmp_path, "grpo")
    report = build_report(compare_runs(base, rl))
    assert not report.comparison.allowed
    assert report.summary()["models"] == {
        "base": {"name": "planted/base", "revision": "sha256:base"},
        "rl": {
            "name": "planted/base",
            "revision": "sha256:base",
            "adapter": {"name": "grpo", "sha256": SHA256},
        },
    }
    page = render_page(report)
    head = page[page.index('class="eyebrow"') :].partition("</p>")[0]
    before, _, after = head.partition("before RLVR")
    assert "adapter" not in before
    assert "planted/base" in after
    assert "with the adapter <b><bdi>grpo</bdi></b> after" in after
    assert "with the LoRA adapter <bdi>grpo (sha256 0123456789ab)</bdi>" in page


def test_without_an_adapter_nothing_is_said_of_one(pair):
    assert "adapter" not in render_page(build_report(compare_runs(*pair)))


def test_arms_are_named_with_their_adapters(tmp_path):
    base, rl = runs(tmp_path / "1", "grpo")
    _, other = runs(tmp_path / "2", "dapo")
    report = build_report(compare_runs(base, rl, CompareOptions(), arms={"second": other}))
    (named,) = report.summary()["arms"]["models"].values()
    assert named == "planted/base with the adapter dapo (sha256 0123456789ab)"


def test_a_threshold_belongs_to_one_adapter(tmp_path):
    base, rl = runs(tmp_path, "grpo")
    comparison = compare_runs(base, rl)
    problems, zeta = comparison.problems, comparison.zeta
    of_adapter = _study(problems, comparison.base, comparison.rl, zeta)
    assert of_adapter != _study(problems, comparison.base, comparison.base, zeta)


@pytest.mark.parametrize("name", [HOSTILE[0], HOSTILE[1], HOSTILE[3]])
def test_the_name_of_an_adapter_is_text_of_a_stranger(tmp_path, name):
    page = render_page(build_report(compare_runs(*runs(tmp_path, name))))
    assert "<script>document" not in page
    assert "<img" not in page
    assert "\u202e" not in page
