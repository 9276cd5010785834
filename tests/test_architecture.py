"""The order of the rooms, held by reading every module's imports: a room uses itself and the rooms before it.

Each test looks at every module and names all that break its rule.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import bandwidth

PACKAGE = Path(bandwidth.__file__).parent
# Rooms on one line know nothing of those below. A module that stands alone (units.py) is a room by itself.
ORDER = (
    {"errors", "own_process", "plain_text", "version", "vocabulary"},
    {"units", "statistics", "streams"},
    {"text_files", "cpu_list"},
    {"kernels", "cache_files"},
    {"catalog"},
    {"theory"},
    {"machine"},
    {"results"},
    {"ceilings"},
    {"analysis"},
    {"engines"},
    {"planning"},
    {"measuring"},
    {"findings"},
    {"comparison"},
    {"offload", "fleet"},
    {"tokens"},
    {"report"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}
EXEMPT = {"__init__.py", "__main__.py"}  # they import lazily, for whoever calls
NUMPY_ROOM = PACKAGE / "engines"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "specs" not in path.relative_to(PACKAGE).parts)
ROOMED = [path for path in MODULES if path.relative_to(PACKAGE).as_posix() not in EXEMPT]
MOST_LINES = 60
# Each of these libraries has one module that knows it, or one folder (a slash ends its name); the rest of the package
# works without it.
ONE_PLACE = {
    "cupy": "engines/cuda/device.py",
    "distributed": "fleet/on_dask.py",
    "llvmlite": "engines/host/native_code/",
    "matplotlib": "report/figures/",
    "pyopencl": "engines/opencl/discovery.py",
}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(tree, path):
    """Every module that is imported anywhere in a file, functions and `if TYPE_CHECKING` among it, by its full name."""
    return tuple(_imported(tree, path))


def _imported(tree, path):
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


@cache
def tree_of(path):
    return ast.parse(path.read_text("utf-8"))


def wrong_imports(tree, path):
    """The imports of the package that a module may not make; the bare package stands for its version only."""
    names = {name for name in imported(tree, path) if name.startswith("bandwidth.")}
    rooms = {name.split(".")[1] for name in names} - {"__version__"}
    here = room_of(path)
    return sorted(room for room in rooms if room != here and FLOOR.get(room, len(ORDER)) >= FLOOR[here])


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def libraries(tree, path):
    return {name.split(".")[0] for name in imported(tree, path)}


def is_in(place, path):
    return name_of(path).startswith(place) if place.endswith("/") else name_of(path) == place


def opened_with(tree, path):
    """The modules of the package that a module imports at its top, when it is itself imported."""
    at_top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return {name for name in imported(ast.Module(at_top, []), path) if name.startswith("bandwidth.")}


def long_functions(tree):
    """The functions beyond a screen. Options of a command are counted apart: a line each, they are a list."""
    lengths = {f"{one.name}, line {one.lineno}": one.end_lineno - one.body[0].lineno + 1 for one in functions(tree)}
    return {name: length for name, length in lengths.items() if length > MOST_LINES}


def test_a_room_imports_only_from_itself_and_the_rooms_before_it():
    assert {"units.py", "cli/app.py", "theory/formula.py", "__init__.py"} <= {name_of(path) for path in MODULES}
    homeless = [name_of(path) for path in ROOMED if room_of(path) not in FLOOR]
    assert homeless == [], "a new room: give it a place in ORDER"
    wrong = {name_of(path): wrong_imports(tree_of(path), path) for path in ROOMED}
    assert {name: rooms for name, rooms in wrong.items() if rooms} == {}


def test_the_doors_of_the_package_import_no_room_when_they_are_opened():
    allowed = {f"bandwidth.{name}" for name in ("errors", "errors.BandwidthError", "version", "version.__version__")}
    assert {name: opened_with(tree_of(PACKAGE / name), PACKAGE / name) - allowed for name in EXEMPT} == {
        name: set() for name in EXEMPT
    }


def test_a_library_that_may_lack_is_imported_in_its_place_alone():
    places = {**ONE_PLACE, **dict.fromkeys(("numpy", "numba"), f"{name_of(NUMPY_ROOM)}/")}
    used = {path: libraries(tree_of(path), path) for path in MODULES}
    users = {library: [path for path in MODULES if library in used[path]] for library in places}
    assert [library for library in places if library != "numba" and not users[library]] == [], "the place has moved"
    misplaced = {
        library: [name_of(path) for path in users[library] if not is_in(places[library], path)] for library in users
    }
    assert {library: paths for library, paths in misplaced.items() if paths} == {}


def test_every_module_says_what_it_is_and_no_function_is_longer_than_a_screen():
    told = [path for path in MODULES if not path.name.startswith("_") or path.name in EXEMPT]
    assert [name_of(path) for path in told if not ast.get_docstring(tree_of(path))] == []
    long = {name_of(path): long_functions(tree_of(path)) for path in MODULES}
    assert {name: found for name, found in long.items() if found} == {}


def test_the_checks_themselves_see_what_breaks_a_rule():
    wrong = [
        (file, line, rooms)
        for file, line, rooms in (
            ("theory/x.py", "from bandwidth.report import render", ["report"]),
            ("theory/x.py", "import bandwidth.machine.facts", ["machine"]),
            ("theory/x.py", "from bandwidth import cli", ["cli"]),
            ("theory/x.py", "from ..cli import app", ["cli"]),
            ("theory/x.py", "def f():\n    from bandwidth.measuring.run import Measurement", ["measuring"]),
            ("offload.py", "from bandwidth.fleet import x", ["fleet"]),
            ("theory/x.py", "from bandwidth.nowhere import x", ["nowhere"]),
            ("theory/x.py", "from bandwidth.theory.parts import Counts\nfrom .parts import Parts", []),
            ("cli/x.py", "from bandwidth import __version__\nfrom bandwidth.units import KIBI\nimport json", []),
        )
        if wrong_imports(ast.parse(line), PACKAGE / file) != rooms
    ]
    assert wrong == []
    unseen = [
        (file, line)
        for library, file, line, is_allowed in (
            ("llvmlite", "engines/host/native_code/x.py", "from llvmlite import ir", True),
            ("llvmlite", "engines/host/runners.py", "import llvmlite.binding as llvm", False),
            ("llvmlite", "engines/host/native_code.py", "from llvmlite import ir", False),
            ("llvmlite", "engines/host/native_code_more/x.py", "def f():\n    from llvmlite import ir", False),
            ("llvmlite", "cli/engines/host/native_code/x.py", "import llvmlite", False),
            ("cupy", "engines/cuda/device.py", "import cupy", True),
            ("cupy", "engines/cuda/device.py/x.py", "from cupy import cuda", False),
            ("cupy", "engines/cuda/transfers.py", "if TYPE_CHECKING:\n    import cupy", False),
        )
        if library not in libraries(ast.parse(line), PACKAGE / file)
        or is_in(ONE_PLACE[library], PACKAGE / file) != is_allowed
    ]
    assert unseen == []
    long = ast.parse("def f():\n" + "    x = 1\n" * (MOST_LINES + 1) + "def g():\n" + "    x = 1\n" * MOST_LINES)
    assert list(long_functions(long)) == ["f, line 1"]
    assert opened_with(
        ast.parse("from bandwidth.cli import app\ndef f():\n    import bandwidth.report"), PACKAGE / "x.py"
    ) == {
        "bandwidth.cli",
        "bandwidth.cli.app",
    }
