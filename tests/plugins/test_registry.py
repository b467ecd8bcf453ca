"""The registry of entries: lookup by name, and packages that are broken or collide."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.registry import Registry
from rlvr_fast.sampling.engine import EngineKind
from rlvr_fast.sampling.engines import engine_names
from rlvr_fast.tasks.schemes import BUILT_IN, scheme_names, scheme_of

PACKAGE = Path(importlib.import_module("rlvr_fast").__file__).parent
GROUP = "rlvr_fast.engines"
ENGINE = """
from rlvr_fast.sampling import EngineKind
ENGINE = EngineKind(name={name!r}, help="", load=lambda model, revision: (model, revision))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a module, and the metadata of a package that adds it as an engine, on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(package: str, name: str, code: str) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}:ENGINE\n")
        importlib.invalidate_caches()

    yield put
    for module in [name for name in sys.modules if name.startswith("extra_")]:
        del sys.modules[module]


def engines() -> Registry[EngineKind]:
    return Registry(
        EngineKind,
        ("transformers", "vllm"),
        what="engine",
        modules="rlvr_fast.sampling.engines",
        attribute="ENGINE",
        group=GROUP,
    )


def test_names_load_no_package(install):
    install("extra-one", "one", "raise AssertionError('imported')")
    registry = engines()
    assert registry.names() == ("transformers", "vllm", "one")
    assert [str(plugin) for plugin in registry.plugins()] == ["extra-one 2.0"]
    assert "extra-one" in registry.packages()
    assert "extra_one" not in sys.modules


def test_an_entry_of_a_package_is_loaded_where_it_is_asked_for(install):
    install("extra-one", "one", ENGINE.format(name="one"))
    assert engines().get("one").load("m", revision="r") == ("m", "r")
    assert engines().plugins(load=True)[0].problem == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", r"cannot be loaded \(ModuleNotFoundError: .*no_such_module"),
        ("raise SystemExit(3)", r"cannot be loaded \(SystemExit: 3\)"),
        ("", "cannot be loaded .AttributeError"),
        ("ENGINE = 7", "EngineKind and named 'broken', got int 7"),
        (ENGINE.format(name="other"), "EngineKind and named 'broken', got EngineKind 'other'"),
    ],
)
def test_a_broken_package_is_named_and_leaves_the_others_alone(install, code, said):
    install("extra-broken", "broken", code)
    install("extra-one", "one", ENGINE.format(name="one"))
    registry = engines()
    with pytest.raises(
        RlvrError, match=rf"engine 'broken' of the package extra-broken 2\.0.*{said}"
    ):
        registry.get("broken")
    assert registry.get("one").name == "one"
    assert registry.get("transformers").name == "transformers"
    problems = {plugin.name: plugin.problem for plugin in registry.plugins(load=True)}
    assert "repair or uninstall" in problems["broken"]
    assert problems["one"] == ""


def test_a_package_cannot_take_the_name_of_a_built_in_entry(install):
    install("extra-vllm", "vllm", ENGINE.format(name="vllm"))
    registry = engines()
    assert registry.names() == ("transformers", "vllm")
    with pytest.warns(
        UserWarning, match=r"engine 'vllm' of the package extra-vllm 2\.0 is refused"
    ):
        kind = registry.get("vllm")
    assert kind is importlib.import_module("rlvr_fast.sampling.engines.vllm").ENGINE
    assert "is refused" in registry.plugins()[0].problem
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.get("vllm") is kind  # said once
        assert registry.get("transformers").name == "transformers"


def test_two_packages_with_one_name_are_both_refused(install):
    install("extra-one", "same", ENGINE.format(name="same"))
    install("extra-two", "same", ENGINE.format(name="same"))
    with pytest.raises(RlvrError, match=r"several packages \(extra-(one|two) 2\.0 and extra-"):
        engines().get("same")
    assert all("several packages" in plugin.problem for plugin in engines().plugins())


def test_error_of_an_unknown_name_suggests_the_nearest():
    with pytest.raises(InvalidInputError, match=r"unknown engine 'vlm'\. Did you mean 'vllm'\?"):
        engines().get("vlm")


