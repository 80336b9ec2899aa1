"""What searching costs: build time, size, memory and queries per CPU second at 60k, 300k and a million passages.

    python benchmarks/search.py --repetitions 5

The corpora are ``atlas-mini``, ``atlas``, and a million passages that pair the atlas' titles with its texts anew.
Beside each of the first two runs a named alternative on the same passages and queries: full-text search of SQLite
(FTS5), the index that needs no package. Queries are those of the test questions' gold paths. Every corpus is measured
in a process of its own, so that its memory is its own. The step of a whole episode is measured on the atlas, with the
oracle's actions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from _machine import Clock, spread, write_result
from sojourn.envs.catalog import load_scenario
from sojourn.envs.contract import sample_tasks
from sojourn.envs.search.atlas import Atlas, open_atlas
from sojourn.envs.search.questions import questions_of
from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.text_index import TextIndex, build_text_index, query_terms

MILLION = "million"
CORPORA = ("atlas-mini", "atlas", MILLION)
K = 3
BATCH = 64
NUM_QUERIES = 2_048
NUM_FTS5_QUERIES = 64
NUM_EPISODES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--one", choices=CORPORA, help="measure this corpus in this process and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.repetitions)))
        return
    for name in {"atlas" if name == MILLION else name for name in options.corpora}:
        questions_of(open_atlas(name), "test")  # made once, outside the clocks
    rows = {name: in_a_process(name, options.repetitions) for name in options.corpora}
    for name, row in rows.items():
        print(line(name, row))
    print("written to", write_result("search", {"k": K, "batch": BATCH, "corpora": rows}))


def in_a_process(name: str, repetitions: int) -> dict[str, Any]:
    """The figures of one corpus, measured in a fresh process."""
    command = [sys.executable, __file__, "--one", name, "--repetitions", str(repetitions)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(name: str, repetitions: int) -> dict[str, Any]:
    """Everything about one corpus."""
    atlas = open_atlas("atlas" if name == MILLION else name)
    queries = hop_queries(atlas)
    count = 1_000_000 if name == MILLION else sum(1 for _ in atlas.passages())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        before, clock = peak_mb(), Clock()
        build_text_index(pairs_anew(atlas, count) if name == MILLION else atlas.passages(), folder)
        wall_s, cpu_s = clock.read()
        row: dict[str, Any] = {
            "passages": count,
            "build": {"cpu_s": round(cpu_s, 2), "wall_s": round(wall_s, 2), "peak_mb_above_before": peak_mb() - before},
            "index_mb": round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 1),
        }
        row["index"] = searching(folder, queries, repetitions)
        if name != MILLION:
            row["fts5"] = fts5(atlas.passages(), queries[:NUM_FTS5_QUERIES], Path(scratch) / "fts5.db", repetitions)
            ours, theirs = row["index"]["single_per_cpu_s"]["median"], row["fts5"]["per_cpu_s"]["median"]
            row["times_fts5"] = round(ours / theirs, 1)
    if name == "atlas":
        row["episode"] = episode_cost(repetitions)
    return row


def hop_queries(atlas: Atlas) -> list[str]:
    """The queries of the test questions' gold paths, each once, in an order drawn once."""
    found = dict.fromkeys(hop.query for question in questions_of(atlas, "test") for hop in question.hops)
    queries = list(found)
    random.Random(0).shuffle(queries)
    return (queries * (NUM_QUERIES // len(queries) + 1))[:NUM_QUERIES]


def pairs_anew(atlas: Atlas, count: int) -> Iterator[Passage]:
    """`count` passages that have the titles and the texts of the atlas, in other pairs: real words, no real facts."""
    real = list(atlas.passages())
    rng = random.Random(0)
    for number in range(count):
        title, text = real[number % len(real)].title, rng.choice(real).text
        yield Passage(passage_id=f"pair/{number}", title=title, text=text)


def searching(folder: Path, queries: Sequence[str], repetitions: int) -> dict[str, Any]:
    """Queries per CPU second, one at a time and in batches, and what memory the process of a reader grows by."""
    index = TextIndex(folder)
    batches = [queries[at : at + BATCH] for at in range(0, len(queries), BATCH)]
    before = resident_mb()
    index.search_now(queries, K)  # the pages that the queries touch are read once
    grown = resident_mb() - before

    def singly() -> None:
        for query in queries:
            index.search_now([query], K)

    def batched() -> None:
        for batch in batches:
            asyncio.run(index.search(batch, K))

    result = {
        "single_per_cpu_s": spread([per_cpu_s(singly, len(queries)) for _ in range(repetitions)], 0),
        "batched_per_cpu_s": spread([per_cpu_s(batched, len(queries)) for _ in range(repetitions)], 0),
        "reader_mb": round(grown, 1),
    }
    asyncio.run(index.close())
    return result


def fts5(passages: Iterator[Passage], queries: Sequence[str], file: Path, repetitions: int) -> dict[str, Any]:
    """The same passages and query terms in SQLite's full-text index, title twice as heavy as in ours."""
    clock = Clock()
    with sqlite3.connect(file) as database:
        database.execute("CREATE VIRTUAL TABLE passage USING fts5(title, text)")
        database.executemany("INSERT INTO passage VALUES (?, ?)", ((p.title, p.text) for p in passages))
    build_cpu_s = clock.read()[1]

    def singly() -> None:
        for query in queries:
            terms = " OR ".join(f'"{term}"' for term in query_terms(query))
            sql = "SELECT title, text FROM passage WHERE passage MATCH ? ORDER BY bm25(passage, 2, 1) LIMIT ?"
            database.execute(sql, (terms, K)).fetchall()

    result = {
        "build_cpu_s": round(build_cpu_s, 2),
        "index_mb": round(file.stat().st_size / 1e6, 1),
        "per_cpu_s": spread([per_cpu_s(singly, len(queries)) for _ in range(repetitions)], 1),
    }
    database.close()
    return result


def episode_cost(repetitions: int) -> dict[str, Any]:
    """CPU milliseconds of a reset and of a step, with the oracle's actions on the test panel of the atlas.

    Without the cache, every search is a search; with it, all but the first of a query are looked up.
    """
    return {name: oracle_cost(size, repetitions) for name, size in (("without_cache", 0), ("with_cache", 4096))}


def oracle_cost(cache: int, repetitions: int) -> dict[str, Any]:
    """The figures with a cache of so many answers."""
    scenario = load_scenario("search", {"retriever_options": {"cache": cache}})
    tasks = sample_tasks(scenario, "test", NUM_EPISODES)

    async def play() -> tuple[float, float, int]:
        resets = steps = 0.0
        num_steps = 0
        for task in tasks:
            env = scenario.make()
            clock = Clock()
            await env.reset(task)
            resets += clock.read()[1]
            oracle = scenario.oracle(env)
            is_over = False
            while not is_over:
                action = await oracle.next_action()
                assert action is not None
                clock = Clock()
                result = await env.step(action)
                steps += clock.read()[1]
                num_steps += 1
                is_over = result.terminated or result.truncated
            await env.close()
        return 1e3 * resets / len(tasks), 1e3 * steps / num_steps, num_steps

    asyncio.run(play())  # warm
    played = [asyncio.run(play()) for _ in range(repetitions)]
    return {
        "episodes": len(tasks),
        "steps": played[0][2],
        "reset_cpu_ms": spread([row[0] for row in played]),
        "step_cpu_ms": spread([row[1] for row in played]),
    }


def per_cpu_s(call: Callable[[], None], count: int) -> float:
    """`count` over the processor seconds that `call` takes."""
    clock = Clock()
    call()
    return count / clock.read()[1]


def peak_mb() -> int:
    """The most memory that this process has held."""
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale)


def resident_mb() -> float:
    """Memory of this process now, pages of mapped files included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def line(name: str, row: dict[str, Any]) -> str:
    """One corpus as a line to read."""
    singly, batched = (row["index"][f"{kind}_per_cpu_s"]["median"] for kind in ("single", "batched"))
    text = (
        f"{name:<11}{row['passages']:>9,} passages: built in {row['build']['cpu_s']:.1f} CPU-s, "
        f"{row['index_mb']:.0f} MB; {singly:,.0f} queries per CPU-s, {batched:,.0f} batched"
    )
    if "times_fts5" in row:
        text += f"; {row['times_fts5']:,.0f} times SQLite's FTS5"
    if "episode" in row:
        text += f"; a step {row['episode']['without_cache']['step_cpu_ms']['median']:.3f} CPU-ms without the cache"
    return text


if __name__ == "__main__":
    main()
