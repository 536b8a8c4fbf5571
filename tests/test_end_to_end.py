"""The whole pipeline by its command: pushed, cached, refused, trained anew, rolled back.

And damaged rows, to the byte; and titles that would do things to a terminal.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.common import content_hash
from reelflow.base.untrusted import printable
from reelflow.data.quarantine import CONFLICT, REASONS, QuarantinedRow
from reelflow.data.sample import write_sample
from reelflow.registry.push import versions
from reelflow.registry.store import Registry
from reelflow.saved_model import golden
from reelflow.saved_model.catalogue import Catalogue
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RECOMMEND, SIGNATURES
from reelflow.saved_model.files import GOLDEN
from tests.command import ROOT, Ended, reelflow, reelflow_process
from tests.ingested import read_quarantine

pytestmark = pytest.mark.slow

ROWS = 8_000
EACH = ROWS // 100
"""Damaged rows of each kind: 1 %."""

CONFIG = """
[data]
partitions = 2
max_quarantined = 0.1
[model]
embedding_size = 16
rating_embedding_size = 8
[train]
seeds = 1
epochs = 6
learning_rate = 0.01
rating_learning_rate = 0.01
[gate]
baselines = ["popularity"]
"""


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
"""What the titles of all movies hold: it names the window, clears the screen, colours, turns."""


@dataclass(frozen=True)
class Run:
    """What a run of the command left."""

    code: int
    out: str
    summary: dict[str, Any]
    serving: dict[str, bytes]
    """Files of the serving folder and their bytes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="module")
def damaged(folder: Path) -> dict[str, list[bytes]]:
    """A sample with damaged rows among the good ones, and these by reason."""
    data = write_sample(folder / "data", users=160, movies=300, ratings=ROWS)
    movies = (data / "movies.csv").read_text(encoding="utf-8")
    movies = re.sub(r" \((?=\d{4}\))", f"{HOSTILE} (", movies)
    (data / "movies.csv").write_text(movies, encoding="utf-8")
    header, *good = (data / "ratings.csv").read_bytes().splitlines()
    random = np.random.default_rng(0)

    def broken(reason: str, row: bytes) -> bytes:
        user, movie, stars, time = row.split(b",")
        return {
            "columns": b",".join([user, movie, stars]),
            "duplicate": row,
            "empty_id": b",".join([b"", movie, stars, time]),
            "encoding": b",".join([user, movie, stars, time + b"\xff"]),
            "rating": b",".join([user, movie, b"good", time]),
            "rating_range": b",".join([user, movie, b"5.5", time]),
            "timestamp": b",".join([user, movie, stars, b"yesterday"]),
            "timestamp_range": b",".join([user, movie, stars, b"-5"]),
            "unknown_movie": b",".join([user, b"9" + movie + b"9999", stars, time]),
        }[reason]

    reasons = [reason.name for reason in REASONS if reason is not CONFLICT]  # of other files
    found, extra = {}, []
    drawn = random.choice(len(good), [len(reasons), EACH], replace=False)
    for reason, rows in zip(reasons, drawn, strict=True):
        found[reason] = [broken(reason, good[i]) for i in rows]
        # Anywhere in the file, though a duplicate only behind what it repeats.
        extra += [
            (random.uniform(i, len(good)), row) for i, row in zip(rows, found[reason], strict=True)
        ]
    lines = sorted([*enumerate(good), *extra], key=lambda line: line[0])
    text = b"\n".join([header, *(line for _, line in lines)]) + b"\n"
    (data / "ratings.csv").write_bytes(text)
    (folder / "quick.toml").write_text(CONFIG)
    return found


def _run(folder: Path, *options: str, command: Callable[..., Ended] = reelflow) -> Run:
    words = ["--data", folder / "data", "--output", folder / "out"]
    ended = command("run", *words, "--config", folder / "quick.toml", *options)
    summary = json.loads((folder / "out" / "latest" / "summary.json").read_text())
    serving = folder / "out" / "serving"
    files = {
        str(path.relative_to(serving)): path.read_bytes()
        for path in sorted(serving.rglob("*"))
        if path.is_file()
    }
    return Run(ended.code, ended.output, summary, files)


