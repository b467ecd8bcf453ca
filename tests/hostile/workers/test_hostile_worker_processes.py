"""Processes of this package beside the workers: generation of problems, chat templates, remains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlvr_fast.answers import verify_answers
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.sandbox import one_request, unavailable_reason

HERE = Path(__file__).parent
TOKEN = "tok-5e4d3c2b"

# Stands in for a dataset whose code a hostile config has taken over.
PROBE = """
import json, os, socket, sys
from rlvr_fast.tasks.sandbox.one_request import STARTED

def main():
    token, marker = sys.argv[4:6]
    found = {"environment": dict(os.environ), "flags": sys.flags.hash_randomization}
    for name, attempt in {
        "read": lambda: open(token).read(),
        "list": lambda: os.listdir(os.path.dirname(token)),
        "write": lambda: open(marker, "w"),
        "connect": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[6])), 2),
    }.items():
        try:
            found[name] = str(attempt())
        except OSError as error:
            found[name] = "refused"
    os.write(int(sys.argv[2]), STARTED + json.dumps(found).encode())
"""


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    return folder


def probing(tmp_path, monkeypatch, text):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "probe_of_a_process.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(folder)


def test_what_makes_problems_is_in_bubblewrap(home, tmp_path, monkeypatch):
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    probing(tmp_path, monkeypatch, PROBE)
    monkeypatch.setenv("API_TOKEN", TOKEN)
    made = one_request.made_apart(
        "probe_of_a_process", [str(home / "token"), str(home / "marker"), "9"], seconds=60,
        most_bytes=1 << 20,
    )  # fmt: skip
    found = json.loads(made.data)
    assert (made.status, made.ended) == (0, "")
    assert TOKEN not in str(found)
    assert [found[name] for name in ("read", "list", "write", "connect")] == ["refused"] * 4
    assert found["flags"] == 0
    assert not (home / "marker").exists()


GENERATOR = """
import rlvr_fast.tasks.schemes.reasoning_gym.generate as generate
token = {token!r}
def entries(spec):
    found = []
    for path in (token, "/etc/passwd"):
        try:
            found.append(open(path).read())
        except OSError:
            found.append("refused")
    return found
generate.entries = entries
main = generate.main
"""


@pytest.mark.parametrize("walls", ["bubblewrap", "no bubblewrap"])
def test_generation_reads_nothing_of_home(home, tmp_path, monkeypatch, walls, landlocked):
    if walls == "bubblewrap" and (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    if walls != "bubblewrap":
        if not landlocked:
            pytest.skip("the kernel has no Landlock")
        monkeypatch.setattr(one_request, "unavailable_reason", lambda: "none here")
    probing(tmp_path, monkeypatch, GENERATOR.format(token=str(home / "token")))
    made = one_request.made_apart(
        "probe_of_a_process", ["reasoning_gym:countdown", "60", str(4 << 30)], seconds=120,
        most_bytes=1 << 20,
    )  # fmt: skip
    assert json.loads(made.data) == ["refused", "refused"], made


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("import select\nselect.select([], [], [], 10**6)", "time"),
        ("import os, sys\nwhile 1: os.write(int(sys.argv[2]), b'x' * 65536)", "size"),
    ],
)
def test_what_makes_problems_is_ended(tmp_path, monkeypatch, text, ended):
    body = "".join(f"    {line}\n" for line in text.split("\n"))
    probing(tmp_path, monkeypatch, f"def main():\n{body}")
    made = one_request.made_apart("probe_of_a_process", [], seconds=2.0, most_bytes=1 << 20)
    assert made.ended == ended
    assert len(made.data) < 4 << 20


@pytest.mark.parametrize(
    "given",
    [
        *({"timeout": value} for value in (float("inf"), float("nan"), 1e12, 0.0, -1.0)),
        *({"memory_mb": value} for value in (1, 1 << 60)),
        *({"workers": value} for value in (0, -1)),
    ],
    ids=str,
)
def test_limits_that_the_kernel_does_not_keep_are_refused(given):
    with pytest.raises(InvalidInputError, match="expected"):
        verify_answers([r"x^2-\sin^2(x)-\cos^2(x)"], ["x^2-1"], **given)


def test_texts_hash_alike_in_every_worker(attack):
    """Problems of several datasets depend on it."""
    found = attack(["import sys\nvalue = 7 if not sys.flags.hash_randomization else 0"])
    assert found.outcomes == [("correct", "")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["isomorphic_strings", "polynomial_multiplication", "ransom_note"])
def test_problems_that_depend_on_hashes_are_graded(attack, name):
    found = attack([None], f"reasoning_gym:{name}?seed=7&size=1", generate=True)
    assert found.outcomes == [("correct", "")]


def test_folders_of_killed_workers_are_removed_at_the_next_start(toy_path, attack, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary)}
    asked = {"spec": "evaluating:w", "answers": ["while True: pass"], "bubblewrap": False}
    process = subprocess.Popen(
        [sys.executable, HERE / "attack_runner.py"], stdin=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(toy_path), **environment},
    )  # fmt: skip
    process.stdin.write(json.dumps({**asked, "options": {"timeout": 500.0}}))
    process.stdin.close()
    deadline = time.monotonic() + 120
    # Python tries a temporary folder with a file of its own first.
    while not list(temporary.glob("rlvr-sandbox-*")):
        assert time.monotonic() < deadline, "no worker made its folder"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(temporary.glob("rlvr-sandbox-*"))) == 1
    (temporary / "rlvr-sandbox-link").symlink_to(tmp_path)
    attack(["value = 7"], bubblewrap=False, environment=environment)
    assert [path.name for path in temporary.iterdir()] == ["rlvr-sandbox-link"]


BROKEN_OUT = """
import os, socket, sys
import rlvr_fast.sampling.template_process as process
genuine = process._rendered

def rendered(first, messages, arguments):
    if not messages:
        return genuine(first, messages, arguments)
    question = messages[0]["content"]
    fcntl = __import__("fcntl")
    for attempt in (
        lambda: open(question).read(),
        lambda: os.listdir(os.path.dirname(question)),
        lambda: open("/etc/passwd").read(),
        lambda: open(question + ".marker", "w"),
        lambda: os.remove(question),
        lambda: os.fork(),
        lambda: os.kill(os.getppid(), 0),
        lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
        lambda: socket.socket(),
        lambda: os.execv("/bin/true", ["true"]),
    ):
        try:
            attempt()
        except OSError:
            continue
        return {"text": "something was not refused"}
    return {"text": "all refused"}

process._rendered = rendered
process.main()
"""


def test_a_template_that_breaks_out_finds_walls(home, landlocked):
    if not landlocked:
        pytest.skip("the kernel has no Landlock")
    from rlvr_fast.tasks.sandbox.interpreter import listed_paths, visible_paths

    first = {
        "template": "", "names": {}, "most": 99, "date": "2024-07-26", "path": [],
        "memory": 4 << 30, "seconds": 60.0,
        "readable": visible_paths(), "listed": listed_paths(),
    }  # fmt: skip
    asked = {"messages": [{"role": "user", "content": str(home / "token")}], "arguments": {}}
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_OUT],
        input=f"{json.dumps(first)}\n{json.dumps(asked)}\n",
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["", "all refused"]
    assert (home / "token").read_text() == TOKEN
    assert len(list(home.iterdir())) == 1