@pytest.mark.parametrize("folder", ["tasks/schemes", "sampling/engines"])
def test_every_module_of_a_registry_is_listed(folder):
    listed = importlib.import_module(f"rlvr_fast.{folder.replace('/', '.')}").BUILT_IN
    there = {path.stem for path in (PACKAGE / folder).iterdir() if path.stem[0] not in "_."}
    assert set(listed) == there


def test_names_need_no_heavy_library():
    code = (
        "import sys\n"
        "from rlvr_fast.tasks.schemes import describe_schemes\n"
        "from rlvr_fast.sampling.engines import describe_engines\n"
        "print(describe_schemes(), describe_engines())\n"
        "heavy = {'torch', 'transformers', 'vllm', 'reasoning_gym', 'math_verify', 'sympy'}\n"
        "print(sorted((heavy | {'numpy', 'pyarrow', 'scipy'}) & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_names_that_pose_no_problems_are_not_offered():
    assert scheme_names()[:3] == ("reasoning_gym", "math", "code")
    assert "math_verify" not in scheme_names()
    assert engine_names()[:2] == ("transformers", "vllm")
    assert scheme_of("math_verify:opinion").load is None


def test_kinds_of_tasks_are_named_in_their_own_room_only():
    spec = re.compile(rf"({'|'.join(BUILT_IN)}):")
    found = []
    for path in PACKAGE.rglob("*.py"):
        relative = path.relative_to(PACKAGE).as_posix()
        # Readers name the fields of other tools ("code"), and a tool's own data sets; replies of
        # servers have such a field too.
        others = ("tasks/schemes/", "store/readers/", "sampling/engines/server/replies.py")
        if relative.startswith(others):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and (spec.match(text) or text in BUILT_IN):
                found.append(f"{relative}:{node.lineno}: {text!r}")
    assert not found


NEW_SCHEME = '''
"""A kind of task in one file."""

from rlvr_fast.tasks.base import Problem, Scheme


class HelloTask:
    domain = "toy"

    def __init__(self, spec, name):
        self.name, self.spec = name or spec.source, str(spec)

    def problems(self):
        return [Problem(f"{self.name}/0", self.name, "Say hello.", "hello", {"index": 0})]

    def verifier(self):
        return HelloVerifier()


class HelloVerifier:
    name, equivalence = "hello", "exact"

    def prepare(self, problem_id, metadata):
        pass

    def limit_seconds(self, metadata, timeout):
        return timeout

    def verify(self, problem_id, gold, metadata, answer):
        return "correct" if answer == gold else "incorrect"


SCHEME = Scheme(name="hello", form="hello:WORLD", help="says hello", load=HelloTask)
'''
NEW_ENGINE = '''
"""An engine in one file."""

from rlvr_fast.sampling.engine import EngineKind

ENGINE = EngineKind(name="hello", help="says hello", load=lambda model, revision: model)
'''
USE = """
from rlvr_fast.answers.workers import Pair, verify_pairs
from rlvr_fast.sampling import engine_names, load_engine
from rlvr_fast.tasks import load_task
from rlvr_fast.tasks.schemes import describe_schemes, scheme_names

task = load_task("hello:world")
print(scheme_names()[-1], engine_names()[-1], load_engine("hello", "model"))
print("hello:WORLD (says hello)" in describe_schemes())
pairs = [Pair(task.spec, "world/0", "hello", {"index": 0}, text) for text in ("hello", "bye")]
verify_pairs(pairs, lambda place, outcome: print(outcome.verdict), workers=1)
"""


def test_a_new_kind_or_engine_is_one_file_and_one_line(package_copy, tmp_path):
    for folder, module in (("tasks/schemes", NEW_SCHEME), ("sampling/engines", NEW_ENGINE)):
        (package_copy.package / folder / "hello.py").write_text(module.lstrip())
        registry = package_copy.package / folder / "__init__.py"
        before = registry.read_text("utf-8")
        registry.write_text(before.replace("\n)\n", '\n    "hello",\n)\n', 1), "utf-8")
    done = subprocess.run(
        [package_copy.python, "-c", USE], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["hello", "hello", "model", "True", "correct", "incorrect"]
