"""Agents: the context they build, the limits they keep, the seeds they use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import ConfigError, ContextFullError, SamplerError, TokenLimitError
from sojourn.policy.agents import LMAgent, LMSession, LMSettings, turn_seed
from sojourn.policy.base_tokenizer import train_base_tokenizer
from sojourn.policy.formats import FORMATS
from sojourn.policy.renderer import Renderer
from sojourn.policy.scripted import OracleAgent, RandomAgent, ReplayAgent
from sojourn.types import EMPTY_COMPLETION, Completion, SamplingParams

RENDERER = Renderer(train_base_tokenizer(["You are in a room. go north look take red ball 1 Commands: |"], 400))
COMMANDS = ("go north", "look", "take red ball 1")


class ScriptedSampler:
    """Writes the given texts one after the other, within the limits and constraints it is asked to keep."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.prompts: list[tuple[int, ...]] = []
        self.params: list[SamplingParams] = []
        self.released: list[str] = []

    async def sample(self, prompt_ids: Sequence[int], params: SamplingParams, session: str = "") -> Completion:
        if not self.texts:
            raise SamplerError("nothing left to say")
        self.prompts.append(tuple(prompt_ids))
        self.params.append(params)
        whole = (*RENDERER.completion_ids(self.texts.pop(0)), params.stop_ids[0])
        ids = whole[: params.max_new_tokens]
        allowed = None
        if params.constraint is not None:
            allowed = tuple(tuple(params.constraint.allowed(ids[:n]) or ()) for n in range(len(ids)))
            assert all(token in options for token, options in zip(ids, allowed, strict=True))
        return Completion(
            token_ids=ids,
            logprobs=(0.0,) * len(ids),
            finish_reason="stop" if ids == whole else "length",
            policy_version=3,
            allowed=allowed,
        )

    def release(self, session: str) -> None:
        self.released.append(session)


def begin(sampler: ScriptedSampler, *, form: str = "bare", seed: int = 5, **settings) -> LMSession:
    options = {"max_new_tokens": 16, "max_context_tokens": 10_000, **settings}
    agent = LMAgent(
        RENDERER, FORMATS[form], sampler, LMSettings(**options), instructions="Act.", example_command="look"
    )
    return agent.begin(session_id="episode", seed=seed)


def listing(*commands: str):
    """An environment's list of admissible commands."""

    async def listed() -> Sequence[str]:
        return commands

    return listed


def act(session, observation: str = "A room.", commands=None):
    return asyncio.run(session.act(observation, commands))


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=4), st.integers(1, 12))
def test_the_turns_joined_are_the_context_that_was_sampled_from(turns, max_new_tokens):
    turns = [tuple(text.encode(errors="replace").decode() for text in turn) for turn in turns]
    sampler = ScriptedSampler([reply for _, reply in turns])
    session = begin(sampler, max_new_tokens=max_new_tokens)
    context: tuple[int, ...] = ()
    for n, (observation, _) in enumerate(turns):
        decision = act(session, observation)
        assert sampler.prompts[n] == context + decision.prompt_ids
        context += decision.prompt_ids + decision.completion.token_ids
        assert session.context == context
        assert (decision.action is None) == (decision.error is not None)


def test_the_first_prompt_holds_the_rules_the_format_and_the_observation():
    session = begin(ScriptedSampler(["look"]))
    shown = RENDERER.text(act(session).prompt_ids)
    assert "Act.\n\nReply with one command on one line" in shown
    assert "A room." in shown


def test_an_unreadable_completion_is_a_decision_that_says_what_was_expected():
    decision = act(begin(ScriptedSampler(["look\nlook"])))
    assert (decision.action, decision.text) == (None, "look\nlook")
    assert decision.error == "The reply has 2 lines. Expected a reply that is one command on one line and nothing else."


def test_every_turn_has_its_own_seed_which_follows_from_the_episodes():
    sampler = ScriptedSampler(["look", "look"])
    session = begin(sampler, seed=7, temperature=0.5)
    act(session)
    act(session)
    assert [params.seed for params in sampler.params] == [turn_seed(7, 0), turn_seed(7, 1)]
    assert sampler.params[0].temperature == 0.5
    assert sampler.params[0].stop_ids == RENDERER.stop_ids
    assert turn_seed(0, 0) == 7689419447139100721  # the same on every machine
    assert len({turn_seed(seed, turn) for seed in range(50) for turn in range(50)}) == 2500


