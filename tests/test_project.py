"""The project as a whole: layers, sizes, links, and commands that the documents name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "components", "reelflow")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "kubeflow").rglob("*.md")]
)
COMMANDS = ROOT / "Makefile"

# The ground floor: every module may import it, so it imports nothing heavy.
GROUND_FLOOR = ("reelflow.base.columns", "reelflow.base.environment", "reelflow.base.errors")
LIGHT = (*GROUND_FLOOR, "reelflow.base.common", "reelflow.config")


def name_of(path: Path) -> str:
    """Path below the project, for messages."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_only_run_downwards() -> None:
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout


def normal(distribution: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared_packages(*extras: str) -> set[str]:
    """The distributions that the project names for the core and for these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    more = [project["optional-dependencies"][extra] for extra in extras]
    lines = sum(more, project["dependencies"])
    return {normal(re.split(r"[^\w.-]", line)[0]) for line in lines}


def needed_by(distributions: set[str]) -> set[str]:
    """These distributions and, where they are installed, all that they need."""
    found: set[str] = set()
    todo = set(distributions)
    while todo:
        one = todo.pop()
        found.add(one)
        try:
            lines = [line for line in requires(one) or () if "extra ==" not in line]
        except PackageNotFoundError:
            continue
        todo |= {normal(re.split(r"[^\w.-]", line)[0]) for line in lines} - found
    return found


SERVE = """
import sys
from pathlib import Path
import pipeline.cli.app, pipeline.cli.serve
from reelflow.serving.app import create_app, server_of
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions
limits = Limits(batch=2)
server_of(create_app(Versions(Path(sys.argv[1]), limits, Metrics())), limits)
import reelflow.client
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_a_server_loads_nothing_that_only_training_needs(pushed: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", SERVE, str(pushed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    distributions = packages_distributions()
    loaded = {
        normal(name) for module in answer.stdout.split() for name in distributions.get(module, [])
    }
    assert "tensorflow" in loaded
    only_training = declared_packages("train") - needed_by(declared_packages("serve"))
    assert {"tfx", "apache-beam", "mlflow", "tensorflow-recommenders"} <= only_training
    # TensorFlow imports these where they are installed.
    assert loaded & only_training <= {"dill", "pandas", "tf-keras"}


def test_every_imported_package_is_declared() -> None:
    declared = declared_packages("serve", "train")
    own = {*PACKAGES, *sys.stdlib_module_names, "tomllib"}  # of Python 3.11
    imported = {name.partition(".")[0] for path in SOURCES for name in imports(path)} - own
    # Its wheel does not say that it brings a package of another name.
    distributions = {"sklearn": ["scikit-learn"], **packages_distributions()}
    missing = {
        module
        for module in imported
        if not declared & {normal(name) for name in distributions.get(module, [module])}
    }
    assert not missing


def test_serving_needs_neither_tfx_nor_beam() -> None:
    heavy = {"tfx", "apache_beam", "tensorflow_transform", "tfx_bsl", "tensorflow_model_analysis"}
    wrong = [
        f"{name_of(path)} imports {module}"
        for name in ("serving", "saved_model")
        for path in (ROOT / "reelflow" / name).rglob("*.py")
        for module in imports(path)
        if module.partition(".")[0] in heavy
    ]
    assert not wrong


@pytest.mark.parametrize("module", LIGHT)
def test_the_ground_floor_is_light(module: str) -> None:
    heavy = "{'tensorflow', 'tfx', 'apache_beam', 'pyarrow', 'numpy', 'pandas'}"
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


QUESTION = re.compile(r"(What|Which|Whether|How|Who|Whom|Whose|Where|Why|When)\b")
VAGUE = re.compile(r"\b(nobody|somebody|anybody|whoever|everybody|everyone|someone|anyone)\b", re.I)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_words_are_plain(path: Path) -> None:
    """Docstrings say what a thing is or does, and people have a role: user, operator, caller."""
    text = path.read_text(encoding="utf-8")
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    ]
    assert [words for words in strings if QUESTION.match(words)] == []
    assert VAGUE.findall(text) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_are_short_and_documented(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    if text:
        assert ast.get_docstring(ast.parse(text)), "the module has no docstring"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_code_names_only_documents_that_exist() -> None:
    named = {
        (name_of(path), document)
        for path in SOURCES
        for document in re.findall(r"docs/[\w/.-]*\w", path.read_text(encoding="utf-8"))
    }
    missing = [
        (path, document)
        for path, document in named
        if not (ROOT / document).exists() and not list(ROOT.glob(f"{document}*"))
    ]
    assert not missing


def test_documents_name_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", COMMANDS.read_text(encoding="utf-8"), re.MULTILINE))
    documented = set(re.findall(r"^([a-z-]+):.*## ", COMMANDS.read_text("utf-8"), re.MULTILINE))
    assert {"help", "run", "test"} <= documented == targets
    for path in [*DOCUMENTS, ROOT / ".ci" / "run"]:
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)
        assert set(named) <= targets, name_of(path)


@pytest.mark.parametrize("script", ["setup.sh", ".ci/run", "tests/debian13/run.sh"])
def test_scripts_can_be_run_and_parsed(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)


def test_decisions_are_numbered_and_complete() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    for number, path in enumerate(decisions, start=1):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in text, path.name
