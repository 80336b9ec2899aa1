"""The sampler's parts: drawing, slots, packed layers, steps."""

from __future__ import annotations

import asyncio
import math

import pytest
import torch

from sojourn.engine.draw import Draw, draw_tokens, uniform
from sojourn.engine.kv_cache import Segment, StepPlan
from sojourn.engine.packed_linear import PackedModel
from sojourn.engine.request import Request
from sojourn.engine.slots import SlotTable, common_prefix
from sojourn.errors import SamplerError
from sojourn.types import SamplingParams


def draw(seed=0, temperature=1.0, allowed=None):
    return Draw(temperature=temperature, seed=seed, position=0, allowed=allowed)


def test_uniform_numbers_are_uniform_and_depend_on_both_arguments():
    numbers = [uniform(seed, position) for seed in range(200) for position in range(20)]
    assert len(set(numbers)) == len(numbers)
    assert abs(sum(numbers) / len(numbers) - 0.5) < 0.02
    assert min(numbers) >= 0
    assert max(numbers) < 1
    assert abs(sum((x - 0.5) ** 2 for x in numbers) / len(numbers) - 1 / 12) < 0.004


@pytest.mark.parametrize("vocab_size", [5, 128, 300])
def test_draws_have_the_frequencies_of_the_distribution(vocab_size):
    logits_V = 2 * torch.randn(vocab_size, generator=torch.Generator().manual_seed(0))
    count = 20_000
    tokens, logprobs = draw_tokens(logits_V.expand(count, -1), [draw(seed, 0.8) for seed in range(count)])
    expected_V = (logits_V / 0.8).softmax(-1)
    got_V = torch.bincount(torch.tensor(tokens), minlength=vocab_size) / count
    assert float((got_V - expected_V).abs().max()) < 0.012
    torch.testing.assert_close(torch.tensor(logprobs).float(), expected_V.log()[tokens], atol=1e-5, rtol=0)


def test_confined_greedy_and_free_draws_share_a_batch():
    logits_NV = torch.randn(4, 50, generator=torch.Generator().manual_seed(1))
    draws = [draw(1), draw(2, allowed=(3, 7)), draw(3, temperature=0.0), draw(4, 0.0, allowed=(9, 11, 13))]
    tokens, logprobs = draw_tokens(logits_NV, draws)
    assert tokens[1] in (3, 7)
    assert tokens[2] == int(logits_NV[2].argmax())
    assert tokens[3] == (9, 11, 13)[int(logits_NV[3, [9, 11, 13]].argmax())]
    assert logprobs[2:] == [0.0, 0.0]
    pair = logits_NV[1, [3, 7]].log_softmax(-1)
    assert logprobs[1] == pytest.approx(float(pair[(3, 7).index(tokens[1])]), abs=1e-5)
    for row, each in enumerate(draws):
        assert draw_tokens(logits_NV[row : row + 1], [each]) == ([tokens[row]], [logprobs[row]])


def test_a_token_of_no_weight_is_never_drawn():
    logits_NV = torch.full((3000, 200), -math.inf)
    logits_NV[:, [4, 131]] = 0.0
    tokens, _ = draw_tokens(logits_NV, [draw(seed) for seed in range(3000)])
    assert set(tokens) == {4, 131}


def test_logits_that_are_not_finite_are_an_error():
    with pytest.raises(SamplerError, match="not finite"):
        draw_tokens(torch.tensor([[0.0, math.nan]]), [draw()])


def test_slots_are_reused_evicted_and_found_by_prefix():
    table = SlotTable(max_slots=2)
    first, second = table.acquire("a", 9), table.acquire("b", 9)
    assert (first.index, second.index) == (0, 1)
    assert table.acquire("c", 9) is None
    first.ids, second.ids = list(range(20)), [9, *range(20)]
    assert table.best_prefix([*range(15), 99]) == (first, 15)
    assert table.best_prefix([1, 2, 3]) == (None, 0)
    table.vacate(first)
    table.vacate(second)
    assert table.of_session("a") is first
    assert table.acquire("c", 9) is first, "the longest unused session goes"
    assert table.of_session("a") is None
    table.release("b")
    assert table.acquire("", 9, second) is second
    table.forget()
    assert second.ids == []


def test_common_prefix():
    assert common_prefix([1, 2, 3], [1, 2, 4]) == 2
    assert common_prefix([1, 2], [1, 2, 4]) == 2
    assert common_prefix([], [1]) == 0


def test_a_step_groups_neighbours_of_similar_size():
    segments = [
        Segment(slot=0, start=3, ids=[1]),
        Segment(slot=1, start=5, ids=[1]),
        Segment(slot=2, start=0, ids=[1] * 10),
        Segment(slot=3, start=0, ids=[1] * 7),
        Segment(slot=5, start=0, ids=[1] * 7),
    ]
    plan = StepPlan(segments, torch.device("cpu"))
    assert [(run.first_slot, run.num_slots) for run in plan.runs] == [(0, 2), (2, 2), (5, 1)]
    assert plan.last_T.tolist() == [0, 1, 11, 18, 25]
    assert plan.max_length == 10


def test_a_mask_hides_the_future_and_what_is_behind_the_window():
    plan = StepPlan([Segment(slot=0, start=2, ids=[1, 1])], torch.device("cpu"))
    seen = plan.runs[0].mask(2, torch.float32)[0, 0] == 0
    assert seen[:, :5].tolist() == [[False, True, True, False, False], [False, False, True, True, False]]


def test_packed_layers_compute_the_same_and_follow_their_weights():
    layers = torch.nn.Sequential(
        torch.nn.Linear(256, 512), torch.nn.Linear(512, 256, bias=False), torch.nn.Linear(8, 8)
    )
    plain = [layer.weight for layer in layers]
    inputs = torch.randn(3, 5, 256)
    with torch.no_grad():
        expected = torch.nn.functional.linear(layers[0](inputs), plain[1])
        packed = PackedModel(layers)
        torch.testing.assert_close(layers[1](layers[0](inputs)), expected, atol=1e-5, rtol=1e-5)
        packed.update({"0.weight": torch.zeros(512, 256)}, torch.float32)
        assert float((layers[0](inputs) - layers[0].bias).abs().max()) == 0
    assert isinstance(layers[2], torch.nn.Linear)


def test_forced_tokens_end_at_a_stop_id_or_the_limit():
    class Forced:
        def allowed(self, generated):
            return [len(generated) + 1]

    async def finish(**options):
        params = SamplingParams(constraint=Forced(), **options)
        request = Request.create([1], params, "", 100, 50)
        request.advance()
        request.finish(3)
        return await request.done

    stopped = asyncio.run(finish(max_new_tokens=9, stop_ids=(4,)))
    assert (stopped.token_ids, stopped.finish_reason) == ((1, 2, 3, 4), "stop")
    cut = asyncio.run(finish(max_new_tokens=2))
    assert (cut.token_ids, cut.finish_reason, cut.policy_version) == ((1, 2), "length", 3)
