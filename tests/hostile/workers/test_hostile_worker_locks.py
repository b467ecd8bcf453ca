"""The walls behind the audit hook, each alone: no hook is installed in these processes."""

from __future__ import annotations

import ast
import json
import os
import re
import select
import subprocess
import sys
from importlib import util
from pathlib import Path

import attacks
import pytest

from rlvr_fast.tasks.sandbox import LongLivedProcess, unavailable_reason
from rlvr_fast.tasks.sandbox.answer_calls import answer_filter

PROBE = """
import json, os, resource, sys
from rlvr_fast.tasks.sandbox.answer_calls import answer_filter
from rlvr_fast.tasks.sandbox.locks import drop_privileges, lock_for_an_answer
tried = json.load(sys.stdin)
won = []
pid = os.fork()  # a parent that is locked too, as a worker is
if pid:
    sys.exit(os.waitpid(pid, 0)[1])
drop_privileges()
lock_for_an_answer(60, answer_filter())
for name, text in tried.items():
    scope = {}
    try:
        exec(text, scope)
    except BaseException:
        pass
    if scope.get("value") == 7:
        won.append(name)
print(json.dumps(won))
"""
# Attacks that other walls hold: devices, and another process of this user that is not locked.
OTHERS = {
    "a terminal",
    "the parent's memory",
    "the parent's descriptors",
    "the first process's descriptors",
}


def test_the_filter_of_system_calls_alone(tmp_path):
    if answer_filter() is None:
        pytest.skip("the system calls of this processor are not known")
    victim, marker = tmp_path / "victim", tmp_path / "marker"
    victim.write_text("x")
    tried = attacks.changes(str(marker), str(victim), 9)
    tried = {name: text for name, text in tried.items() if name not in OTHERS}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=json.dumps(tried), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert not marker.exists()
    assert victim.read_text() == "x"


