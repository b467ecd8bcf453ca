"""Imports between the rooms (docs/design.md) go down only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rlvr_fast"

# How errors are raised, files opened and the text of strangers shown: every room may use these.
FLOOR = {"errors", "safe_files", "shown_text", "lazy_names"}

# room -> the rooms it may import. A top-level module is a room of its own.
ALLOWED = {
    "shown_text": set(),
    "lazy_names": set(),
    "errors": {"shown_text"},
    "safe_files": {"errors"},
    "vocabulary": set(),
    "options": {"errors"},
    "registry": {"errors"},
    "progress": set(),
    "yaml_text": {"errors"},
    "model_files": FLOOR,
    "models": FLOOR | {"model_files"},
    "adapter_files": FLOOR | {"model_files"},
    "adapters": FLOOR | {"model_files", "models", "adapter_files"},
    "adapted_models": FLOOR | {"adapter_files", "adapters"},
    "prompt_tokens": set(),
    "onednn": set(),
    "paths": set(),
    "expansion": set(),
    "ipc_sizes": {"expansion"},
    "ipc_batches": {"expansion", "ipc_sizes"},
    "tasks": FLOOR | {
        "vocabulary", "registry", "paths", "expansion", "ipc_sizes", "ipc_batches",
    },
    "store": FLOOR | {
        "vocabulary", "options", "progress", "yaml_text", "paths", "expansion", "ipc_sizes",
        "ipc_batches", "tasks",
    },
    "metrics": {"errors", "vocabulary"},
    "sampling": FLOOR | {
        "vocabulary", "options", "registry", "progress", "models", "model_files",
        "adapter_files", "adapters", "adapted_models", "onednn", "prompt_tokens", "tasks", "store",
        "_core",
    },
    "answers": FLOOR | {"vocabulary", "options", "progress", "tasks", "store", "_core"},
    "scoring": FLOOR | {
        "vocabulary", "options", "progress", "models", "adapters", "adapted_models", "onednn",
        "prompt_tokens", "store", "_core",
    },
    "report": FLOOR | {"vocabulary", "options", "progress", "tasks", "store", "metrics"},
    "study": FLOOR | {
        "options", "progress", "yaml_text", "demo_models", "models", "adapters", "adapted_models",
        "tasks", "store", "sampling", "answers", "scoring", "report",
    },
    "tracking": FLOOR | {"options", "registry", "progress"},
    "console": FLOOR | {"progress"},
    "doctor": FLOOR | {"vocabulary", "tasks", "sampling", "store", "answers", "_core"},
    "cli": FLOOR | {
        "options", "progress", "console", "study", "doctor", "store", "sampling", "answers",
        "scoring", "report", "metrics", "yaml_text", "tasks", "tracking",
    },
    "__main__": {"cli"},
    "demo_models": {"errors"},
    "__init__": {"lazy_names"},
}  # fmt: skip

# Folders of a room, each of which may import those before it.
FOLDERS = {"scoring": ["kernels", "models", "runs"]}

# library -> the only files that may import it, anywhere in the package
ONLY_IN = {
    "vllm": ("sampling/engines/vllm/package.py",),
    "aiohttp": ("sampling/engines/server/client.py",),
    "transformers": (
        "models.py", "scoring/models/scorer.py", "scoring/models/forward.py",
        "sampling/engines/transformers/", "sampling/template_process.py",
    ),
    "peft": ("adapted_models.py",),
    "wandb": ("tracking/trackers/wandb.py",),
    "trackio": ("tracking/trackers/trackio.py",),
    "matplotlib": ("report/",),
    "jinja2": ("report/", "sampling/template_process.py"),
    "reasoning_gym": ("tasks/schemes/reasoning_gym/",),
    "math_verify": ("tasks/schemes/math_verify.py",),
    "flint": ("tasks/schemes/math/",),
    "mpmath": ("tasks/schemes/math/evaluation/operators.py",),
    "datasets": ("tasks/hub.py",),
    "huggingface_hub": ("tasks/hub.py",),
    "typer": ("cli/",),
    "rich": ("console.py",),
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py"))


def room_of(relative: Path) -> str:
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int]]:
    """Every module named by an import statement in `path`, at any depth, with its line."""
    found = []
    package = ["rlvr_fast", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found.append((module, node.lineno))
            if module == "rlvr_fast":
                found += [(f"rlvr_fast.{alias.name}", node.lineno) for alias in node.names]
    return found


def module_name(path: Path) -> str:
    """The dotted name of a file, as in "rlvr_fast.store.run"; a package stands for its __init__."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """The modules among `known` that a file imports, also inside functions and for types alone."""
    found = set()
    package = ["rlvr_fast", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part)
            names = {f"{source}.{alias.name}" for alias in node.names}
            # `from package import module` needs the module; the package itself only for a name.
            found |= names & known
            if names - known:
                found.add(source)
    return found & known


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every set of at least two nodes that reach each other (Tarjan, SIAM J. Comput. 1, 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in graph[node]:
            if target not in order:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a", "f"}, "f": {"e"}}
    assert sorted(circles(graph)) == [["b", "c"], ["e", "f"]]


def test_no_circles_of_imports() -> None:
    """Neither between rooms nor inside one; an import inside a function counts as well."""
    names = {module_name(path): path for path in modules()}
    graph = {name: imported_modules(path, set(names)) - {name} for name, path in names.items()}
    assert not circles(graph)


def public_names(path: Path) -> set[str] | None:
    """What `__all__` of a file lists; None without an `__all__` that is a plain list."""
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            assert isinstance(node, ast.Assign)
            if isinstance(node.value, ast.List):
                elements = node.value.elts
                if all(isinstance(element, ast.Constant) for element in elements):
                    return {ast.literal_eval(element) for element in elements}
    return None


def test_imported_names_are_public() -> None:
    """What one file imports from another stands in the other's `__all__`."""
    names = {module_name(path): path for path in modules()}
    problems = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.ImportFrom) and node.module in names):
                continue
            listed = public_names(names[node.module])
            for alias in node.names:
                if f"{node.module}.{alias.name}" in names or node.module == "rlvr_fast":
                    continue
                if listed is not None and alias.name not in listed:
                    problems.append(
                        f"{path.relative_to(ROOT)}:{node.lineno}: {alias.name} is not in "
                        f"__all__ of {node.module}"
                    )
    assert not problems, "\n".join(problems)


