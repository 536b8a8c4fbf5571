"""Costs that a run in one process need not pay: imports that it does not use, repeated work.

`import tfx` alone loads ten thousand modules, the greater part of them clients of Google Cloud,
Kubernetes and Docker, and Keras 3 by way of KerasTuner. Two kinds of modules are in the way:

- packages whose `__init__` imports all others (`LAZY`): they are entered without that, and each
  name is imported when it is first asked for, so that nothing is missing;
- what Beam and TFDV import if it is installed (`ABSENT`): they are told that it is not.
"""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from reelflow.base.environment import prepare
from reelflow.config import BeamConfig

LAZY: Final = frozenset(
    {
        "tensorflow_model_analysis.view",
        "tfx.components",
        "tfx.v1",
        "tfx.v1.components",
        "tfx.v1.extensions",
        "tfx.v1.orchestration",
        "tfx_bsl.public.beam",
    }
)
ABSENT: Final = frozenset({"IPython", "google.cloud.bigquery", "google.cloud.pubsub"})


def import_lightly(beam: BeamConfig) -> bool:
    """Import TFX and Beam lightly from now on, if every step of a run stays in this process.

    Args:
        beam: any other engine than the built-in one, and arguments of the user's own, may need
            what is left out.

    Returns:
        False if nothing was changed.
    """
    if beam.preset != "direct" or beam.args or "tfx" in sys.modules:
        return False
    prepare()
    if not any(isinstance(finder, _Light) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Light())
    return True


def settle() -> None:
    """Spare the steps of a run what TFX and Beam, once they are imported, make slow.

    Python's collector no longer walks the modules, and Beam, which looks through the methods of
    every step a dozen times, inspects each function once.
    """
    from apache_beam.transforms import core

    if not gc.get_freeze_count():  # once: what is frozen is never collected
        gc.collect()
        gc.freeze()
    if not hasattr(core.get_function_args_defaults, "__wrapped__"):
        core.get_function_args_defaults = once_a_function(core.get_function_args_defaults)


Inspected = tuple[list[str], list[Any]]


def once_a_function(inspect: Callable[[Any], Inspected]) -> Callable[[Any], Inspected]:
    """Return `inspect`, remembering the answers for functions and methods as long as they live."""
    known: WeakKeyDictionary[Any, dict[bool, Inspected]] = WeakKeyDictionary()

    @wraps(inspect)
    def remembered(function: Any) -> Inspected:
        bound = isinstance(function, MethodType)
        key = function.__func__ if bound else function
        if not isinstance(key, FunctionType):
            return inspect(function)
        answers = known.setdefault(key, {})
        if bound not in answers:
            answers[bound] = inspect(function)
        names, defaults = answers[bound]
        return [*names], [*defaults]

    return remembered


class _Light(MetaPathFinder):
    """Finds the packages of `LAZY` with a loader of ours, and refuses those of `ABSENT`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that is loaded in another way than usual.

        Raises:
            ImportError: it is one that a run on this machine does without.
        """
        if name in ABSENT:
            words = 'a run with beam.preset = "direct" does without it; choose another preset'
            raise ImportError(f"{name} is not loaded: {words}.", name=name)
        if name not in LAZY:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = LazyPackage(name, spec.loader.path)
        return spec


class LazyPackage(SourceFileLoader):
    """Loads a package without what it imports of its own: each name when it is asked for.

    All else that its `__init__` does is done: that of newer TFX mends what TFMA no longer exports.
    """

    def exec_module(self, module: ModuleType) -> None:
        """Run the package's own code, and note where the other names are from."""
        own = _Own(module.__name__.partition(".")[0])
        tree = ast.fix_missing_locations(own.visit(ast.parse(self.get_data(self.path))))
        module.__dict__["__getattr__"] = partial(_load, module, own.origins)
        exec(compile(tree, self.path, "exec"), module.__dict__)


class _Own(ast.NodeTransformer):
    """Takes the imports of a distribution's own names out of a module."""

    def __init__(self, distribution: str) -> None:
        self.origins: dict[str, tuple[str, str]] = {}
        """Name to module and name there."""
        self._distribution = distribution

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        module = node.module or ""
        if node.level or module.partition(".")[0] != self._distribution:
            return node
        self.origins |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
        return ast.copy_location(ast.Pass(), node)


def _load(module: ModuleType, origins: dict[str, tuple[str, str]], name: str) -> Any:
    if name not in origins:
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
    origin, original = origins[name]
    try:
        value = import_module(f"{origin}.{original}")
    except ModuleNotFoundError as error:
        if error.name != f"{origin}.{original}":
            raise
        if origin == module.__name__:
            raise AttributeError(f"{origin} has no module {name!r}") from error
        value = getattr(import_module(origin), original)
    setattr(module, name, value)
    return value