def test_a_full_context_refuses_the_turn_and_keeps_nothing_of_it():
    sampler = ScriptedSampler(["look"] * 9)
    probe = begin(sampler)
    size = len(act(probe).prompt_ids)
    assert act(begin(sampler, max_context_tokens=size + 1)).completion.finish_reason == "length"
    session = begin(sampler, max_context_tokens=size + 3)
    assert act(session).completion.finish_reason == "stop"
    before = session.context
    with pytest.raises(ContextFullError, match=f"max_context_tokens is {size + 3}"):
        act(session)
    assert session.context == before
    with pytest.raises(ContextFullError):
        act(begin(sampler, max_context_tokens=size))


def test_the_budget_of_an_episode_clips_the_last_turn_and_then_refuses():
    sampler = ScriptedSampler(["go north"] * 3)
    session = begin(sampler, max_episode_tokens=5)
    assert act(session).action == "go north"
    assert len(act(session).completion.token_ids) == 2
    with pytest.raises(TokenLimitError, match="5 tokens sampled"):
        act(session)
    assert [params.max_new_tokens for params in sampler.params] == [5, 2]


def test_a_sampler_error_passes_and_leaves_the_context():
    session = begin(ScriptedSampler([]))
    with pytest.raises(SamplerError):
        act(session)
    assert session.context == ()


@pytest.mark.parametrize("form", ["bare", "function_call"])
def test_sampling_is_confined_to_the_admissible_commands(form):
    written = FORMATS[form].render("take red ball 1")
    sampler = ScriptedSampler([written])
    decision = act(begin(sampler, form=form, constraint="admissible", max_new_tokens=99), commands=listing(*COMMANDS))
    assert decision.action == "take red ball 1"
    assert decision.completion.allowed is not None


def test_a_confined_command_that_was_cut_is_no_command():
    session = begin(ScriptedSampler(["take red ball 1"]), constraint="admissible", max_new_tokens=2)
    decision = act(session, commands=listing(*COMMANDS))
    assert decision.action is None
    assert decision.error.startswith("The command was cut after 2 tokens.")


def test_no_admissible_command_confines_nothing():
    sampler = ScriptedSampler(["look"])
    assert act(begin(sampler, constraint="admissible"), commands=listing()).action == "look"
    assert sampler.params[0].constraint is None


def test_commands_are_shown_when_asked_and_listed_only_when_needed():
    session = begin(ScriptedSampler(["look", "look"]), show_commands=True)
    for _ in range(2):
        shown = RENDERER.text(act(session, commands=listing(*COMMANDS)).prompt_ids)
        assert "A room.\nCommands: go north | look | take red ball 1<|end|>" in shown

    async def never() -> Sequence[str]:
        raise AssertionError("nobody needs the list")

    assert act(begin(ScriptedSampler(["look"])), commands=never).action == "look"


@pytest.mark.parametrize(
    ("settings", "key"), [({"constraint": "admissible"}, "constraint='admissible'"), ({"show_commands": True}, "show_")]
)
def test_an_environment_that_lists_no_commands_is_refused(settings, key):
    with pytest.raises(ConfigError, match=f"{key}.* lists none"):
        act(begin(ScriptedSampler(["look"]), **settings))


def test_closing_releases_the_samplers_state():
    sampler = ScriptedSampler([])
    session = begin(sampler)
    session.close()
    session.close()
    assert sampler.released == ["episode", "episode"]


def test_the_random_agent_is_uniform_and_follows_from_its_seed():
    def play(seed: int) -> list[str | None]:
        session = RandomAgent().begin(session_id="e", seed=seed)
        return [act(session, commands=listing(*COMMANDS)).action for _ in range(300)]

    assert play(1) == play(1) != play(2)
    assert all(70 < play(1).count(command) < 130 for command in COMMANDS)
    with pytest.raises(ConfigError, match="lists its commands"):
        act(RandomAgent().begin(session_id="e", seed=0))
    assert act(RandomAgent().begin(session_id="e", seed=0), commands=listing()).error == "no admissible command"


def test_the_oracle_agent_follows_the_plan_until_there_is_none():
    actions = iter(["go north", None])

    async def plan() -> str | None:
        return next(actions)

    session = OracleAgent().begin(session_id="e", seed=0, oracle=plan)
    first, second = act(session), act(session)
    assert (first.action, first.completion, first.prompt_ids, first.error) == ("go north", EMPTY_COMPLETION, (), None)
    assert (second.action, second.error) == (None, "oracle has no plan")
    with pytest.raises(ConfigError, match="has an oracle"):
        OracleAgent().begin(session_id="e", seed=0)


def test_the_replay_agent_begins_anew_in_every_episode():
    agent = ReplayAgent(["look", "go north"])
    for _ in range(2):
        session = agent.begin(session_id="e", seed=0)
        assert [act(session).action for _ in range(3)] == ["look", "go north", None]
        session.close()