@pytest.fixture(scope="module")
def first(folder: Path, damaged: dict[str, list[bytes]]) -> Run:
    return _run(folder, command=reelflow_process)


@pytest.fixture(scope="module")
def second(folder: Path, first: Run) -> Run:
    return _run(folder)


@pytest.fixture(scope="module")
def absurd(folder: Path, second: Run) -> Run:
    return _run(folder, "--set", "train.learning_rate=1000", "--set", "train.refit=false")


def test_a_model_is_pushed(first: Run) -> None:
    assert first.code == 0, first.out
    assert first.summary["error"] is None
    assert first.summary["gate"] == {"blessed": True, "reasons": [], "not_gated": []}
    assert first.summary["serving_check"]["blessed"] is True
    assert Path(first.summary["pushed"], "saved_model.pb").is_file()


def test_the_terminal_is_quiet(first: Run) -> None:
    """No word of TensorFlow, Beam and the like."""
    assert not re.search(r"warning|traceback|deprecat|^[WIE]\d{4} ", first.out, re.I | re.M)


def test_the_summary_has_every_documented_key(first: Run) -> None:
    """docs/summary.md is held to what a run leaves."""
    text = (ROOT / "docs" / "summary.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[^|]+`) \|", text, re.M)
    named = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert len(named) > 15
    for name in named:
        where: Any = first.summary
        for key in name.split("."):
            if key == "<name>":
                key = "popularity"
            assert key in where, name
            where = where[key]
    assert {name.split(".")[0] for name in named} >= set(first.summary)


def test_metrics_are_complete_and_plausible(first: Run) -> None:
    metrics, floor = first.summary["metrics"], first.summary["baselines"]["popularity"]
    for figures in (metrics, floor):
        for protocol in ("raw", "unseen"):
            shares = [figures[protocol][f"top_{k}"] for k in (1, 5, 10, 50, 100)]
            assert shares == sorted(shares)
            assert 0 <= shares[0] <= shares[-1] <= 1
        assert figures["unseen"]["mrr"] >= figures["raw"]["mrr"]
        assert 0 < figures["mae"] <= figures["rmse"]
    assert metrics["unseen"]["top_100"] > floor["unseen"]["top_100"]


def test_damaged_rows_are_counted_exactly(first: Run, damaged: dict[str, list[bytes]]) -> None:
    data = first.summary["data"]
    assert data["quarantined"] == {reason: len(rows) for reason, rows in damaged.items()}
    assert data["rows"] == ROWS == sum(data["splits"].values())
    assert data["rows_read"] == ROWS + sum(map(len, damaged.values()))


def test_damaged_rows_can_be_recovered(
    first: Run, folder: Path, damaged: dict[str, list[bytes]]
) -> None:
    [path] = (folder / "out" / "artifacts").rglob("quarantine.tsv")
    with path.open("rb") as file:
        rows: list[QuarantinedRow] = list(read_quarantine(file))
    by_reason = {reason: Counter(r.row for r in rows if r.reason == reason) for reason in damaged}
    assert by_reason == {reason: Counter(lines) for reason, lines in damaged.items()}
    lines = (folder / "data" / "ratings.csv").read_bytes().split(b"\n")
    assert all(lines[row.line - 1] == row.row for row in rows)


def test_the_pushed_model_answers_by_itself(first: Run) -> None:
    loaded = tf.saved_model.load(first.summary["pushed"])
    inputs = {
        name: tf.constant(one.default, tf.as_dtype(one.dtype))
        for name, one in SIGNATURES[RECOMMEND].inputs.items()
        if one.default is not None
    }
    asked = {"user_id": tf.constant(["1", "nobody"]), "k": tf.constant(7)}
    found = loaded.signatures["serving_default"](**{**inputs, **asked})
    assert found["movie_id"].shape == found["score"].shape == (2, 7)
    assert found["source"].numpy().tolist() == [b"user", b"popularity"]
    stars = loaded.signatures["rate"](user_id=tf.constant(["1"]), movie_id=tf.constant(["1"]))
    assert 0.5 <= float(stars["rating"][0]) <= 5
    similar = loaded.signatures["similar"](movie_id=found["movie_id"][0, :1], k=tf.constant(3))
    assert found["movie_id"][0, 0] not in similar["movie_id"][0]


