"""TOML and overrides become a configuration, or one clear message."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.config import Config, loading
from reelflow.config.loading import DEFAULT_PRESET, preset_names, to_toml


@pytest.mark.parametrize("name", loading.bundled_names())
def test_bundled_configurations_load(name: str) -> None:
    assert loading.load(name).data.format.value != "auto"


def test_without_a_source_the_defaults_hold() -> None:
    assert loading.load() == Config()


def test_a_file_and_overrides_are_merged(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[train]\nepochs = 7\nseed = 3\n", encoding="utf-8")
    config = loading.load(path, ["train.epochs=8", "data.columns.user_id=customer"])
    assert (config.train.epochs, config.train.seed) == (8, 3)
    assert config.data.columns == {"user_id": "customer"}


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.path=/a b/c", "/a b/c"),
        ('data.path="2024"', "2024"),
        ("data.path=2024-01-31", "2024-01-31"),
        ("data.path=a=b", "a=b"),
        ("data.path=x\ny", "x\ny"),
    ],
)
def test_text_needs_no_quotes(override: str, value: str) -> None:
    assert loading.load(None, [override]).data.path == value


def test_values_are_toml() -> None:
    overrides = ['gate.baselines=["popularity", "ease"]', "data.use_users=true", "split.test=0.2"]
    config = loading.load(None, overrides)
    assert config.gate.baselines == ("popularity", "ease")
    assert config.data.use_users is True
    assert config.split.test == 0.2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epoch=4", ["unknown key train.epoch", "Did you mean train.epochs?"]),
        ("epochs=4", ["Did you mean train.epochs?"]),
        ("trian.epochs=4", ["Did you mean train?"]),
        ("wholly.other=4", ["The sections are data, data_gate, split"]),
        ("gate.zzz=4", ["[gate] knows protocol"]),
        ("train.epochs=0", ["train.epochs = 0", "a whole number, at least 1"]),
        ("data.max_quarantined=2", ["at least 0 and at most 1"]),
        ("gate.rmse_max=-1", ["gate.rmse_max = -1", "above 0"]),
        (
            "split.kind=foo",
            ['split.kind = "foo"', "auto, temporal, last, random, leave_last, predefined"],
        ),
        ("gate.protocol=x", ["raw, unseen"]),
        ("split.kind=predefined", ["split.train and split.test"]),
        ("train=3", ["this is a section"]),
        ("split.train=[1]", ["split.train = [1]"]),
        ("nonsense", ["not of the form section.key=value"]),
        ("train..epochs=3", ["not of the form section.key=value"]),
    ],
)
def test_wrong_overrides_are_explained(override: str, words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        loading.load("sample", [override])
    assert "--set" in caught.value.message
    assert caught.value.exit_code == 2
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_value_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[train]\nepochs = 0\n[gate]\nfoo = 1\n", encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        loading.load(path)
    lines = caught.value.message.splitlines()
    assert len(lines) == 2
    assert all(str(path) in line for line in lines)


def test_an_override_of_a_value_as_a_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("train = 3\n", encoding="utf-8")
    with pytest.raises(BadInput, match="not a section"):
        loading.load(path, ["train.epochs=3"])


@pytest.mark.parametrize(
    ("content", "words"), [(b"[train\n", "not valid TOML"), (b"a = '\xff'", "not UTF-8")]
)
def test_unreadable_files(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        loading.load(path)


@pytest.mark.parametrize("name", preset_names())
def test_presets_load(name: str) -> None:
    assert (loading.load(preset=name) == Config()) is (name == DEFAULT_PRESET)


def test_a_preset_lies_below_the_file_and_the_file_below_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = "[train]\nepochs = 1\nseed = 1\npatience = 9\n[model]\nlogq = false\n"
    (tmp_path / "mine.toml").write_text(preset, encoding="utf-8")
    monkeypatch.setattr("reelflow.config.loading._PRESETS", tmp_path)
    path = tmp_path / "my.cfg"
    path.write_text("[train]\nepochs = 2\nseed = 2\n", encoding="utf-8")
    config = loading.load(path, ["train.epochs=3"], "mine")
    assert (config.train.epochs, config.train.seed, config.train.patience) == (3, 2, 9)
    assert config.model.logq is False


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match="bets: there is no such preset; did you mean best") as error:
        loading.load(preset="bets")
    assert error.value.remedy == f"There are: {', '.join(preset_names())}."


def test_a_missing_file_lists_the_bundled_names() -> None:
    with pytest.raises(BadInput, match="movielens-1m"):
        loading.load("nowhere.toml")


@pytest.mark.parametrize("comments", [True, False])
def test_what_is_rendered_can_be_read_back(tmp_path: Path, comments: bool) -> None:
    overrides = ['data.columns.user_id=a "b"', "data.delimiter='\t'", "push.directory=/x"]
    config = loading.load("netflix", overrides)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config, comments), encoding="utf-8")
    assert loading.load(path) == config


def test_rendering_explains_every_key() -> None:
    text = to_toml(Config())
    assert "# Optimizer of the weights; on parameter servers" in text
    assert "# path = (not set)" in text


def test_the_hash_tells_what_is_done_not_where() -> None:
    here, there = (loading.load(None, [f"data.path=/{x}"]) for x in "ab")
    other = loading.load(None, ["train.seed=1"])
    assert loading.config_hash(here) == loading.config_hash(there)
    assert loading.config_hash(here) != loading.config_hash(other)
