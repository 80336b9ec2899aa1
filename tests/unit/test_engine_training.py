"""The training side: gradients equal plain autograd whatever the micro-batch, head or precision path."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch
from tests.unit.engine_models import KINDS, tiny_model

from sojourn.engine import train_forward
from sojourn.engine.contract import CHOICES, cotangents_of, plain_row, row_of, sample_many
from sojourn.engine.microbatch import microbatches
from sojourn.engine.protocol import AdamParams, Row, TokenOutputs
from sojourn.engine.torch_engine import TorchEngine
from sojourn.engine.weights import LoraSpec
from sojourn.errors import ConfigError

SIZES = (12, 5, 30, 17, 2, 9)
ROWS = [plain_row(range(3, 3 + size), max(1, size // 2), temperature=0.5 + 0.1 * size) for size in SIZES]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def confined_rows(mixed=False):
    def allowed(row):
        ids = row.token_ids[row.mask].tolist()
        sets = [tuple(sorted({token, token + 1, 7 * token % 300})) for token in ids]
        return tuple(None if mixed and index % 2 else each for index, each in enumerate(sets))

    return [Row(token_ids=r.token_ids, mask=r.mask, allowed=allowed(r), temperature=r.temperature) for r in ROWS]


def plain_outputs(model, row):
    """Log-probs and entropies by the book: full logits, one row, no tricks."""
    logits = model(torch.from_numpy(row.token_ids)[None], use_cache=False).logits[0, :-1].float() / row.temperature
    where = np.flatnonzero(row.mask)
    logprobs, entropies = [], []
    for index, position in enumerate(where):
        line = logits[position - 1]
        allowed = None if row.allowed is None else row.allowed[index]
        ids = list(range(len(line))) if allowed is None else list(allowed)
        distribution = line[ids].log_softmax(-1)
        logprobs.append(distribution[ids.index(int(row.token_ids[position]))])
        entropies.append(-(distribution.exp() * distribution).sum())
    return torch.stack(logprobs), torch.stack(entropies)


def plain_gradients(rows, kind="llama"):
    model = tiny_model(kind)
    cotangents = cotangents_of(rows)
    outputs = [plain_outputs(model, row) for row in rows]
    logprobs_N, entropy_N = (torch.cat([pair[k] for pair in outputs]) for k in (0, 1))
    total = (logprobs_N * torch.from_numpy(cotangents.logprobs_N)).sum()
    (total + (entropy_N * torch.from_numpy(cotangents.entropy_N)).sum()).backward()
    values = TokenOutputs(logprobs_N=logprobs_N.detach().numpy(), entropy_N=entropy_N.detach().numpy())
    return values, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def gradients(engine, rows):
    asyncio.run(engine.backward(rows, cotangents_of(rows)))
    return {name: p.grad for name, p in engine._model.named_parameters() if p.grad is not None}


def relative_gap(got, expected):
    assert got.keys() == expected.keys()
    scale = max(float(each.abs().max()) for each in expected.values())
    return max(float((got[name] - expected[name]).abs().max()) for name in expected) / scale


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_plain_autograd(kind):
    engine = TorchEngine(tiny_model(kind), max_tokens_per_microbatch=40)
    expected, expected_gradients = plain_gradients(ROWS, kind)
    outputs = asyncio.run(engine.forward(ROWS))
    np.testing.assert_allclose(outputs.logprobs_N, expected.logprobs_N, atol=2e-5)
    np.testing.assert_allclose(outputs.entropy_N, expected.entropy_N, atol=2e-5)
    assert relative_gap(gradients(engine, ROWS), expected_gradients) < 1e-5


@pytest.mark.parametrize("mixed", [False, True])
def test_confined_outputs_and_gradients_are_those_of_plain_autograd(mixed):
    rows = confined_rows(mixed)
    engine = TorchEngine(tiny_model(), max_tokens_per_microbatch=40)
    expected, expected_gradients = plain_gradients(rows)
    outputs = asyncio.run(engine.forward(rows))
    np.testing.assert_allclose(outputs.logprobs_N, expected.logprobs_N, atol=2e-5)
    np.testing.assert_allclose(outputs.entropy_N, expected.entropy_N, atol=2e-5)
    assert relative_gap(gradients(engine, rows), expected_gradients) < 1e-5


@pytest.mark.parametrize("budget", [1, 20, 60])
def test_gradients_do_not_depend_on_the_token_budget(budget):
    whole = gradients(TorchEngine(tiny_model(), max_tokens_per_microbatch=10_000), ROWS)
    cut = gradients(TorchEngine(tiny_model(), max_tokens_per_microbatch=budget), ROWS)
    assert relative_gap(cut, whole) < 1e-6


@pytest.mark.parametrize("rows", [ROWS, confined_rows(), confined_rows(mixed=True)])
def test_gradients_do_not_depend_on_how_many_logits_are_held(monkeypatch, rows):
    whole = gradients(TorchEngine(tiny_model()), rows)
    monkeypatch.setattr(train_forward, "_MAX_LOGITS", 700)
    engine = TorchEngine(tiny_model())
    assert relative_gap(gradients(engine, rows), whole) < 1e-6


def test_activation_checkpointing_changes_nothing():
    plain = gradients(TorchEngine(tiny_model()), ROWS)
    checkpointed = gradients(TorchEngine(tiny_model(), activation_checkpointing=True), ROWS)
    assert relative_gap(checkpointed, plain) < 1e-6


def test_dropout_is_off_with_activation_checkpointing_too():
    model = tiny_model()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    dropped = gradients(TorchEngine(model, activation_checkpointing=True), ROWS)
    assert relative_gap(dropped, gradients(TorchEngine(tiny_model()), ROWS)) < 1e-6


def test_a_head_with_more_than_a_product_takes_the_full_path():
    assert not TorchEngine(tiny_model("gemma2"))._forward._has_plain_head
    assert TorchEngine(tiny_model("llama_tied"))._forward._has_plain_head


def test_rows_without_trained_tokens_and_empty_calls_are_fine():
    engine = TorchEngine(tiny_model())
    idle = Row(token_ids=np.arange(1, 6), mask=np.zeros(5, dtype=bool))
    with_idle, without = asyncio.run(engine.forward([ROWS[0], idle, ROWS[1]])), asyncio.run(engine.forward(ROWS[:2]))
    np.testing.assert_allclose(with_idle.logprobs_N, without.logprobs_N, atol=1e-6)
    assert asyncio.run(engine.forward([])).logprobs_N.shape == (0,)
    stats = asyncio.run(engine.optim_step(AdamParams(learning_rate=1.0)))
    assert (stats.is_applied, stats.grad_norm) == (False, 0.0)


def test_a_row_that_is_too_long_or_a_wrong_role_is_refused():
    engine = TorchEngine(tiny_model(), max_length=16)
    with pytest.raises(ValueError, match="17 tokens"):
        asyncio.run(engine.forward([plain_row(range(17), 2)]))
    with pytest.raises(ConfigError, match="critic"):
        asyncio.run(engine.forward([ROWS[1]], "critic"))
    with pytest.raises(ConfigError, match="max_length"):
        TorchEngine(tiny_model(), max_length=4000)


def test_a_row_that_cannot_have_been_sampled_is_refused():
    engine = TorchEngine(tiny_model())
    cold = Row(token_ids=np.arange(1, 4), mask=np.array([False, True, True]), temperature=0.0)
    with pytest.raises(ValueError, match="temperature above 0"):
        asyncio.run(engine.forward([cold]))
    outside = Row(token_ids=np.arange(1, 4), mask=np.array([False, True, True]), allowed=((2, 9), (4, 5)))
    with pytest.raises(ValueError, match="token 3 is not among the 2 ids"):
        asyncio.run(engine.forward([outside]))


def test_microbatches_keep_to_the_budget_and_cover_every_token_once():
    batches = microbatches(ROWS, 40, torch.device("cpu"))
    assert all(batch.ids_BT.numel() <= 40 or len(batch.rows) == 1 for batch in batches)
    covered = sorted(index for batch in batches for index in batch.flat_N.tolist())
    assert covered == list(range(sum(row.num_trained for row in ROWS)))
    assert sorted(index for batch in batches for index in batch.rows) == list(range(len(ROWS)))


def test_gradient_clipping_scales_the_whole_gradient():
    def weights_after(max_grad_norm):
        engine = TorchEngine(tiny_model())
        before = {name: p.detach().clone() for name, p in engine._model.named_parameters()}
        asyncio.run(engine.backward(ROWS, cotangents_of(ROWS)))
        step = AdamParams(learning_rate=1e-3, eps=1e3, max_grad_norm=max_grad_norm)  # eps: nearly plain descent
        stats = asyncio.run(engine.optim_step(step))
        return stats.grad_norm, {n: p.detach() - before[n] for n, p in engine._model.named_parameters()}

    norm, free = weights_after(None)
    same_norm, clipped = weights_after(norm / 4)
    assert same_norm == norm
    size = {name: float(change.norm()) for name, change in free.items()}
    largest = max(size, key=lambda name: size[name])
    assert float(clipped[largest].norm()) == pytest.approx(size[largest] / 4, rel=0.02)


def test_bfloat16_autocast_keeps_float32_weights_and_comes_near():
    engine = TorchEngine(tiny_model(), train_dtype=torch.bfloat16)
    exact = gradients(TorchEngine(tiny_model()), ROWS)
    near = gradients(engine, ROWS)
    assert all(p.dtype == torch.float32 for p in engine._model.parameters())
    cosine = torch.nn.functional.cosine_similarity(
        torch.cat([near[n].flatten() for n in exact]), torch.cat([exact[n].flatten() for n in exact]), dim=0
    )
    assert float(cosine) > 0.99


def test_lora_trains_adapters_only_and_its_reference_is_the_base():
    engine = TorchEngine(tiny_model(), lora=LoraSpec(rank=4, alpha=8))
    base = {name: p.clone() for name, p in engine._model.named_parameters() if ".lora_" not in name}
    first = asyncio.run(engine.forward(ROWS))
    asyncio.run(engine.backward(ROWS, cotangents_of(ROWS)))
    asyncio.run(engine.optim_step(AdamParams(learning_rate=0.1)))
    for name, p in engine._model.named_parameters():
        assert ".lora_" in name or torch.equal(p, base[name])
    assert np.abs(asyncio.run(engine.forward(ROWS)).logprobs_N - first.logprobs_N).max() > 1e-3
    reference = asyncio.run(engine.forward(ROWS, "reference"))
    np.testing.assert_array_equal(reference.logprobs_N, first.logprobs_N)


def test_confined_samples_of_a_trained_engine_still_agree():
    async def main():
        engine = TorchEngine(tiny_model("llama_tied"), sampler_dtype=torch.float32)
        for _ in range(3):
            await engine.backward(ROWS, cotangents_of(ROWS))
            await engine.optim_step(AdamParams(learning_rate=1e-2))
        await engine.publish()
        completions = await sample_many(engine, 6, constraint=CHOICES, temperature=1.3)
        outputs = await engine.forward([row_of((3, 1, 4, 1, 5), c, 1.3) for c in completions])
        return outputs.logprobs_N, np.concatenate([c.logprobs for c in completions])

    got, sampled = asyncio.run(main())
    np.testing.assert_allclose(got, sampled, atol=1e-5)
