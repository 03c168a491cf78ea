"""The rules of the house, read off the syntax trees: who imports whom, what is called what, what every file says of itself.

Each rule is a function of a path and its source that yields one sentence per violation, so that planted violations can
show that it bites.
"""

import ast
import os
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ("nn", "transfer")
ROOMS = (*LIBRARY, "lessons", "exercises", "benchmarks", "tests")

# A room may import itself, what other people wrote, and these rooms with all that is in them. Inside of `nn`, nobody but its
# front page may import `nn` itself: through it every room would see all others.
MAY_IMPORT = {
    "nn.autodiff": (),
    "nn.kernels": (),
    "nn.layers": ("nn.kernels",),
    "nn.models": ("nn.kernels", "nn.layers"),
    "nn.data": (),
    "nn.training": ("nn.kernels", "nn.data"),
    "nn": (),
    "transfer": ("nn",),
    "lessons": ("nn", "transfer"),
    "exercises": ("nn", "transfer"),
    "benchmarks": ("nn", "transfer"),
    "tests": ("nn", "transfer", "lessons", "exercises", "benchmarks"),
}

# What the library takes from Flax: modules, variables, random streams, and the handling of their state. Layers, losses,
# metrics and training loops are ours.
NNX = set(
    """
    Module Pytree List Dict Param BatchStat Cache Intermediate Variable data static Rngs RngStream RngState RngKey RngCount
    State GraphDef Any All Not OfType PathContains split merge update state graphdef pop clone view eval_shape filter_state
    iter_graph iter_modules iter_children recursive_map to_flat_state from_flat_state to_pure_dict replace_by_pure_dict
    jit grad value_and_grad vmap scan remat with_partitioning get_partition_spec get_named_sharding
    """.split()  # noqa: SIM905
)

DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "miscellaneous"}


def room_of(module):
    """The innermost room that a dotted name lies in, or None for other people's packages."""
    return max((room for room in MAY_IMPORT if module == room or module.startswith(room + ".")), key=len, default=None)


def name_of(path):
    """nn/layers/linear.py → nn.layers.linear, and nn/layers/__init__.py → nn.layers."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, tree):
    """Every (module, name or None) that is imported anywhere in a file, relative ones written out."""
    package = name_of(path) if path.endswith("/__init__.py") else name_of(path).rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                ancestors = package.split(".")
                above = ".".join(ancestors[: len(ancestors) - node.level + 1])
                module = f"{above}.{module}".rstrip(".")
            yield from ((module, alias.name) for alias in node.names)


def imports_that_point_the_wrong_way(path, source):
    own = room_of(name_of(path))
    for module, name in imports(path, ast.parse(source)):
        target = room_of(f"{module}.{name}" if name else module)
        allowed = (own, *MAY_IMPORT[own])
        if target and not any(target == room or target.startswith(room + ".") for room in allowed):
            yield f"{own} may not import {target}: {module}" + (f" ({name})" if name else "")


def names_that_hide_the_library(path, source):
    """`nn` means our package everywhere; Flax's and PyTorch's keep their own names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                ours = isinstance(node, ast.Import) and alias.name.split(".")[0] == "nn" and not alias.asname
                if not ours and (alias.asname or alias.name) == "nn":
                    yield f"line {node.lineno} imports something else under the name nn"
        elif isinstance(node, ast.Name) and node.id == "nn" and isinstance(node.ctx, ast.Store):
            yield f"line {node.lineno} assigns to nn"


def parts_of_flax_that_are_ours_to_write(path, source):
    tree = ast.parse(source)
    for module, name in imports(path, tree):
        if module.split(".")[0] == "flax" and (module, name) != ("flax", "nnx"):
            yield f"imports {module}" + (f" ({name})" if name else "") + "; only `from flax import nnx` is allowed"
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nnx":
            name = node.attr
        elif isinstance(node, ast.Call) and [ast.unparse(part) for part in (node.func, *node.args[:1])] == ["getattr", "nnx"]:
            name = ast.literal_eval(node.args[1]) if isinstance(node.args[1], ast.Constant) else ast.unparse(node.args[1])
        if name is not None and name not in NNX:
            yield f"line {node.lineno} uses nnx.{name}"


def imports_of_tensorflow(path, source):
    for module, _ in imports(path, ast.parse(source)):
        if module.split(".")[0] in ("tensorflow", "tensorflow_hub", "tensorflow_text"):
            yield f"imports {module}"