def test_reloaded_it_answers_as_before_the_export(first: Run) -> None:
    pushed = Path(first.summary["pushed"])
    signatures = Signatures.load(pushed)
    for each in golden.read(pushed / GOLDEN):
        answers = signatures.ask(each.signature, each.inputs)
        for name, values in each.outputs.items():
            if np.asarray(values).dtype.kind == "f":
                np.testing.assert_allclose(answers[name], values, rtol=1e-4, atol=1e-5)
            else:
                assert answers[name] == values


@pytest.mark.parametrize("which", ["first", "second", "absurd"])
def test_every_run_has_its_report(folder: Path, which: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(which)
    left = folder / "out" / "runs" / run.summary["run_id"]
    html = (left / "report.html").read_text(encoding="utf-8")
    for key in ("gate", "ranking", "slices", "examples", "map", "data", "training", "run"):
        assert f'<section id="{key}"' in html
    assert not re.search(r"https?://", html)
    assert run.summary["run_id"] in html  # completed when the run had ended
    words = "was pushed as version" if run.summary["pushed"] else "refused by the gate"
    assert words in html
    assert words in (left / "model_card.md").read_text(encoding="utf-8")
    assert (left / "model_card.html").is_file()
    assert "\nReport " in run.out


def test_runs_are_listed_and_compared(folder: Path, absurd: Run) -> None:
    output = ["--output", folder / "out"]
    listed = reelflow("runs", "--json", *output)
    runs = json.loads(listed.stdout)
    assert [run["state"] for run in runs] == ["refused", "pushed", "pushed"]
    names = [runs[-1]["run_id"], runs[0]["run_id"]]
    compared = reelflow("report", *names, *output)
    assert compared.code == 0, compared.stderr
    assert "train.learning_rate" in compared.stdout
    assert Path(compared.stdout.splitlines()[-1]).is_file()


def test_hostile_titles_reach_no_terminal_no_log_and_no_page(
    folder: Path, first: Run, absurd: Run
) -> None:
    pushed, output = Path(first.summary["pushed"]), ["--output", folder / "out"]
    [title] = [m.title for m in Catalogue.load(pushed).movies.values()][:1]
    assert "\x1b" in title  # inside, it is as it was
    user = ["--user", "1"]
    commands = [
        ["recommend", *user, *output],
        ["recommend", *user, "--json", *output],
        ["similar", "--movie", "1", *output],
        ["rate", *user, "--movie", "1", *output],
        ["runs", *output],
        ["models", "list", *output],
        ["models", "show", *output],
        ["data", "inspect", folder / "data"],
    ]
    texts = {str(words): reelflow(*words).output for words in commands}
    left = folder / "out" / "runs" / first.summary["run_id"]
    names = ["report.html", "model_card.html", "model_card.md", "log.txt"]
    texts |= {name: (left / name).read_text(encoding="utf-8") for name in names}
    texts |= {"run": first.out, "refused": absurd.out}
    for name, text in texts.items():
        assert printable(text) == text, name
    assert "]0;owned" in texts["run"]


def test_the_owner_alone_may_read_what_a_run_leaves(folder: Path, absurd: Run) -> None:
    left = [path for path in (folder / "out").rglob("*") if not path.is_symlink()]
    assert len(left) > 100
    assert [path for path in left if path.stat().st_mode & 0o077] == []


def test_again_everything_comes_from_the_cache(first: Run, second: Run) -> None:
    assert second.code == 0, second.out
    assert "everything: data and configuration are as before" in second.out
    nodes = {node for node in second.summary["seconds"] if not node.endswith("Resolver")}
    assert nodes <= set(second.summary["cached"])
    same = ("data", "metrics", "baselines", "gate", "pushed", "registered", "champion")
    for key in (*same, "config_hash", "data_hash"):
        assert second.summary[key] == first.summary[key]
    assert second.serving == first.serving


def test_an_absurd_learning_rate_is_refused(first: Run, absurd: Run) -> None:
    assert absurd.code == 3, absurd.out
    assert absurd.summary["gate"]["blessed"] is False
    assert absurd.summary["pushed"] is None
    assert absurd.summary["champion"] == first.summary["metrics"]
    reasons = absurd.summary["gate"]["reasons"]
    assert reasons
    for reason in reasons:
        assert re.search(r"^Guard|(top-100 accuracy|RMSE).*'overall'", reason)
        assert reason in absurd.out
    assert "RatingsExampleGen" in absurd.summary["cached"]
    assert "Trainer" not in absurd.summary["cached"]


def test_the_champion_stays(first: Run, absurd: Run) -> None:
    assert absurd.serving == first.serving
    assert absurd.summary["config_hash"] != first.summary["config_hash"]
    assert absurd.summary["data_hash"] == first.summary["data_hash"]


@pytest.fixture(scope="module")
def grown(folder: Path, absurd: Run) -> Run:
    """The same with new users' ratings. What is tested above must come before."""
    with (folder / "data" / "ratings.csv").open("ab") as file:
        for row in write_rows(folder):
            file.write(row)
    return _run(folder, *LENIENT)


LENIENT = [
    *("--set", "gate.rmse_margin=1", "--set", "gate.top_100_accuracy_margin=1"),
    *("--set", "gate.baselines=[]", "--set", "train.refit=false"),
]


def write_rows(folder: Path) -> list[bytes]:
    """What the users 1 to 19 rated, by users who are new."""
    sample = write_sample(folder / "again", users=160, movies=300, ratings=ROWS)
    rows = (sample / "ratings.csv").read_bytes().splitlines(keepends=True)[1:]
    return [b"new" + row for row in rows if int(row.split(b",")[0]) < 20]


def _models(folder: Path, *words: str) -> str:
    answer = reelflow("models", *words, "--output", folder / "out")
    assert answer.code == 0, answer.output
    return answer.stdout


def _champion(folder: Path) -> tuple[int, str]:
    """The registry's champion, and the hash of what the serving folder serves."""
    [champion] = [v for v in json.loads(_models(folder, "list", "--json")) if v["aliases"]]
    base = folder / "out" / "serving" / "reelflow"
    served = content_hash(base / str(versions(base)[-1]))
    assert champion["model_hash"] == served
    return champion["version"], served


def test_new_ratings_are_held_against_the_registrys_champion(first: Run, grown: Run) -> None:
    assert grown.code == 0, grown.out
    assert grown.summary["data"]["rows"] > ROWS
    assert grown.summary["champion"] is not None
    for run, number in ((first, 1), (grown, 2)):
        assert run.summary["registered"]["version"] == number
        assert run.summary["registered"]["alias"] == "champion"
    assert "Registry" in grown.out


def test_versions_are_listed_promoted_and_rolled_back(folder: Path, grown: Run) -> None:
    assert _champion(folder)[0] == 2  # what was refused is not registered
    second = _champion(folder)
    assert "Version 1 is champion" in _models(folder, "promote", "1")
    first = _champion(folder)
    assert first[0] == 1
    assert first[1] != second[1]
    assert "Version 2 is champion" in _models(folder, "rollback")
    assert _champion(folder) == second
    assert "Version 1 is champion" in _models(folder, "rollback")
    assert _champion(folder) == first
    differences = _models(folder, "diff", "1", "2")
    for name in ("RMSE", "gate.rmse_margin", "User vocabulary", "Data"):
        assert name in differences


def test_another_run_does_not_undo_a_rollback(folder: Path, grown: Run) -> None:
    again = _run(folder, *LENIENT)
    assert again.code == 0, again.out
    assert "everything: data and configuration are as before" in again.out
    assert _champion(folder)[0] == 1
    # What the cache remembers is held against what is there.
    assert again.summary["registered"]["alias"] == ""
    assert "version 2 of reelflow, without an alias by now" in again.out
    assert "was pushed after it, and is served" in again.out


def test_a_deleted_registered_model_is_registered_again(folder: Path, grown: Run) -> None:
    registry = Registry(f"sqlite:///{folder / 'out/registry/mlflow.db'}", "reelflow")
    registry.client.delete_registered_model("reelflow")
    again = _run(folder, *LENIENT)
    assert again.code == 0, again.out
    assert "RegistryPusher" not in again.summary["cached"]
    champion = registry.by_alias("champion")
    assert champion is not None
    assert champion.model_hash == again.summary["registered"]["model_hash"]
    assert "champion" in again.out
