"""The sampler `hf` computes what the model's own forward computes, whatever is cached, shared or evicted."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch
from tests.unit.engine_models import KINDS, tiny_model

from sojourn.engine.hf_sampler import HFSampler
from sojourn.errors import ConfigError, SamplerError
from sojourn.types import SamplingParams


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_sampler(kind="llama", **options):
    return HFSampler(tiny_model(kind), max_length=128, **options)


async def play(sampler, index, *, turns=3, group=4, wait=None):
    """One episode; returns all ids, and (position, log-prob) of each sampled token."""
    ids = [5 + (index // group), *range(40, 55)]
    sampled = []
    for turn in range(turns):
        params = SamplingParams(max_new_tokens=4 + index % 3, seed=1000 * index + turn)
        call = sampler.sample(ids, params, session=f"s{index}")
        completion = await (call if wait is None else asyncio.wait_for(call, wait))
        sampled += [(len(ids) + k, value) for k, value in enumerate(completion.logprobs)]
        ids = [*ids, *completion.token_ids, *range(70, 73 + index % 4)]
    sampler.release(f"s{index}")
    return ids, sampled


async def play_all(sampler, count=8, **options):
    return await asyncio.gather(*[play(sampler, index, **options) for index in range(count)])


def gap_to_forward(model, episodes):
    """Largest difference of a sampled log-prob to one forward over the whole episode."""
    gaps = []
    for ids, sampled in episodes:
        with torch.no_grad():
            logprobs = model(torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
        gaps += [abs(float(logprobs[position - 1, ids[position]]) - value) for position, value in sampled]
    return max(gaps)


@pytest.mark.parametrize("kind", KINDS)
def test_logprobs_are_those_of_a_full_forward(kind):
    sampler = make_sampler(kind)
    episodes = asyncio.run(play_all(sampler, turns=4))
    assert gap_to_forward(tiny_model(kind), episodes) < 5e-5


def test_the_same_program_gives_the_same_bits():
    first, second = (asyncio.run(play_all(make_sampler(), wait=60)) for _ in range(2))
    assert first == second


def test_a_group_shares_its_prompt_and_a_session_keeps_its_turns():
    sampler = make_sampler()
    asyncio.run(play_all(sampler, count=4, turns=1))
    ids = [ids for ids, _ in asyncio.run(play_all(make_sampler(), count=4, turns=1))]
    drawn = sum(len(each) for each in ids) - 4 * 16 - sum(3 + index % 4 for index in range(4))
    # the prompt once, and each drawn token but the last of its turn
    assert sampler.num_prefilled == 16 + drawn - 4
    sampler = make_sampler()
    asyncio.run(play(sampler, 0, turns=3))
    assert sampler.num_prefilled == 16 + 3 * 4 - 1 + 2 * 3


@pytest.mark.parametrize(
    "options", [{"max_slots": 2}, {"max_slots": 1}, {"max_tokens_per_step": 5}, {"max_cache_bytes": 1}]
)
def test_limits_change_the_cost_and_not_the_result(options):
    expected = asyncio.run(play_all(make_sampler()))
    got = asyncio.run(play_all(make_sampler(**options)))
    assert [ids for ids, _ in got] == [ids for ids, _ in expected]


def test_a_changed_context_is_not_served_from_the_cache():
    sampler = make_sampler()

    async def main():
        params = SamplingParams(max_new_tokens=4, seed=1)
        await sampler.sample([*range(20, 50)], params, "s")
        return await sampler.sample([*range(20, 40), 99, *range(41, 50)], params, "s")

    got = asyncio.run(main())
    alone = asyncio.run(
        make_sampler().sample([*range(20, 40), 99, *range(41, 50)], SamplingParams(max_new_tokens=4, seed=1))
    )
    assert got.token_ids == alone.token_ids
    np.testing.assert_allclose(got.logprobs, alone.logprobs, atol=1e-5)


def test_a_late_comer_takes_over_the_prefix_of_a_session_that_still_holds_its_slot():
    prompt = [*range(20, 50)]

    async def main():
        sampler = make_sampler()
        for index in range(3):
            completion = await sampler.sample(prompt, SamplingParams(max_new_tokens=4, seed=9), f"s{index}")
        return sampler.num_prefilled, completion

    num_prefilled, completion = asyncio.run(main())
    assert num_prefilled == (30 + 3) + 2 * (1 + 3)
    alone = asyncio.run(make_sampler().sample(prompt, SamplingParams(max_new_tokens=4, seed=9)))
    assert completion.token_ids == alone.token_ids


def test_two_calls_of_one_session_at_once_do_not_meet():
    async def main():
        sampler = make_sampler()
        calls = [sampler.sample([9, 8, 7], SamplingParams(max_new_tokens=5, seed=s), "same") for s in (1, 2)]
        return await asyncio.gather(*calls)

    async def alone(seed):
        return await make_sampler().sample([9, 8, 7], SamplingParams(max_new_tokens=5, seed=seed))

    got = asyncio.run(main())
    assert [c.token_ids for c in got] == [asyncio.run(alone(seed)).token_ids for seed in (1, 2)]


def test_an_error_in_the_loop_reaches_everyone_and_the_next_call_works():
    sampler = make_sampler()
    step = sampler.decoder.step

    def broken(*args):
        raise RuntimeError("out of memory")

    async def main():
        sampler.decoder.step = broken
        results = await asyncio.gather(*[play(sampler, index) for index in range(3)], return_exceptions=True)
        sampler.decoder.step = step
        return results, await play(sampler, 0)

    results, episode = asyncio.run(main())
    assert all(isinstance(result, SamplerError) and "out of memory" in str(result) for result in results)
    assert episode[0] == asyncio.run(play(make_sampler(), 0))[0]


def test_a_prefill_that_others_wait_for_can_be_cancelled():
    async def main():
        sampler = make_sampler(max_tokens_per_step=4)
        episodes = [asyncio.ensure_future(play(sampler, index)) for index in range(4)]
        await asyncio.sleep(0)
        for _ in range(12):
            await asyncio.sleep(0)
        episodes[0].cancel()
        return await asyncio.gather(*episodes, return_exceptions=True)

    got = asyncio.run(main())
    expected = asyncio.run(play_all(make_sampler(), count=4))
    assert isinstance(got[0], asyncio.CancelledError)
    assert [ids for ids, _ in got[1:]] == [ids for ids, _ in expected[1:]]


def test_a_timeout_takes_only_its_own_request_out():
    async def main():
        sampler = make_sampler()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sampler.sample([1, 2], SamplingParams(max_new_tokens=100)), 0.001)
        return await play(sampler, 1)

    assert asyncio.run(main())[0] == asyncio.run(play(make_sampler(), 1))[0]


def test_a_publish_in_mid_flight_waits_and_no_completion_is_mixed():
    sampler = make_sampler()
    weights = {name: 0.5 * weight for name, weight in tiny_model().named_parameters()}

    async def main():
        long = asyncio.ensure_future(sampler.sample([1, 2, 3], SamplingParams(max_new_tokens=20, seed=1)))
        for _ in range(30):
            await asyncio.sleep(0)
        publishing = asyncio.ensure_future(sampler.publish(weights, 1))
        await asyncio.sleep(0)
        late = asyncio.ensure_future(sampler.sample([1, 2, 3], SamplingParams(max_new_tokens=20, seed=1)))
        await publishing
        return await long, await late

    long, late = asyncio.run(main())
    assert (long.policy_version, late.policy_version) == (0, 1)
    old = asyncio.run(make_sampler().sample([1, 2, 3], SamplingParams(max_new_tokens=20, seed=1)))
    assert long.token_ids == old.token_ids != late.token_ids


def test_closing_fails_those_who_wait():
    async def main():
        sampler = make_sampler()
        waiting = asyncio.ensure_future(sampler.sample([1, 2, 3], SamplingParams(max_new_tokens=20)))
        await asyncio.sleep(0)
        sampler.close()
        with pytest.raises(SamplerError, match="closed"):
            await waiting

    asyncio.run(main())


def test_logits_that_are_not_finite_are_an_error():
    sampler = make_sampler()
    bad = {name: weight * float("nan") for name, weight in tiny_model().named_parameters()}

    async def main():
        await sampler.publish(bad, 1)
        with pytest.raises(SamplerError, match="not finite"):
            await sampler.sample([1, 2, 3], SamplingParams(max_new_tokens=2))
        await sampler.publish(dict(tiny_model().named_parameters()), 2)
        return await play(sampler, 0)

    assert asyncio.run(main())[0] == asyncio.run(play(make_sampler(), 0))[0]


def test_bfloat16_samples_near_the_float32_distribution():
    episodes = asyncio.run(play_all(make_sampler(dtype=torch.bfloat16)))
    assert gap_to_forward(tiny_model(), episodes) < 0.2


def test_models_with_other_state_than_keys_and_values_are_refused():
    model = tiny_model()
    model.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(ConfigError, match="linear_attention"):
        HFSampler(model, max_length=128)


def test_a_model_whose_logits_differ_in_slots_is_refused():
    model = tiny_model()
    attention = type(model.model.layers[0].self_attn)
    original = attention.forward

    def shifted(self, *args, **kwargs):
        out, weights = original(self, *args, **kwargs)
        has_cache = any(kwargs.get(name) is not None for name in ("cache", "past_key_values"))  # by version
        return out + float(has_cache), weights

    attention.forward = shifted
    try:
        with pytest.raises(ConfigError, match="logits differ"):
            HFSampler(model, max_length=128)
    finally:
        attention.forward = original
    assert model.config._attn_implementation == "sdpa"
