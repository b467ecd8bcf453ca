"""An interpreter of our own for code of this package: isolated, with known import paths.

`python -m MODULE` looks for every module in the current folder first, and PYTHON* variables change
what an interpreter does. Here a process is started with -P, -s and -S in an environment of its own
(`minimal_environment`), and told where packages lie: rlvr_fast itself, the folders of installed
packages (their .pth files are read, so that editable installs and packages that add kinds of tasks
work), and the folders of PYTHONPATH. The standard library comes first. The user's current folder
and the folder of the user's script are no places to import from. -I would be -P, -s and -E, and -E
ignores PYTHONHASHSEED, on which the problems of several datasets depend.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import site
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import rlvr_fast

__all__ = ["isolated_python", "listed_paths", "minimal_environment", "visible_paths"]

# sys.argv: "-c", settings, then the arguments of MODULE.main().
_START = """
import json, sys
told = json.loads(sys.argv.pop(1))
import importlib, importlib.util, os, site
here = importlib.util.spec_from_file_location(
    "rlvr_fast", told["init"], submodule_search_locations=told["package"])
for folder in told["sites"]:
    site.addsitedir(folder)
sys.path[:] = [path for path in sys.path if os.path.isabs(path)]
sys.path += [path for path in told["more"] if path not in sys.path]
package = importlib.util.module_from_spec(here)
sys.modules["rlvr_fast"] = package
here.loader.exec_module(package)
importlib.import_module(told["module"]).main()
"""
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_MODULE_ENDINGS = (".py", ".so", ".pyd", ".dist-info", ".egg-info")


def isolated_python(
    module: str, arguments: Sequence[str] = (), *, executable: str | None = None
) -> list[str]:
    """The command that runs `main()` of a module of this package in an isolated interpreter.

    It is isolated in `minimal_environment`, which holds no PYTHON* variable of the user.

    Args:
        module: the dotted name.
        arguments: become sys.argv[1:].
        executable: the interpreter; by default that of this process.
    """
    told = {
        "init": rlvr_fast.__file__,
        "package": list(rlvr_fast.__path__),
        "sites": _site_folders(),
        "more": _python_path(),
        "module": module,
    }
    python = executable or sys.executable
    return [python, "-P", "-s", "-S", "-c", _START, json.dumps(told), *arguments]


def minimal_environment(home: str) -> dict[str, str]:
    """The whole environment of such a process: no variable that could hold a secret.

    Args:
        home: a folder that the process may write to, for libraries that want one (matplotlib, which
            Reasoning Gym imports, refuses to be imported without).
    """
    libraries = os.pathsep.join(map(str, _library_folders()))
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "MPLCONFIGDIR": home,
        "MPLBACKEND": "agg",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        **({"LD_LIBRARY_PATH": libraries} if libraries else {}),
        **({"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}),
    }


def visible_paths(modules: Iterable[str] = ()) -> list[str]:
    """The files and folders that such a process has to see, apart from the system's in /usr.

    Of a home folder these are the interpreter, its library and the folders of packages; of a folder
    that is no folder of installed packages (an editable install, PYTHONPATH) the packages and
    modules alone.

    Args:
        modules: top-level modules that may lie elsewhere (an editable install by an import hook).
    """
    base, python = Path(sys.base_exec_prefix), Path(sys.executable).resolve()
    wanted = [python, base / "lib", base / "lib64", Path(os.__file__).parent, *_library_folders()]
    if python.is_relative_to("/nix/store"):
        wanted.append(Path("/nix/store"))
    wanted += [Path("/etc/localtime"), *map(Path, rlvr_fast.__path__)]
    wanted += _package_folders()
    for path in map(Path, listed_paths()):
        wanted += _modules_in(path)
    for module in modules:
        wanted += _places_of(module)
    return [str(path) for path in _without_nested(wanted)]


def listed_paths() -> list[str]:
    """The folders that such a process imports from and of which it needs the names of files alone.

    They are no folders of installed packages: the sources of an editable install, PYTHONPATH.
    """
    packages = _package_folders()
    named = [path for folder in packages for path in _named_by_pth(folder)]
    named += map(Path, _python_path())
    return [
        str(path)
        for path in dict.fromkeys(named)
        if _holds(Path.is_dir, path) and path not in packages
    ]


def _package_folders() -> list[Path]:
    """The folders of installed packages."""
    named = [*_site_folders(), *(path for path in sys.path if path.endswith(_PACKAGE_FOLDERS))]
    return [Path(path) for path in dict.fromkeys(named)]


def _site_folders() -> list[str]:
    folders = [*site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return [folder for folder in dict.fromkeys(folders) if folder in sys.path]


def _python_path() -> list[str]:
    """The folders of PYTHONPATH, but for the current folder and that of the user's script."""
    return [path for path in _folders_of("PYTHONPATH") if path in sys.path]


def _library_folders() -> list[Path]:
    return [Path(path) for path in _folders_of("LD_LIBRARY_PATH")]


def _folders_of(variable: str) -> list[str]:
    """The folders that a variable names, but for home and where a stranger's file may lie."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    shunned = {Path("/")}
    with contextlib.suppress(RuntimeError):
        shunned.add(Path.home().resolve())
    with contextlib.suppress(FileNotFoundError):  # the current folder was deleted
        shunned.add(Path.cwd().resolve())
        if script:
            shunned.add(Path(script).resolve().parent)
    named = dict.fromkeys(os.environ.get(variable, "").split(os.pathsep))
    return [
        path
        for path in named
        if Path(path).is_absolute()
        and _holds(Path.is_dir, Path(path))
        and Path(path).resolve() not in shunned
    ]


def _named_by_pth(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.glob("*.pth")):
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                yield folder / line.rstrip()


def _modules_in(folder: Path) -> list[Path]:
    """Packages, modules and metadata of packages in a folder that may hold other things."""
    try:
        names = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        path
        for path in names
        if path.name.endswith(_MODULE_ENDINGS) or _holds(Path.is_file, path / "__init__.py")
    ]


def _places_of(module: str) -> list[Path]:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return []
    if spec is None:
        return []
    found = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
    return [Path(path) for path in found if Path(path).is_absolute()]


def _without_nested(paths: Iterable[Path]) -> Iterator[Path]:
    """Existing paths in order of depth, without those inside /usr or inside another one."""
    kept = [Path("/usr")]
    there = {Path(os.path.normpath(path)) for path in paths if _holds(Path.exists, path)}
    for path in sorted(there, key=lambda path: (len(path.parts), str(path))):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
            yield path


def _holds(question: Callable[[Path], bool], path: Path) -> bool:
    """The answer about a path; no where its folder is closed to this user."""
    try:
        return question(path)
    except OSError:
        return False
