"""Multi-turn REINFORCE on BabyAI in one file, to be read from top to bottom. Nothing here is used by Sojourn itself.

    python recipes/reinforce_in_one_file.py --minutes 4

A tiny Llama with random weights learns to reach goals in rooms it has not seen, from the reward alone. Each turn it
reads an observation and writes one command, word by word, choosing only among words that continue a command which the
environment admits now. Episodes of one task form a group; an episode's advantage is its return minus the mean of the
others (leave-one-out), and every word it chose is made more or less likely by it. The horizon grows as it learns.

Left out, for clarity: batching across turns, KV caches that live for an episode, clipping, KL, checkpoints, failures,
resume, real chat templates. `src/sojourn/rollout/episode.py` and `src/sojourn/train/loop.py` have all of them.
"""

import argparse
import asyncio
import random
import re
import time
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from sojourn.envs.catalog import load_scenario

LEVELS = ["KeyInBox", "OpenRedBlueDoorsDebug"]
HORIZONS = [6, 8, 10]  # ScalingInter: a third of the time at each
TEST_HORIZON = 10
TASKS, GROUP = 16, 8  # tasks an update, episodes a task
PAD, END = 0, 1


class Words:
    """One id per word, given out as words appear; the ids of unseen words after `size` fall together."""

    def __init__(self, size: int) -> None:
        self.ids: dict[str, int] = {}
        self.size = size

    def __call__(self, text: str) -> list[int]:
        words = re.findall(r"[a-z]+|\d|\S", text.lower())
        return [min(self.ids.setdefault(word, len(self.ids) + 2), self.size - 1) for word in words]


@dataclass
class Episode:
    """One episode: the ids so far, which of them were chosen, and among which ids each of those was chosen."""

    env: object
    ids: list[int]
    chosen: list[int] = field(default_factory=list)  # positions in ids
    options: list[list[int]] = field(default_factory=list)
    ret: float = 0.0
    is_over: bool = False


