"""Multi-turn sampling: the sampler `hf` against transformers' `generate`, which prefills the whole context each turn.

16 episodes (4 of each of 4 tasks) of 10 turns, with SmolLM2-135M-Instruct: 200 prompt tokens, then 12 action and 40
observation tokens a turn. Both sides compute log-probabilities of what they draw, in the same number type, in one
process; repetitions alternate. The figure is action tokens a second.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/sampler.py
"""

from __future__ import annotations

import argparse
import asyncio
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: busy waiting is ruinous beside other work

import torch
from torch import Tensor
from transformers import PreTrainedModel

from _machine import Clock, ratios, spread, write_result
from sojourn.engine.hf_sampler import HFSampler
from sojourn.engine.pretrained import SMOLLM2, load_model, quiet_transformers, resolve_model
from sojourn.types import SamplingParams

GROUP = 4
Episode = tuple[list[int], list[float]]
"""All ids of an episode, and the log-probabilities of its action tokens."""


class Script:
    """Prompts and observations: fixed ids, the same for every sampler."""

    def __init__(self, args: argparse.Namespace, vocab_size: int) -> None:
        self.args = args
        draw = torch.Generator().manual_seed(0)
        size = (args.episodes // GROUP, args.prompt)
        self.prompts = torch.randint(100, vocab_size, size, generator=draw).tolist()
        shape = (args.episodes, args.turns, args.observation)
        self.observations = torch.randint(100, vocab_size, shape, generator=draw).tolist()

    def prompt(self, episode: int) -> list[int]:
        return list(self.prompts[episode // GROUP])


async def run_slots(sampler: HFSampler, script: Script) -> list[Episode]:
    """All episodes at once, each turn its own `sample` call."""
    args = script.args

    async def episode(index: int) -> Episode:
        ids, logprobs = script.prompt(index), []
        for turn in range(args.turns):
            params = SamplingParams(max_new_tokens=args.action, seed=index * 1000 + turn)
            completion = await sampler.sample(ids, params, session=str(index))
            ids += [*completion.token_ids, *script.observations[index][turn]]
            logprobs += completion.logprobs
        sampler.release(str(index))
        return ids, logprobs

    return list(await asyncio.gather(*[episode(index) for index in range(args.episodes)]))


def run_generate(model: PreTrainedModel, script: Script) -> list[Episode]:
    """Turn by turn: one `generate` for the whole batch, left padding not needed as all contexts have one length."""
    args = script.args
    episodes: list[Episode] = [(script.prompt(index), []) for index in range(args.episodes)]
    for turn in range(args.turns):
        inputs = torch.tensor([ids for ids, _ in episodes])
        with quiet_transformers():
            output = model.generate(
                inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=args.action,
                min_new_tokens=args.action,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                pad_token_id=0,
                return_dict_in_generate=True,
                output_logits=True,
            )
        new = output.sequences[:, inputs.shape[1] :]
        logprobs = torch.stack([logits.float().log_softmax(-1) for logits in output.logits], dim=1)
        values = logprobs.gather(2, new[..., None])[..., 0]
        for index, (ids, kept) in enumerate(episodes):
            ids += [*new[index].tolist(), *script.observations[index][turn]]
            kept += values[index].tolist()
    return episodes


@torch.no_grad()
def logprob_gap(model: PreTrainedModel, script: Script, episodes: list[Episode]) -> float:
    """Largest difference between an episode's log-probabilities and those of one full float32 forward."""
    args, gap = script.args, 0.0
    for ids, logprobs in episodes[:: max(1, len(episodes) // 4)]:
        full: Tensor = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        width = args.action + args.observation
        where = [args.prompt + turn * width + k for turn in range(args.turns) for k in range(args.action)]
        got = torch.tensor(logprobs)
        gap = max(gap, float((full[[p - 1 for p in where], [ids[p] for p in where]] - got).abs().max()))
    return gap


def measure(folder: str, dtype: torch.dtype, args: argparse.Namespace) -> dict[str, object]:
    model = load_model(folder)
    script = Script(args, model.config.vocab_size)
    sampler = HFSampler(model, dtype=dtype, max_length=2048)
    baseline = load_model(folder, dtype=dtype)
    tokens = args.episodes * args.turns * args.action
    slots, generate, gap = [], [], 0.0
    for _ in range(args.repetitions):
        asyncio.run(sampler.publish({}, 1))  # empties the cache: every repetition starts cold
        clock = Clock()
        episodes = asyncio.run(run_slots(sampler, script))
        slots.append(clock.read())
        gap = max(gap, logprob_gap(model, script, episodes))
        if not args.skip_generate:
            clock = Clock()
            run_generate(baseline, script)
            generate.append(clock.read())
        print(dtype, "slots, generate (wall s, processor s):", slots[-1:], generate[-1:], flush=True)
    result: dict[str, object] = {
        "slots_tokens_per_s": spread([tokens / wall for wall, _ in slots], 2),
        "largest_logprob_gap": gap,
    }
    if generate:
        times = ratios(generate, slots)
        result |= {"generate_tokens_per_s": spread([tokens / wall for wall, _ in generate], 2), "ratio": times}
        wall, processor = times["wall"]["median"], times["processor"]["median"]
        print(f"{dtype}: {wall} times generate ({processor} by processor time); log-probs within {gap:.2g} of float32")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=SMOLLM2)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--prompt", type=int, default=200)
    parser.add_argument("--observation", type=int, default=40)
    parser.add_argument("--action", type=int, default=12)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--skip-generate", action="store_true", help="only the sampler, to profile it; writes nothing")
    parser.add_argument("--threads", type=int, help="PyTorch's threads; one is steadiest beside other work")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    folder = resolve_model(args.model)
    settings = {k: v for k, v in vars(args).items() if k not in ("dtypes", "skip_generate")}
    results: dict[str, object] = {"settings": {**settings, "group": GROUP}}
    for name in args.dtypes:
        results[name] = measure(folder, getattr(torch, name), args)
        if not args.skip_generate:
            print(write_result("sampler", results))


if __name__ == "__main__":
    main()
