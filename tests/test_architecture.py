"""The arrows between the rooms of the house (docs/design.md) go down only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rlvr_fast"

# room -> the rooms it may import. A top-level module is a room of its own.
ALLOWED = {
    "errors": set(),
    "vocabulary": set(),
    "options": {"errors"},
    "progress": set(),
    "models": {"errors"},
    "products": set(),
    "tasks": {"errors", "vocabulary"},
    "store": {"errors", "vocabulary", "progress"},
    "metrics": {"errors", "vocabulary"},
    "sampling": {
        "errors", "vocabulary", "options", "progress", "models", "products", "tasks", "store",
    },
    "answers": {"errors", "vocabulary", "options", "progress", "tasks", "store", "_core"},
    "scoring": {
        "errors", "vocabulary", "options", "progress", "models", "products", "store", "_core",
    },
    "report": {"errors", "vocabulary", "options", "progress", "tasks", "store", "metrics"},
    "study_config": {
        "errors", "options", "sampling", "answers", "scoring", "report", "demo_models",
    },
    "study": {
        "errors", "study_config", "progress", "store", "sampling", "answers", "scoring", "report",
    },
    "console": {"errors", "progress"},
    "doctor": {"errors", "vocabulary", "store", "answers", "_core"},
    "cli": {
        "errors", "options", "progress", "console", "study_config", "study", "doctor", "store",
        "sampling", "answers", "scoring", "report", "metrics",
    },
    "__main__": {"cli"},
    "demo_models": {"errors"},
    "__init__": set(),
}  # fmt: skip

# library -> the only files that may import it, anywhere in the package
ONLY_IN = {
    "vllm": ("sampling/vllm",),
    "transformers": (
        "models.py", "scoring/scorer.py", "scoring/heads.py", "sampling/transformers",
    ),
    "matplotlib": ("report/",),
    "jinja2": ("report/",),
    "reasoning_gym": ("tasks/",),
    "math_verify": ("answers/", "tasks/"),
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
