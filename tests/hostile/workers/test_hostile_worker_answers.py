"""Programs in place of answers, handed to a verifier that evaluates them: no grammar helps."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import attacks
import pytest

HERE = Path(__file__).parent
TOKEN = "tok-9f8e7d6c"
SHORT = {"WALL_FACTOR": 1.0, "WALL_SLACK": 1.0, "MOST_FACTOR": 1.0, "MOST_SLACK": 60.0}


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    (folder / "verdicts.jsonl").write_text(TOKEN)
    return folder


def test_changes_of_files_processes_and_networks(attack, home, walls):
    victim, marker = home / "token", home / "marker"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        tried = attacks.changes(str(marker), str(victim), server.getsockname()[1])
        found = attack(
            list(tried.values()), bubblewrap=walls, options={"timeout": 2.0, "workers": 1}
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    assert {name for name, v in zip(tried, found.verdicts, strict=True) if v == "correct"} == set()
    assert not marker.exists()
    assert victim.read_text() == TOKEN
    assert victim.stat().st_mode & 0o777 != 0


def test_thefts(attack, home, walls, landlocked):
    if not walls and not landlocked:
        pytest.skip("no bubblewrap asked for, and the kernel has no Landlock")
    tried = attacks.thefts(str(home / "token"), str(home / "verdicts.jsonl"), TOKEN)
    environment = {"HOME": str(home), "API_TOKEN": TOKEN}
    found = attack(
        [*tried.values(), "value = 7"], environment=environment, bubblewrap=walls,
        options={"workers": 1},
    )  # fmt: skip
    assert found.sandboxed == walls
    assert found.verdicts[-1] == "correct"
    assert {n for n, v in zip(tried, found.verdicts, strict=False) if v == "correct"} == set()
    assert TOKEN not in str(found.outcomes)


def test_environments_without_bubblewrap_and_landlock(attack, home):
    tried = attacks.thefts(str(home / "token"), str(home / "verdicts.jsonl"), TOKEN)
    tried = {name: text for name, text in tried.items() if "environment" in name}
    assert len(tried) == 4
    found = attack(
        list(tried.values()), environment={"API_TOKEN": TOKEN}, bubblewrap=False,
        options={"workers": 1},
    )  # fmt: skip
    assert "correct" not in found.verdicts
    assert TOKEN not in str(found.outcomes)


@pytest.mark.parametrize("spec", ["loaded:{home}", "loaded:/", "loaded:/proc/self/environ"])
def test_a_spec_opens_no_folder_to_answers(attack, home, walls, spec, landlocked):
    if not walls and not landlocked:
        pytest.skip("no bubblewrap asked for, and the kernel has no Landlock")
    reads = f"value = 7 if open({str(home / 'token')!r}).read() else 0"
    lists = f"import os\nvalue = 7 if os.listdir({str(home)!r}) else 0"
    found = attack(
        [reads, lists, "value = 7"], spec.format(home=home), bubblewrap=walls,
        options={"workers": 1},
    )  # fmt: skip
    assert found.sandboxed == walls
    assert found.verdicts == ["error", "error", "correct"]


def test_a_file_that_a_verifier_reads_has_to_be_pinned(toy_path, home):
    asked = {"spec": f"pinned:{home / 'token'}", "answers": ["value = 7"]}
    done = subprocess.run(
        [sys.executable, HERE / "attack_runner.py"], input=json.dumps(asked), text=True,
        env={**os.environ, "PYTHONPATH": str(toy_path)}, capture_output=True, check=False,
    )  # fmt: skip
    assert "names a file without its SHA-256" in done.stderr
    assert TOKEN not in done.stderr + done.stdout


def test_an_answer_changes_no_verdict_of_another(attack, walls):
    between = []
    for text in attacks.PATCHES.values():
        between += [text, "value = 8", "value = 7"]
    found = attack(between, bubblewrap=walls, options={"workers": 1})
    assert found.verdicts[1::3] == ["incorrect"] * len(attacks.PATCHES)
    assert found.verdicts[2::3] == ["correct"] * len(attacks.PATCHES)
    backwards = attack(between[::-1], bubblewrap=walls, options={"workers": 1})
    assert backwards.outcomes[::-1] == found.outcomes


def test_details_name_no_folder(attack, walls):
    raising = ["raise ValueError(__import__('rlvr_fast').__file__)", "open('/some/folder/x')"]
    found = attack(raising, bubblewrap=walls, options={"workers": 1})
    assert found.outcomes[0] == ("error", "ValueError: __init__.py")
    assert found.outcomes[1][0] == "error"
    assert "folder" not in found.outcomes[1][1]


@pytest.mark.parametrize("spec", ["evaluating:w", "shared:w"])
def test_random_numbers_are_those_of_the_answer_alone(attack, spec):
    drawn = "import random\nvalue = 7 if random.random() == random.Random(0).random() else 0"
    found = attack([drawn, "import random\nrandom.seed(5)", drawn], spec, options={"workers": 1})
    assert [found.verdicts[0], found.verdicts[2]] == ["correct", "correct"]


def test_what_an_answer_writes_is_no_verdict(attack, walls):
    answers = []
    for text in attacks.REPLIES.values():
        answers += [text, "value = 8", "value = 7"]
    found = attack(answers, bubblewrap=walls, options={"workers": 1})
    wrong = dict(zip(attacks.REPLIES, found.outcomes[::3], strict=True))
    assert {name for name, (verdict, _) in wrong.items() if verdict == "correct"} == set()
    assert found.verdicts[1::3] == ["incorrect"] * len(wrong)
    assert found.verdicts[2::3] == ["correct"] * len(wrong)
    assert all(len(detail) <= 200 for _, detail in found.outcomes)
    assert "\x1b" not in str(found.outcomes)
    assert "Traceback" not in found.said


@pytest.mark.slow  # each attack takes its processor time twice
def test_a_worker_that_answers_share_keeps_its_protocol_and_its_neighbours(attack, walls):
    """A verifier that evaluates without saying so: answers run in the worker itself."""
    answers = []
    for text in attacks.REPLIES.values():
        answers += [text, "value = 8", "value = 7"]
    found = attack(answers, "shared:w", bubblewrap=walls, options={"workers": 1})
    wrong = dict(zip(attacks.REPLIES, found.outcomes[::3], strict=True))
    assert {name for name, (verdict, _) in wrong.items() if verdict == "correct"} == set()
    assert found.verdicts[1::3] == ["incorrect"] * len(wrong)
    assert found.verdicts[2::3] == ["correct"] * len(wrong)
    assert found.peak_mib < 512
    assert "Traceback" not in found.said


def ended(attack, tried, spec, walls):
    found = attack(
        [*tried.values(), "value = 7"], spec, bubblewrap=walls, wall=SHORT,
        options={"workers": 1, "timeout": 0.2},
    )  # fmt: skip
    assert found.verdicts[-1] == "correct"
    return dict(zip(tried, found.verdicts, strict=False))


@pytest.mark.slow
def test_nothing_extends_the_time(attack, walls):
    tried = {
        "an ignored signal": attacks.ENDLESS["an ignored signal"],
        "a lock": attacks.SLEEPS["a lock"],
    }
    assert set(ended(attack, tried, "evaluating:w", walls).values()) == {"timeout"}


@pytest.mark.slow  # each attack takes its time twice
@pytest.mark.parametrize("spec", ["evaluating:w", "shared:w"])
def test_nothing_at_all_extends_the_time(attack, walls, spec):
    verdicts = ended(attack, {**attacks.ENDLESS, **attacks.SLEEPS}, spec, walls)
    assert set(verdicts.values()) <= {"timeout", "error"}
    assert {verdicts[name] for name in attacks.ENDLESS} == {"timeout"}
