"""The `reelflow` command as a whole: its list of sub-commands, and what that costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import SUBCOMMANDS, app

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_sub_command_is_there(name: str) -> None:
    answer = CliRunner().invoke(app, [name, "--help"])
    assert answer.exit_code == 0, answer.output
    assert f"{name} [OPTIONS]" in answer.output


def test_help_lists_them_and_imports_none() -> None:
    code = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "sys.argv = ['reelflow', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'rich', 'pydantic', 'numpy', 'pyarrow', 'tensorflow', 'tfx', 'fastapi'}\n"
        "print('Imported:', *sorted(heavy & set(sys.modules)))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.endswith("Imported:\n")
    listed = answer.stdout.partition("Commands:")[2]
    assert all(f"\n  {name} " in listed for name in SUBCOMMANDS)


def test_a_mistyped_sub_command() -> None:
    answer = CliRunner().invoke(app, ["rnu"])
    assert answer.exit_code == 2
    assert "Did you mean 'run'?" in answer.output


def test_entry_points_and_sub_commands_import_no_tensorflow() -> None:
    """TensorFlow must be told of Keras 2 first, and `--help` must answer at once."""
    modules = {f"pipeline.cli.{target.partition(':')[0]}" for target, _ in SUBCOMMANDS.values()}
    modules |= {"pipeline.kubeflow.task", "pipeline.local_runner", "pipeline.beam_worker"}
    heavy = {"tensorflow", "tfx", "apache_beam", "mlflow"}
    code = f"import sys, {', '.join(sorted(modules))}; print(*sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "\n"


def test_an_interrupted_import_ends_with_the_exit_code(tmp_path: Path) -> None:
    """Under `python -m`, CPython ended by the signal if no text was executed after the import."""
    lines = [
        "import sys, types",
        "from pipeline import cli",
        "from pipeline.cli import app, output",
        "output.errors.print('Before.')",
        "def interrupted(name):",
        "    exec('raise KeyboardInterrupt')",
        "app.load = interrupted",
        "cli.main()",
    ]
    (tmp_path / "interrupted.py").write_text("\n".join(lines))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "interrupted", "runs"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 130
    assert run.stderr == "Before.\nInterrupted.\n"