def missing_docstrings(path, source):
    tree = ast.parse(source)
    if ast.get_docstring(tree) is None:
        yield "the file does not say what it is"
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public = [node for node in tree.body if isinstance(node, definitions) and not node.name.startswith("_")]
    for node in public:
        if ast.get_docstring(node) is None:
            yield f"{node.name} has no docstring"


def logic_in_a_front_page(path, source):
    """An `__init__.py` is a table of contents."""
    if not path.endswith("__init__.py"):
        return
    for node in ast.parse(source).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        listed = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        if not (docstring or listed or isinstance(node, ast.Import | ast.ImportFrom)):
            yield f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}"


def drawers(path, source=""):
    for part in PurePosixPath(path).with_suffix("").parts:
        if DRAWERS & set(part.lower().split("_")):
            yield f"{part} says nothing of what is inside"


def packages_of_tests(path, source=""):
    """`tests/nn/__init__.py` would make a second package `nn`, and hide the first."""
    if path.startswith("tests/") and path.endswith("__init__.py"):
        yield "tests are no packages"


# rule: rooms that it holds in
RULES = {
    imports_that_point_the_wrong_way: ROOMS,
    names_that_hide_the_library: ROOMS,
    parts_of_flax_that_are_ours_to_write: LIBRARY,
    imports_of_tensorflow: ROOMS,
    missing_docstrings: LIBRARY,
    logic_in_a_front_page: LIBRARY,
    drawers: ROOMS,
    packages_of_tests: ROOMS,
}


def files():
    """The Python files of the house, as paths from its root; hidden folders and environments are not part of it."""
    for room in ROOMS:
        for folder, folders, names in os.walk(ROOT / room):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            for name in names:
                if name.endswith(".py"):
                    yield (Path(folder) / name).relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def sources():
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in files()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule, sources):
    held = {path: source for path, source in sources.items() if path.split("/")[0] in RULES[rule]}
    assert held
    violations = [f"{path}: {sentence}" for path, source in held.items() for sentence in rule(path, source)]
    assert not violations, "\n" + "\n".join(violations)


def test_no_folder_or_other_file_of_the_house_is_a_drawer():
    names = [path.name for path in ROOT.iterdir() if not path.name.startswith(".")]
    for room in ROOMS:
        for folder, folders, inside in os.walk(ROOT / room):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            names += [(Path(folder) / name).relative_to(ROOT).as_posix() for name in (*folders, *inside)]
    assert not [sentence for name in names for sentence in drawers(name)]


def test_every_room_of_the_library_has_its_line_in_the_table():
    rooms = {name_of(path) for path in files() if path.startswith("nn/") and path.endswith("/__init__.py")}
    assert {room for room in rooms if room.count(".") < 2} <= MAY_IMPORT.keys()


