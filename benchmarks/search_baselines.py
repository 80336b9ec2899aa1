"""What the questions take: one-shot retrieval, a model without a search, random play and the oracle, by split and hops.

    python benchmarks/search_baselines.py --corpora atlas atlas-cf

One-shot retrieval: the question itself is the query; is an accepted answer in the first 3, 10 or 20 hits? (In the first
3 it is not, by construction: such questions are dropped.) Closed book: SmolLM2-135M-Instruct answers from memory,
greedily; as it writes sentences, whatever it is asked for, it also counts how often an accepted answer stands anywhere
in what it writes. Random play chooses among the commands that the environment lists; the oracle walks the gold path.
Success is exact match under SQuAD's normalisation, with 95 % Wilson intervals. Written to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from _machine import write_result
from _search_page import DEPTHS, table
from sojourn.engine.pretrained import SMOLLM2, load_tokenizer, resolve_model
from sojourn.engine.torch_engine import TorchEngine
from sojourn.envs.catalog import load_scenario
from sojourn.envs.protocol import Panel, Scenario
from sojourn.envs.search.atlas import open_atlas
from sojourn.envs.search.normalize import mark, normalizer, squad
from sojourn.envs.search.questions import question_of
from sojourn.envs.search.records import Question
from sojourn.envs.search.retrieve.text_index import TextIndex
from sojourn.evaluate.intervals import wilson
from sojourn.evaluate.panel import evaluate_panel
from sojourn.policy.agents import Agent
from sojourn.policy.renderer import Renderer
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.types import Message, SamplingParams

HORIZON = 10
PROMPT = "Answer the question with a name or a few words, and nothing else."
MAX_ANSWER_TOKENS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", nargs="+", default=["atlas", "atlas-cf"])
    parser.add_argument(
        "--closed-book", type=int, default=40, help="questions of each split and hop count (default: 40)"
    )
    parser.add_argument("--random-repeats", type=int, default=5)
    options = parser.parse_args()
    result = asyncio.run(measured(options.corpora, options.closed_book, options.random_repeats))
    print(table(result))
    print("written to", write_result("search_baselines", {"horizon": HORIZON, "model": SMOLLM2, "corpora": result}))


async def measured(corpora: Sequence[str], closed_book: int, repeats: int) -> dict[str, Any]:
    """corpus -> split -> hops -> figures."""
    folder = resolve_model(SMOLLM2)
    renderer = Renderer(load_tokenizer(folder))
    engine = TorchEngine.from_pretrained(folder, max_length=512, max_slots=32, sampler_dtype="float32")
    await engine.publish()
    result: dict[str, Any] = {}
    for corpus in corpora:
        scenario = load_scenario("search", {"retriever": corpus})
        result[corpus] = {}
        for split in scenario.splits:
            by_hops = await of_split(scenario, corpus, split, repeats)
            for category, figures in by_hops.items():
                chosen = asked(corpus, scenario, split, category)[:closed_book]
                figures["closed_book"] = await from_memory(engine, renderer, chosen)
            result[corpus][split] = by_hops
            print(corpus, split, flush=True)
    await engine.close()
    return result


async def of_split(scenario: Scenario, corpus: str, split: str, repeats: int) -> dict[str, Any]:
    """hops -> what random play, the oracle and one-shot retrieval make of the split's panel."""
    panel = scenario.panel(split)
    chance = await played(scenario, panel, RandomAgent(), "random", repeats)
    oracle = await played(scenario, panel, OracleAgent(), "oracle", 1)
    index = TextIndex(open_atlas(corpus).index_folder)
    rows = {}
    for category in sorted({task.category or "" for task in panel.tasks}):
        questions = asked(corpus, scenario, split, category)
        rows[category] = {
            "questions": len(questions),
            "one_shot": {str(depth): in_hits(index, questions, depth) for depth in DEPTHS},
            "random": chance[category],
            "oracle": oracle[category],
        }
    await index.close()
    return rows


async def played(scenario: Scenario, panel: Panel, agent: Agent, name: str, repeats: int) -> dict[str, Any]:
    """category -> success of `agent`."""
    evaluation, _ = await evaluate_panel(
        scenario, panel, agent, agent_name=name, horizon=HORIZON, seed=0, limits=EpisodeLimits(), repeats=repeats
    )
    return {
        category: {
            "episodes": row.num_episodes,
            "success": row.success_rate,
            "interval": None if row.interval is None else [row.interval.low, row.interval.high],
            "mean_turns": row.mean_turns,
        }
        for category, row in evaluation.categories.items()
    }


def asked(corpus: str, scenario: Scenario, split: str, category: str) -> list[Question]:
    """The panel's questions of one category."""
    atlas = open_atlas(corpus)
    return [question_of(atlas, t.task_id) for t in scenario.panel(split).tasks if t.category == category]


def in_hits(index: TextIndex, questions: Sequence[Question], depth: int) -> float:
    """Share of the questions with an accepted answer in the first `depth` hits of the question itself."""
    found = index.search_now([question.text for question in questions], depth)
    texts = [" ".join(f"{hit.passage.title} {hit.passage.text}" for hit in hits) for hits in found]
    return sum(states(text, question) for text, question in zip(texts, questions, strict=True)) / len(questions)


def states(text: str, question: Question) -> bool:
    """Whether an accepted answer stands in a text, in words of their own."""
    padded = f" {squad(text)} "
    return any(f" {squad(answer)} " in padded for answer in question.answers)


async def from_memory(engine: TorchEngine, renderer: Renderer, questions: Sequence[Question]) -> dict[str, Any]:
    """How often the model that is only asked writes an accepted answer, or something with one in it."""

    async def answer(number: int, question: Question) -> str:
        messages = [Message(role="system", content=PROMPT), Message(role="user", content=question.text)]
        prompt = renderer.opening(messages)
        params = SamplingParams(max_new_tokens=MAX_ANSWER_TOKENS, temperature=0.0, stop_ids=renderer.stop_ids)
        completion = await engine.sample(prompt, params, session=str(number))
        engine.release(str(number))
        return renderer.text(completion.token_ids).strip()

    answers = await asyncio.gather(*(answer(number, question) for number, question in enumerate(questions)))
    rule = normalizer("squad")
    pairs = list(zip(answers, questions, strict=True))
    right = sum(mark(text, question.answers, rule).em for text, question in pairs)
    contained = sum(states(text, question) for text, question in pairs)
    interval, looser = wilson(right, len(pairs)), wilson(contained, len(pairs))
    return {
        "questions": len(pairs),
        "exact": right / len(pairs),
        "interval": [interval.low, interval.high],
        "contained": contained / len(pairs),
        "contained_interval": [looser.low, looser.high],
    }


if __name__ == "__main__":
    main()
