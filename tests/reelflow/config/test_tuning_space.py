"""The search space: to KerasTuner and back to a configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reelflow.base.errors import BadInput
from reelflow.config import Config, ModelConfig, Range, Space, TrainConfig
from reelflow.config.loading import load
from reelflow.config.tuning_space import hyperparameters, keys, merged

MODEL, TRAIN = ModelConfig(), TrainConfig()


def test_the_default_space_is_valid_and_has_the_default_configuration() -> None:
    config = Config.model_validate({"tuner": {"trials": 1}})
    space = hyperparameters(config.tuner.space, MODEL, TRAIN)
    assert {hp.name for hp in space.space} == set(keys(Space()))
    assert merged(space.values, MODEL, TRAIN) == (MODEL, TRAIN)


def test_every_draw_makes_a_configuration() -> None:
    space = hyperparameters(Space(), MODEL, TRAIN)
    for seed in range(50):
        values = {hp.name: hp.random_sample(seed) for hp in space.space}
        model, train = merged(values, MODEL, TRAIN)
        assert model.embedding_size == values["model.embedding_size"]
        assert 0.0005 <= train.learning_rate <= 0.02
        assert train.seed == TRAIN.seed


def test_ranges_of_whole_numbers_stay_whole() -> None:
    space = Space(model={"embedding_size": Range(min=4, max=64, log=True)}, train={})
    [hp] = hyperparameters(space, MODEL, TRAIN).space
    assert all(isinstance(hp.random_sample(seed), int) for seed in range(20))


def test_names_of_the_algorithm_are_no_keys() -> None:
    values = {"tuner/epochs": 2, "tuner/bracket": 1, "train.batch_size": 7}
    assert merged(values, MODEL, TRAIN) == (MODEL, TRAIN.model_copy(update={"batch_size": 7}))


def test_values_that_do_not_go_together() -> None:
    values = {"model.retrieval_weight": 0.0, "model.rating_weight": 0.0}
    with pytest.raises(ValidationError, match="both be 0"):
        merged(values, MODEL, TRAIN)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tuner.space.model.embeding=[8]", r"\[model\] has no key embeding"),
        ("tuner.space.model.embedding_size=[8, 0]", r"embedding_size: 0: .* greater"),
        ("tuner.space.model.query_dropout={min=0.0, max=1.0}", r"query_dropout: 1.0: .* less than"),
        ("tuner.space.train.learning_rate={min=1, max=0.5}", "min = 1.* below max = 0.5"),
        ("tuner.space.train.learning_rate={min=0, max=1, log=true}", "above 0 where log"),
        ("tuner.space.train.epochs=[]", "at least 1 item"),
        ("tuner.space.train.epochs=3", "it must be a list"),
    ],
)
def test_a_wrong_space_is_refused_when_it_is_read(override: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        load(None, ["tuner.trials=2", override])


def test_a_section_that_is_given_replaces_the_default_one() -> None:
    space = load(None, ["tuner.trials=2", "tuner.space.model.embedding_size=[8, 16]"]).tuner.space
    assert space.model == {"embedding_size": (8, 16)}
    assert space.train == Space().train