PLANTED = [
    # Layers know no model, kernels know no layer, data and training know neither.
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "from nn.models.mlp import MLP"),
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "from nn.models import MLP"),
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "from nn import models"),
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "from ..models import MLP"),
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "from .. import models"),
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "def f():\n    import nn.models.mlp as m"),
    (imports_that_point_the_wrong_way, "nn/layers/__init__.py", "from ..training import losses"),
    (imports_that_point_the_wrong_way, "nn/kernels/softmax.py", "from nn.layers import softmax"),
    (imports_that_point_the_wrong_way, "nn/models/mlp.py", "import nn.training.loop"),
    (imports_that_point_the_wrong_way, "nn/training/loop.py", "from nn.layers import Linear"),
    (imports_that_point_the_wrong_way, "nn/training/loop.py", "from nn.models import MLP"),
    (imports_that_point_the_wrong_way, "nn/data/loading.py", "from nn.layers import Linear"),
    (imports_that_point_the_wrong_way, "nn/data/loading.py", "from nn.training import fit"),
    # The way round through the front page.
    (imports_that_point_the_wrong_way, "nn/training/loop.py", "from nn import Linear"),
    (imports_that_point_the_wrong_way, "nn/training/loop.py", "import nn"),
    # nn imports no sibling, and nobody imports lessons or exercises.
    (imports_that_point_the_wrong_way, "nn/layers/linear.py", "import transfer"),
    (imports_that_point_the_wrong_way, "nn/__init__.py", "from transfer import freeze"),
    (imports_that_point_the_wrong_way, "transfer/report/html.py", "from lessons import figures"),
    (imports_that_point_the_wrong_way, "transfer/__main__.py", "import exercises.runner"),
    (imports_that_point_the_wrong_way, "transfer/__main__.py", "import tests"),
    (imports_that_point_the_wrong_way, "lessons/03_feedforward.py", "import exercises"),
    (imports_that_point_the_wrong_way, "exercises/runner/grading.py", "from lessons import figures"),
    (imports_that_point_the_wrong_way, "benchmarks/mlp.py", "from lessons.figures import draw"),
    (names_that_hide_the_library, "lessons/03_feedforward.py", "from flax import nnx as nn"),
    (names_that_hide_the_library, "lessons/03_feedforward.py", "from flax import linen as nn"),
    (names_that_hide_the_library, "lessons/03_feedforward.py", "import flax.nnx as nn"),
    (names_that_hide_the_library, "benchmarks/mlp.py", "from torch import nn"),
    (names_that_hide_the_library, "benchmarks/mlp.py", "import flax\nnn = flax.nnx"),
    (parts_of_flax_that_are_ours_to_write, "nn/layers/linear.py", "from flax import nnx\nlayer = nnx.Linear"),
    (parts_of_flax_that_are_ours_to_write, "nn/layers/linear.py", "layer = getattr(nnx, 'Linear')"),
    (parts_of_flax_that_are_ours_to_write, "nn/layers/linear.py", "layer = getattr(nnx, name)"),
    (parts_of_flax_that_are_ours_to_write, "nn/layers/linear.py", "y = nnx.relu(x)"),
    (parts_of_flax_that_are_ours_to_write, "nn/layers/linear.py", "class Linear(nnx.nn.linear.Linear): pass"),
    (parts_of_flax_that_are_ours_to_write, "nn/layers/linear.py", "from flax.nnx import Linear"),
    (parts_of_flax_that_are_ours_to_write, "transfer/adapters.py", "import flax.linen"),
    (imports_of_tensorflow, "nn/data/loading.py", "import tensorflow as tf"),
    (imports_of_tensorflow, "lessons/03_feedforward.py", "def f():\n    from tensorflow.keras import layers"),
    (missing_docstrings, "nn/layers/linear.py", "import jax"),
    (missing_docstrings, "nn/layers/linear.py", "'''What.'''\ndef linear(x):\n    return x"),
    (missing_docstrings, "nn/layers/linear.py", "'''What.'''\nclass Linear:\n    size = 3"),
    (logic_in_a_front_page, "nn/__init__.py", "'''What.'''\nimport nn.data\nDEFAULT = 3"),
    (logic_in_a_front_page, "transfer/report/__init__.py", "def f():\n    '''What.'''"),
    (drawers, "nn/utils.py", ""),
    (drawers, "transfer/report/plot_helpers.py", ""),
    (drawers, "lessons/common/figures.py", ""),
    (packages_of_tests, "tests/nn/__init__.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "source"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_violation_is_found(rule, path, source):
    assert len(list(rule(path, source))) == 1


ALLOWED = [
    ("nn/__init__.py", "'''What.'''\nfrom nn.layers import Linear as Linear\nfrom nn import data as data\n__all__ = ['data']"),
    (
        "nn/layers/linear.py",
        "'''What.'''\nfrom nn.layers.shapes import f\nfrom .initializers import g\nimport nn.kernels.matmul",
    ),
    ("nn/layers/linear.py", "'''What.'''\nfrom flax import nnx\nclass Linear(nnx.Module):\n    '''A layer.'''"),
    ("nn/training/loop.py", "'''What.'''\nfrom nn.data import load\nimport nnextlib, tensorflow_datasets as tfds"),
    (
        "nn/training/loop.py",
        "'''What.'''\ndef _private(x):\n    return x\ndef public():\n    '''What.'''\n    def inner(): ...",
    ),
    ("transfer/freezing.py", "'''What.'''\nimport nn\nfrom nn import Linear, layers\nfrom transfer.report import Report"),
    (
        "lessons/03_feedforward.py",
        "import nn\nimport nn.data, transfer\nfrom lessons import figures\nfrom flax import nnx, linen",
    ),
    ("exercises/runner/grading.py", "from exercises.runner import limits\nimport nn"),
    (
        "tests/lessons/test_lessons.py",
        "import lessons.__main__\nfrom exercises.runner import limits\nfrom torch import nn as torch_nn",
    ),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED, ids=lambda value: value)
def test_what_the_rules_allow_passes_all_of_them(path, source):
    found = {rule.__name__: list(rule(path, source)) for rule, rooms in RULES.items() if path.split("/")[0] in rooms}
    assert not any(found.values()), found
