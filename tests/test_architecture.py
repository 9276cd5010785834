"""The order of the rooms, held by reading every module's imports: a room uses itself and the rooms before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bandwidth

PACKAGE = Path(bandwidth.__file__).parent
# Rooms on one line know nothing of those below. A module that stands alone (units.py) is a room by itself.
ORDER = (
    {"collector", "errors", "own_process", "plain_text", "version"},
    {"units", "statistics", "streams"},
    {"text_files"},
    {"catalog"},
    {"theory"},
    {"machine"},
    {"results"},
    {"findings"},
    {"measuring"},
    {"comparison"},
    {"offload", "fleet"},
    {"report"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}
EXEMPT = {"__init__.py", "__main__.py"}  # they import lazily, for whoever calls
NUMPY_ROOM = PACKAGE / "measuring" / "engines"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "specs" not in path.relative_to(PACKAGE).parts)
ROOMED = [path for path in MODULES if path.relative_to(PACKAGE).as_posix() not in EXEMPT]
MOST_LINES = 60


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree, path):
    """Every module that is imported anywhere in a file, functions and `if TYPE_CHECKING` among it, by its full name."""
    package = ("bandwidth", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def parse(path):
    return ast.parse(path.read_text("utf-8"))


def wrong_imports(tree, path):
    """The imports of the package that a module may not make; the bare package stands for its version only."""
    names = {name for name in imported(tree, path) if name.startswith("bandwidth.")}
    rooms = {name.split(".")[1] for name in names} - {"__version__"}
    here = room_of(path)
    return sorted(room for room in rooms if room != here and FLOOR.get(room, len(ORDER)) >= FLOOR[here])


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def test_the_modules_are_found():
    assert {"units.py", "cli/app.py", "theory/formula.py", "__init__.py"} <= {name_of(path) for path in MODULES}


@pytest.mark.parametrize("path", ROOMED, ids=name_of)
def test_every_module_stands_in_a_known_room(path):
    assert room_of(path) in FLOOR, "a new room: give it a place in ORDER"


@pytest.mark.parametrize("path", ROOMED, ids=name_of)
def test_a_room_imports_only_from_itself_and_the_rooms_before_it(path):
    assert wrong_imports(parse(path), path) == []


@pytest.mark.parametrize(
    ("file", "line", "wrong"),
    [
        ("theory/x.py", "from bandwidth.report import render", ["report"]),
        ("theory/x.py", "import bandwidth.machine.facts", ["machine"]),
        ("theory/x.py", "from bandwidth import cli", ["cli"]),
        ("theory/x.py", "from ..cli import app", ["cli"]),
        ("theory/x.py", "def f():\n    from bandwidth.measuring.run import Measurement", ["measuring"]),
        ("offload.py", "from bandwidth.fleet import x", ["fleet"]),
        ("theory/x.py", "from bandwidth.nowhere import x", ["nowhere"]),
        ("theory/x.py", "from bandwidth.theory.parts import Counts\nfrom .parts import Parts", []),
        ("cli/x.py", "from bandwidth import __version__\nfrom bandwidth.units import KIBI\nimport json", []),
    ],
)
def test_the_check_itself_sees_every_way_to_import(file, line, wrong):
    assert wrong_imports(ast.parse(line), PACKAGE / file) == wrong


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_numpy_is_imported_by_the_engines_alone(path):
    names = {name.split(".")[0] for name in imported(parse(path), path)}
    if not path.is_relative_to(NUMPY_ROOM):
        assert not names & {"numpy", "cupy", "numba"}


# Each of these libraries has one module that knows it, or one folder (a slash ends its name); the rest of the package
# works without it.
ONE_PLACE = {
    "cupy": "measuring/engines/cuda_finding.py",
    "distributed": "fleet/on_dask.py",
    "llvmlite": "measuring/engines/native_code/",
    "matplotlib": "report/figures_drawing.py",
}


def uses(library, tree, path):
    return library in {name.split(".")[0] for name in imported(tree, path)}


def is_in(place, path):
    return name_of(path).startswith(place) if place.endswith("/") else name_of(path) == place


@pytest.mark.parametrize("library", ONE_PLACE)
def test_a_library_that_may_lack_is_imported_in_one_place(library):
    users = [path for path in MODULES if uses(library, parse(path), path)]
    assert users, "nothing imports it: the place has moved"
    assert [name_of(path) for path in users if not is_in(ONE_PLACE[library], path)] == []


@pytest.mark.parametrize(
    ("library", "file", "line", "is_allowed"),
    [
        ("llvmlite", "measuring/engines/native_code/x.py", "from llvmlite import ir", True),
        ("llvmlite", "measuring/engines/native_host.py", "import llvmlite.binding as llvm", False),
        ("llvmlite", "measuring/engines/native_code.py", "from llvmlite import ir", False),
        ("llvmlite", "measuring/engines/native_code_more/x.py", "def f():\n    from llvmlite import ir", False),
        ("llvmlite", "cli/measuring/engines/native_code/x.py", "import llvmlite", False),
        ("cupy", "measuring/engines/cuda_finding.py", "import cupy", True),
        ("cupy", "measuring/engines/cuda_finding.py/x.py", "from cupy import cuda", False),
        ("cupy", "measuring/engines/cuda_device.py", "if TYPE_CHECKING:\n    import cupy", False),
    ],
)
def test_the_check_of_places_itself_sees_an_import_anywhere_else(library, file, line, is_allowed):
    path = PACKAGE / file
    assert uses(library, ast.parse(line), path)
    assert is_in(ONE_PLACE[library], path) == is_allowed


def test_numpy_is_imported_there():
    assert any("numpy" in set(imported(parse(path), path)) for path in NUMPY_ROOM.glob("*.py"))


@pytest.mark.parametrize("name", sorted(EXEMPT))
def test_the_doors_of_the_package_import_no_room_when_they_are_opened(name):
    at_top = [node for node in parse(PACKAGE / name).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {found for node in at_top for found in imported(ast.Module([node], []), PACKAGE / name)}
    assert {found for found in names if found.startswith("bandwidth.")} <= {
        "bandwidth.errors",
        "bandwidth.errors.BandwidthError",
        "bandwidth.version",
        "bandwidth.version.__version__",
    }


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path):
    if path.name.startswith("_") and path.name not in {"__init__.py", "__main__.py"}:
        return
    assert ast.get_docstring(parse(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_function_is_longer_than_a_screen(path):
    """The options of a command are counted apart: a line each, they are a list and not a course of action."""
    found = functions(parse(path))
    lengths = {f"{node.name}, line {node.lineno}": node.end_lineno - node.body[0].lineno + 1 for node in found}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