def test_every_room_is_named() -> None:
    assert {room_of(p.relative_to(PACKAGE)) for p in modules()} <= set(ALLOWED)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    room = room_of(relative)
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "rlvr_fast" and len(parts) > 1:
            target = parts[1]
            known = target in ALLOWED or target == "_core"
            assert not known or target == room or target in ALLOWED[room], (
                f"{relative}:{line}: {room} may not import {target}"
            )
        for library, homes in ONLY_IN.items():
            assert parts[0] != library or str(relative).startswith(homes), (
                f"{relative}:{line}: only {', '.join(homes)} may import {library}"
            )


@pytest.mark.parametrize("room", FOLDERS)
def test_folders_of_a_room_import_downwards(room: str) -> None:
    folders = FOLDERS[room]
    seen = set()
    for number, folder in enumerate(folders):
        for path in sorted((PACKAGE / room / folder).rglob("*.py")):
            for name, line in imports(path):
                target = name.removeprefix(f"rlvr_fast.{room}.").split(".")[0]
                if not name.startswith(f"rlvr_fast.{room}.") or target not in folders:
                    continue
                seen.add(target)
                assert target in folders[: number + 1], (
                    f"{path.relative_to(PACKAGE)}:{line}: {folder} may not import {target}"
                )
    assert seen >= set(folders[:-1])  # the names are those of folders


CPP_ALLOWED = {
    "math": {"math"},
    "common": {"common", "math"},
    "scoring": {"scoring", "common", "math"},
    "answers": {"answers", "common"},
    "python": {"python", "scoring", "answers", "common", "math"},
}


def test_includes_go_down_only() -> None:
    csrc = ROOT / "csrc"
    sources = [p for p in csrc.rglob("*") if p.suffix in {".cpp", ".hpp", ".cu", ".cuh", ".h"}]
    assert sources
    for path in sources:
        room = path.relative_to(csrc).parts[0]
        for line, text in enumerate(path.read_text("utf-8").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
            if not match:
                continue
            sibling = path.parent / match[1]
            target = (
                sibling.resolve().relative_to(csrc).parts[0]
                if sibling.exists()
                else match[1].split("/")[0]
            )
            assert target in CPP_ALLOWED[room], f"{path.relative_to(ROOT)}:{line}: {match[1]}"
            assert "Python.h" not in match[1] or room == "python"
        if room != "python":
            assert "pybind11" not in path.read_text("utf-8"), f"{path}: the core knows no Python"


def test_no_circles_of_includes() -> None:
    csrc = ROOT / "csrc"
    paths = {
        p for p in csrc.rglob("*") if p.suffix in {".cpp", ".hpp", ".cu", ".cuh", ".h", ".inl"}
    }
    graph: dict[str, set[str]] = {str(p): set() for p in paths}
    for path in paths:
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text("utf-8"), re.M):
            for target in ((path.parent / name).resolve(), csrc / name):
                if target in paths:
                    graph[str(path)].add(str(target))
                    break
    assert sum(map(len, graph.values())) > 50
    assert not circles(graph)


def test_import_is_light() -> None:
    """`import rlvr_fast` pulls in no heavy library until a name that needs it is used."""
    code = (
        "import sys, rlvr_fast\n"
        "heavy = {'torch', 'transformers', 'vllm', 'matplotlib', 'scipy', 'pyarrow', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_command_line_is_light() -> None:
    code = (
        "import sys, rlvr_fast.cli\n"
        "heavy = {'torch', 'transformers', 'vllm', 'matplotlib', 'scipy', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_exist() -> None:
    import rlvr_fast

    for name in rlvr_fast.__all__:
        assert getattr(rlvr_fast, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        rlvr_fast.nonsense  # noqa: B018


def test_rooms_of_the_reader() -> None:
    """Terms know neither text nor values, and each module among the kinds of answers is a kind."""
    reader = PACKAGE / "tasks" / "schemes" / "math"
    room = "rlvr_fast.tasks.schemes.math"
    names = {module_name(path) for path in modules()}
    forbidden = {"terms": ("parsing", "evaluation"), "parsing": ("evaluation",)}
    forbidden["evaluation"] = ("parsing",)
    for folder, others in forbidden.items():
        for path in (reader / folder).glob("*.py"):
            for name in imported_modules(path, names):
                wrong = tuple(f"{room}.{other}" for other in (*others, "kinds", "parts"))
                assert not name.startswith(wrong), f"{path.name} imports {name}"
    (line,) = re.findall(r"KINDS = \((.*?)\n\)", (reader / "kinds/__init__.py").read_text(), re.S)
    kinds = {path.stem for path in (reader / "kinds").glob("*.py")} - {"__init__"}
    assert set(re.findall(r'^    "(\w+)"', line, re.M)) == kinds