@pytest.mark.slow  # two seconds of a processor
def test_the_kernel_ends_an_answer_that_undoes_every_timer():
    code = (
        "import signal, resource\n"
        "from rlvr_fast.tasks.sandbox.locks import lock_for_an_answer\n"
        "lock_for_an_answer(1)\n"
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "while True: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300)
    assert done.returncode == -9


LOOK = """
import json, os, socket, sys
requests, replies = int(sys.argv[1]), int(sys.argv[2])
def main():
    def attempt(act):
        try:
            return str(act())
        except OSError as error:
            return type(error).__name__
    told = {
        "environment": sorted(os.environ),
        "processes": sorted(filter(str.isdigit, os.listdir("/proc"))),
        "secret": attempt(lambda: open(sys.argv[4]).read()),
        "home": attempt(lambda: os.listdir(os.path.dirname(sys.argv[4]))),
        "write": attempt(lambda: open("/usr/mark", "w")),
        "package": attempt(lambda: open(os.path.join(os.path.dirname(__file__), "mark"), "w")),
        "network": attempt(lambda: socket.create_connection(("127.0.0.1", 9), 1)),
        "interfaces": attempt(lambda: [name for _, name in socket.if_nameindex()]),
        "path": sys.path,
    }
    os.write(replies, json.dumps(told).encode() + b"\\n")
"""


def test_bubblewrap_alone(tmp_path, monkeypatch):
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    folder, home = tmp_path / "modules", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (folder / "looking.py").write_text(LOOK)
    (home / "secret").write_text("s3cret")
    monkeypatch.setenv("API_TOKEN", "s3cret")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(folder)
    process = LongLivedProcess("looking", [str(home / "secret")], sandboxed=True)
    try:
        select.select([process.replies], [], [], 120)
        told = json.loads(os.read(process.replies, 65536) or process.error_output())
    finally:
        process.end()
    assert "s3cret" not in json.dumps(told)
    assert {"API_TOKEN", "PYTHONPATH"}.isdisjoint(told["environment"])
    assert len(told["processes"]) <= 2
    assert told["secret"] == told["home"] == "FileNotFoundError"
    assert {told["write"], told["package"]} <= {"OSError", "PermissionError"}
    # The filter refuses sockets; where there is none, the sandbox has a network of its own.
    assert told["network"] in ("PermissionError", "ConnectionRefusedError", "OSError")
    assert told["interfaces"] in ("PermissionError", "['lo']")
    assert "" not in told["path"]


# --- Math-Verify: verified in the worker itself, as no text of an answer is evaluated


EVALUATING = {"eval", "exec", "compile", "parse_expr", "sympify", "lambdify", "__import__", "S"}
# Module and function with a call of these, and why an answer's text is no code there.
KNOWN = {
    # of text that EXPRESSION matches: digits, signs, parentheses and blanks
    ("math_verify.parser", "parse_expr_cached", "parse_expr"),
    # of values that callers give for variables; Math-Verify gives none
    ("latex2sympy2_extended.latex2sympy2", "__init__", "parse_expr"),
    # of objects that the parser has made
    ("latex2sympy2_extended.logic", "__new__", "sympify"),
}


def calls(package):
    root = Path(util.find_spec(package).origin).parent
    for path in sorted(root.rglob("*.py")):
        module = ".".join((package, *path.relative_to(root).with_suffix("").parts))
        text = path.read_text("utf-8")
        if not any(f"{name}(" in text for name in EVALUATING):
            continue  # the parsers that ANTLR made are long
        tree = ast.parse(text)
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    attribute_of_re = isinstance(node.func, ast.Attribute) and name == "compile"
                    if name in EVALUATING and not attribute_of_re:
                        yield module, getattr(function, "name", "lambda"), name


def test_math_verify_evaluates_where_we_know_it():
    found = {*calls("math_verify"), *calls("latex2sympy2_extended")}
    assert found == KNOWN, "read the new calls: can text of an answer reach them as code?"


def test_what_math_verify_evaluates_has_no_letters():
    from math_verify.parser import ExprExtractionConfig, lazy_expr_regex

    group = re.compile(r"\(\?P<expr>(.*?\]\+\\\)\?)\)")
    for pattern, _ in lazy_expr_regex(ExprExtractionConfig()):
        if "(?P<expr>" not in pattern.pattern:
            continue
        expression = group.search(pattern.pattern)[1]
        letters = re.sub(r"\\[ds.+*/^()×÷\-]", "", expression)
        assert not re.search(r"[A-Za-z_\\\"'@:=\[{]", letters.replace("[", "")), expression


TEXTS = [
    "__import__('os').system('true')", "().__class__.__base__", "exec('1')", "lambda: 1", "f(1)",
    r"\boxed{__import__('os')}", r"\text{__import__('os').system('true')}", "print(1)",
    r"\operatorname{exec}(1)", r"\operatorname{__import__}(os)", r"\mathrm{eval}(x)",
    "1 if print(1) else 2", "[x for x in (1,)]", "9.__class__", "1.real", "1_0", "0x10",
    "1,__import__('os')", "{1: 2}", "'a'*9", "`id`", "$__import__('os')$", "12 + print(3)",
    r"x_{__import__('os')}", r"\sqrt{exec('1')}", r"\begin{matrix}exec(1)\end{matrix}",
    r"\log_{exec(1)}{2}", r"f'(x)=eval(1)", "3 × (4 ÷ 2) ^ 2", "(1)(2)", "1/2", "2**3",
]  # fmt: skip
WATCH = """
import json, re, sys
from rlvr_fast.tasks import load_verifier
texts = json.load(sys.stdin)
verifiers = [load_verifier("math:golds"), load_verifier("math_verify:opinion")]
for verifier in verifiers:
    verifier.prepare("p", {})
    for gold, answer in (("1/2", "0.5"), ("x^2", "x*x"), ("{1,2}", "2,1"), ("x>1", "1<x")):
        verifier.verify("p", gold, {"multiple_answers": True, "tolerance": "0.1"}, answer)
compiled = []
def hook(event, arguments):
    if event == "compile" and arguments[1] is not None:
        source, name = arguments
        if name in ("<string>", b"<string>", "<unknown>", "<lambdifygenerated-1>") or source:
            compiled.append([repr(source)[:300], repr(name)])
sys.addaudithook(hook)
for text in texts:
    for verifier in verifiers:
        for pair in ((text, text), ("7", text), (r"\\frac{1}{2}", text)):
            try:
                verifier.verify("p", pair[0], {"multiple_answers": True}, pair[1])
            except Exception:
                pass
print(json.dumps(compiled))
"""


@pytest.mark.slow
def test_no_text_of_an_answer_is_compiled_by_math_verify():
    done = subprocess.run(
        [sys.executable, "-c", WATCH], input=json.dumps(TEXTS), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    compiled = json.loads(done.stdout.splitlines()[-1])
    assert compiled, "the hook saw nothing, so it proves nothing"
    for source, name in compiled:
        assert not re.search(r"__import__|exec|print|lambda|system|class|eval\(", source), name