def choice_logprobs(logits_NV: torch.Tensor, options: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probs of each row's options, padded with -inf. [N, K], and the options' ids. [N, K]"""
    width = max(map(len, options))
    index_NK = torch.tensor([o + [o[0]] * (width - len(o)) for o in options])
    is_real_NK = torch.tensor([[k < len(o) for k in range(width)] for o in options])
    return logits_NV.gather(1, index_NK).masked_fill(~is_real_NK, -torch.inf).log_softmax(-1), index_NK


@torch.no_grad()
def act(model: LlamaForCausalLM, live: list[Episode], words: Words) -> list[str]:
    """One command for each live episode, chosen word by word; the batch is padded on the left."""
    commands = [{(*words(c), END): c for c in asyncio.run(e.env.admissible_commands())} for e in live]
    longest = max(len(e.ids) for e in live)
    mask = torch.tensor([[0] * (longest - len(e.ids)) + [1] * len(e.ids) for e in live])
    ids = torch.tensor([[PAD] * (longest - len(e.ids)) + e.ids for e in live])
    cache, written = DynamicCache(), [() for _ in live]
    while True:
        position = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = model(ids, mask, position, cache, logits_to_keep=1)  # the cache's name depends on transformers' version
        options = [next_words(commands[b], written[b]) or [END] for b in range(len(live))]
        logprob_NK, index_NK = choice_logprobs(out.logits[:, -1].float(), options)
        picked = index_NK.gather(1, torch.multinomial(logprob_NK.exp(), 1))[:, 0].tolist()
        for b, e in enumerate(live):
            if written[b] in commands[b]:
                continue
            if len(options[b]) > 1:
                e.chosen.append(len(e.ids))
                e.options.append(options[b])
            e.ids.append(picked[b])
            written[b] += (picked[b],)
        if all(w in c for w, c in zip(written, commands, strict=True)):
            return [c[w] for w, c in zip(written, commands, strict=True)]
        ids = torch.tensor([[p] for p in picked])
        mask = torch.cat([mask, torch.ones(len(live), 1, dtype=mask.dtype)], 1)


def next_words(commands: dict[tuple[int, ...], str], written: tuple[int, ...]) -> list[int]:
    """Ids that continue `written` towards some command."""
    return sorted({c[len(written)] for c in commands if len(c) > len(written) and c[: len(written)] == written})


def rollout(model, scenario, tasks, words: Words, horizon: int) -> list[Episode]:
    """One episode per task, all in step with each other, for at most `horizon` turns."""
    run = asyncio.run
    episodes = []
    for task in tasks:
        env = scenario.make()
        episodes.append(Episode(env=env, ids=[*words(run(env.reset(task)).observation), END]))
    for _ in range(horizon):
        live = [e for e in episodes if not e.is_over]
        if not live:
            break
        for e, command in zip(live, act(model, live, words), strict=True):
            result = run(e.env.step(command))
            e.ret += result.reward
            e.is_over = result.terminated or result.truncated
            e.ids += [*words(result.observation), END] if not e.is_over else []
    for e in episodes:
        run(e.env.close())
    return episodes


def update(model, optimizer, episodes: list[Episode]) -> float:
    """One REINFORCE step with leave-one-out baselines; returns the mean return."""
    returns = torch.tensor([e.ret for e in episodes]).view(-1, GROUP)
    advantage = ((returns - returns.mean(1, keepdim=True)) * GROUP / (GROUP - 1)).flatten().tolist()
    trained = [(e, a) for e, a in zip(episodes, advantage, strict=True) if a != 0 and e.chosen]
    num_choices = sum(len(e.chosen) for e, _ in trained)
    for start in range(0, len(trained), 32):  # a few at a time, so that memory stays small
        part = sorted(trained, key=lambda pair: len(pair[0].ids))[start : start + 32]
        longest = max(len(e.ids) for e, _ in part)
        ids = torch.tensor([e.ids + [PAD] * (longest - len(e.ids)) for e, _ in part])
        logits = model(input_ids=ids, attention_mask=(ids != PAD).long()).logits
        row = torch.tensor([b for b, (e, _) in enumerate(part) for _ in e.chosen])
        place = torch.tensor([p for e, _ in part for p in e.chosen])
        logprob_NK, index_NK = choice_logprobs(logits[row, place - 1], [o for e, _ in part for o in e.options])
        logprob = logprob_NK.gather(1, (index_NK == ids[row, place][:, None]).int().argmax(1, keepdim=True))[:, 0]
        weight = torch.tensor([a for e, a in part for _ in e.chosen])
        entropy = -(logprob_NK.exp() * logprob_NK.clamp(min=-20)).sum(1)
        (-(logprob * weight + 0.003 * entropy).sum() / num_choices).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return float(returns.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--levels", nargs="+", default=LEVELS)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--hidden", type=int, default=64)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    scenario = load_scenario("babyai", {"style": "reminder", "levels": args.levels})
    words = Words(size=256)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=256,
            hidden_size=args.hidden,
            intermediate_size=4 * args.hidden,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            initializer_range=args.hidden**-0.5,
            pad_token_id=PAD,
            eos_token_id=END,
            bos_token_id=None,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
    train_tasks, test_tasks = scenario.tasks("train"), scenario.panel("test").tasks

    def test() -> float:
        episodes = rollout(model, scenario, test_tasks, words, TEST_HORIZON)
        return sum(e.ret for e in episodes) / len(episodes)

    print(f"success on {len(test_tasks)} held-out tasks, untrained: {test():.2f}", flush=True)
    started, seconds, number = time.time(), 60 * args.minutes, 0
    while (spent := time.time() - started) < seconds:
        horizon = HORIZONS[min(int(spent / seconds * len(HORIZONS)), len(HORIZONS) - 1)]
        tasks = [train_tasks[rng.randrange(len(train_tasks))] for _ in range(TASKS)]
        episodes = rollout(model, scenario, [t for t in tasks for _ in range(GROUP)], words, horizon)
        mean_return = update(model, optimizer, episodes)
        number += 1
        if number % 10 == 0:
            print(f"{spent:5.0f} s  update {number:3d}  horizon {horizon}  return {mean_return:.2f}", flush=True)
    print(f"success on {len(test_tasks)} held-out tasks, after {number} updates: {test():.2f}")


if __name__ == "__main__":
    main()
