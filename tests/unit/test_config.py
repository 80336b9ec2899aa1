"""The configuration: what is accepted, and what a mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.config import TrainConfig, load_config, make_config, parse_overrides
from sojourn.errors import ConfigError

MINIMAL = {"name": "run", "updates": 3, "env": {"name": "babyai"}, "horizon": {"kind": "fixed", "turns": 5}}


def test_the_smallest_configuration_is_complete():
    config = make_config(MINIMAL)
    assert config.run_dir == Path("runs/run")
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polcy": {}}, "did you mean 'policy'"),
        ({"policy": {"modle": "x"}}, "did you mean 'model'"),
        ({"policy": {"base": {"hiden_size": 3}}}, "did you mean 'hidden_size'"),
        ({"horizon": {"kind": "stepwise", "stages": [1], "evry": 1}}, "did you mean 'every'"),
        ({"horizon": {"kind": "growing"}}, "horizon"),
        ({"horizon": {"kind": "stepwise", "stages": [], "every": 1}}, "horizon.stepwise.stages"),
        ({"updates": 0}, "updates: Input should be greater than or equal to 1 (got 0)"),
        ({"policy": {"constraint": "admissible"}}, "policy.action_format"),
        ({"env": {"name": "babyai", "split": "test"}}, "env.split"),
        ({"optim": {"learning_rate": -1}}, "optim.learning_rate"),
    ],
)
def test_a_mistake_names_its_key(change, message):
    with pytest.raises(ConfigError) as caught:
        make_config(MINIMAL | change)
    assert message in str(caught.value)


def test_a_missing_key_is_named():
    with pytest.raises(ConfigError, match="horizon: is required"):
        make_config({"name": "x", "updates": 1, "env": {"name": "babyai"}})


def test_overrides_reach_into_tables(tmp_path):
    file = tmp_path / "my-run.toml"
    file.write_text('updates = 3\n[env]\nname = "babyai"\n[horizon]\nkind = "fixed"\nturns = 5\n')
    config = load_config(file, ["--updates", "7", "--policy.model=some/model", "--env.options.style", "agentgym"])
    assert (config.updates, config.policy.model, config.name) == (7, "some/model", "my-run")
    assert config.env.options == {"style": "agentgym"}


def test_overrides_are_read_as_toml_or_text():
    arguments = ["--a", "1", "--b=[1, 2]", "--c", "true", "--d", "plain text", "--e=0.5"]
    assert parse_overrides(arguments) == [("a", 1), ("b", [1, 2]), ("c", True), ("d", "plain text"), ("e", 0.5)]


@pytest.mark.parametrize("arguments", [["updates", "3"], ["--updates"]])
def test_a_malformed_override_is_refused(arguments):
    with pytest.raises(ConfigError):
        parse_overrides(arguments)


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(ConfigError, match="no configuration file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("updates = = 3")
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        load_config(tmp_path / "bad.toml")
