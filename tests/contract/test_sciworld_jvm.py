"""The simulator behind SciWorld: what its JVM says, what episodes share, and what happens when it fails."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

pytest.importorskip("scienceworld")

from sojourn.envs.sciworld import KINDS, SciWorld, close_pools
from sojourn.envs.sciworld.env import SciWorldEnv
from sojourn.envs.sciworld.jvm import Jvm, JvmSettings
from sojourn.envs.sciworld.pool import Pool, PoolSettings, shared_pool
from sojourn.envs.sciworld.scenario import SIMPLIFICATIONS
from sojourn.envs.sciworld.simulator import Handle, Setting, Simulator
from sojourn.envs.sciworld.wire import Ref, call, call_static, construct, release
from sojourn.errors import EnvError
from sojourn.types import StepResult, Task

T = TypeVar("T")


@pytest.fixture(scope="module", autouse=True)
def _no_jvm_is_left() -> Iterator[None]:
    yield
    close_pools()


@contextmanager
def jvm(**settings: Any) -> Iterator[Callable[[Callable[[Simulator], T]], T]]:
    """Runs jobs in a JVM of its own."""
    machine = Jvm(JvmSettings(**settings))
    try:
        yield lambda job: asyncio.run(machine.run(job))
    finally:
        machine.close()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


# --------------------------------------------------------------------------------------------------- what the jar says


def text_of(simulator: Simulator, listed: Ref) -> str:
    answer: str = simulator.wire.ask(call(listed, "toString"))
    return answer.strip("[]")


def numbers(simulator: Simulator, interface: Ref, method: str) -> list[int]:
    return [int(word) for word in text_of(simulator, simulator.wire.ask(call(interface, method))).split(",") if word]


def test_the_table_of_tasks_is_what_the_simulator_says() -> None:
    def look(simulator: Simulator) -> None:
        ask = simulator.wire.ask
        interface = ask(construct("scienceworld.runtime.pythonapi.PythonInterface"))
        assert sorted(text_of(simulator, ask(call(interface, "getTaskNames"))).split(", ")) == sorted(KINDS)
        assert ask(call(interface, "getPossibleSimplifications")).split(", ") == sorted(SIMPLIFICATIONS)
        for kind in KINDS.values():
            ask(call(interface, "taskStr_$eq", kind.name))
            assert ask(call(interface, "getTaskMaxVariations", kind.name)) == kind.num_variations
            splits = {"train": "Train", "validation": "Dev", "test": "Test"}
            found = {split: numbers(simulator, interface, f"getVariations{name}") for split, name in splits.items()}
            assert found == {split: list(kind.variations(split)) for split in splits}, kind.name

    with jvm() as run:
        run(look)


def own_list(simulator: Simulator, interface: Ref) -> list[str]:
    """The simulator's own list of valid actions, which takes ten times as long."""
    array = simulator.wire.ask(call(interface, "getValidActionObjectCombinations"))
    wrapped = simulator.wire.ask(call(simulator.predef, "genericWrapArray", array))
    return sorted(set(simulator.wire.ask(call(wrapped, "mkString", "\n")).split("\n")))


def full_state(simulator: Simulator, interface: Ref) -> str:
    """Everything there is in a world, with the numbers of its objects."""
    loader = simulator.wire.ask(construct("scienceworld.runtime.pythonapi.PythonInterface"))
    option = simulator.wire.ask(construct("scala.Some", interface))
    _, state, *_ = simulator.wire.send(
        call(loader, "agentInterface_$eq", option), call(loader, "getObjectTree", ""), release(loader), release(option)
    )
    return f"{simulator.wire.ask(call(interface, 'getTaskDescription'))}\n{state}"


def loaded_by_scienceworld(simulator: Simulator, setting: Setting) -> Ref:
    """A world as ScienceWorld's own load makes it."""
    loader = simulator.wire.ask(construct("scienceworld.runtime.pythonapi.PythonInterface"))
    simulator.wire.ask(call(loader, "load", setting.task_name, setting.variation, setting.simplifications, False))
    option = simulator.wire.ask(call(loader, "agentInterface"))
    interface: Ref = simulator.wire.send(call(option, "get"), release(loader), release(option))[0]
    return interface


@pytest.mark.slow
@pytest.mark.parametrize("simplifications", ["", "openDoors,selfWateringFlowerPots"])
def test_a_world_is_the_one_that_scienceworlds_own_load_makes(simplifications: str) -> None:
    def compare(simulator: Simulator) -> None:
        rng = random.Random(simplifications)
        for kind in KINDS.values():
            for variation in {0, kind.num_variations - 1, *rng.sample(range(kind.num_variations), 2)}:
                setting = Setting(task_name=kind.name, variation=variation, simplifications=simplifications)
                handle = Handle()
                simulator.load(setting, handle)
                own = loaded_by_scienceworld(simulator, setting)
                expected = full_state(simulator, own)
                assert full_state(simulator, handle.live.interface) == expected, setting
                simulator.wire.ask(release(own))
                simulator.release(handle)

    with jvm() as run:
        run(compare)


LISTED_KINDS = (
    "find-animal",
    "chemistry-mix-paint-tertiary-color",
    "grow-fruit",
    "boil",
    "inclined-plane-determine-angle",
)
MOVES = ("open", "go", "teleport", "pick up", "move", "pour")


@pytest.mark.slow
@pytest.mark.parametrize("simplifications", ["", "teleportAction,openDoors,noElectricalAction"])
def test_the_commands_are_those_of_the_simulators_own_list_that_it_understands(simplifications: str) -> None:
    def is_known(simulator: Simulator, setting: Setting, actions: Sequence[str]) -> bool:
        handle = Handle()
        simulator.load(setting, handle)
        known = [simulator.step(handle.live, action, seed=n).is_known for n, action in enumerate(actions)]
        simulator.release(handle)
        return known[-1]

    def play(simulator: Simulator) -> int:
        num_refused = 0
        for number, name in enumerate(LISTED_KINDS):
            handle, rng = Handle(), random.Random(number)
            setting = Setting(task_name=name, variation=number, simplifications=simplifications)
            simulator.load(setting, handle)
            actions: list[str] = []
            for step in range(3):
                listed = simulator.commands(handle.live, seed=step)
                simulator.wire.ask(call(simulator.random, "setSeed", step))
                own = own_list(simulator, handle.live.interface)
                assert set(listed) <= set(own), f"{name} after {actions}"
                for command in rng.sample(sorted(listed), min(4, len(listed))):
                    assert is_known(simulator, setting, [*actions, command]), f"{command} after {actions}"
                others = sorted(set(own) - set(listed))  # names of what is out of reach, or other names
                for command in rng.sample(others, min(4, len(others))):
                    num_refused += not is_known(simulator, setting, [*actions, command])
                actions.append(rng.choice([c for c in listed if c.startswith(MOVES)] or listed))
                simulator.step(handle.live, actions[-1], seed=step)
            simulator.release(handle)
        return num_refused

    with jvm() as run:
        assert run(play) > 0  # the simulator does list what it does not understand


# ------------------------------------------------------------------------------------------- episodes in one process

RECORDED_TURNS = 10


def tasks_of_many_kinds(scenario: SciWorld) -> list[Task]:
    """24 tasks, all of different kinds."""
    names = list(KINDS)[:24]
    by_name = {name: [t for t in scenario.tasks("train") if t.task_id.startswith(f"{name}/")] for name in names}
    return [tasks[number % len(tasks)] for number, tasks in enumerate(by_name.values())]


async def actions_for(scenario: SciWorld, task: Task, seed: int) -> list[str]:
    """A random walk among the valid commands, with some that are none."""
    env, rng = scenario.make(), random.Random(seed)
    await env.reset(task)
    actions: list[str] = []
    while len(actions) < RECORDED_TURNS:
        actions.append(rng.choice([*await env.admissible_commands()]) if rng.random() < 0.9 else "fly to the moon")
        if (await env.step(actions[-1])).terminated:
            break
    await env.close()
    return actions


async def replay(scenario: SciWorld, task: Task, actions: Sequence[str], *, lists: bool) -> list[Any]:
    env = scenario.make()
    seen: list[Any] = [await env.reset(task)]
    for action in actions:
        if lists:
            seen.append(tuple(await env.admissible_commands()))
        seen.append(await env.step(action))
    await env.close()
    return seen


@pytest.mark.slow
def test_24_interleaved_episodes_go_as_each_goes_alone_in_a_fresh_process() -> None:
    scenario = SciWorld(num_jvms=1)
    tasks = tasks_of_many_kinds(scenario)

    async def together() -> tuple[list[list[str]], list[list[Any]]]:
        actions = await asyncio.gather(*(actions_for(scenario, task, n) for n, task in enumerate(tasks)))
        plays = (replay(scenario, t, a, lists=True) for t, a in zip(tasks, actions, strict=True))
        return actions, await asyncio.gather(*plays)

    async def one_by_one(actions: Sequence[Sequence[str]]) -> list[list[Any]]:
        return [await replay(scenario, t, a, lists=True) for t, a in zip(tasks, actions, strict=True)]

    close_pools()
    actions, interleaved = asyncio.run(together())
    close_pools()
    scenario = SciWorld(num_jvms=1)  # in a JVM of its own
    assert asyncio.run(one_by_one(actions)) == interleaved


def test_simplifications_of_one_episode_do_not_reach_another() -> None:
    plain, easy = SciWorld(tasks=["grow-plant"], num_jvms=1), SciWorld(simplifications="easy", num_jvms=1)

    async def play() -> None:
        first, second = plain.make(), easy.make()
        await first.reset(plain.tasks("train")[0])
        before = await first.admissible_commands()
        await second.reset(easy.tasks("train")[0])
        assert "teleport to kitchen" in await second.admissible_commands()
        assert first.jvm_pid == second.jvm_pid
        assert (await first.step("teleport to kitchen")).info["invalid"]
        assert not (await second.step("teleport to kitchen")).info.get("invalid")
        await first.step("look around")
        assert await first.admissible_commands() == before
        await first.close()
        await second.close()

    asyncio.run(play())


def test_an_oracle_asked_beside_the_episode_changes_nothing() -> None:
    scenario = SciWorld(num_jvms=1)
    task = scenario.panel("test").tasks[-1]

    async def play(*, asks: bool) -> list[StepResult]:
        env = scenario.make()
        results = [await env.reset(task)]
        for action in ("look around", "inventory", "wait1", "open door to kitchen", "wait"):
            if asks:
                assert await scenario.oracle(env).next_action()
            results.append(await env.step(action))
        await env.close()
        return results

    assert asyncio.run(play(asks=True)) == asyncio.run(play(asks=False))


def test_the_jvm_outlives_the_event_loop_and_forgets_closed_episodes() -> None:
    scenario = SciWorld(num_jvms=1)
    task = scenario.tasks("test")[-1]

    async def play() -> tuple[str, int | None]:
        env = scenario.make()
        observation = (await env.reset(task)).observation
        pid = env.jvm_pid
        await env.close()
        return observation, pid

    first, second = asyncio.run(play()), asyncio.run(play())
    assert first == second


# ------------------------------------------------------------------------------------------------------------ failures


async def open_episode(scenario: SciWorld) -> SciWorldEnv:
    env = scenario.make()
    await env.reset(scenario.tasks("train")[0])
    return env


async def expect_failure(env: SciWorldEnv, match: str = "ScienceWorld") -> None:
    with pytest.raises(EnvError, match=match):
        await env.step("look around")
    with pytest.raises(EnvError, match=match):
        await env.admissible_commands()
    await env.close()


def test_a_killed_jvm_fails_its_episodes_and_is_replaced() -> None:
    scenario = SciWorld(num_jvms=1, heap_mb=128)

    async def play() -> None:
        first, second = await open_episode(scenario), await open_episode(scenario)
        pid = first.jvm_pid
        assert pid is not None
        assert pid == second.jvm_pid
        os.kill(pid, signal.SIGKILL)
        await expect_failure(first, "JVM was lost")
        await expect_failure(second, "JVM was lost")
        third = await open_episode(scenario)
        assert third.jvm_pid not in (None, pid)
        assert (await third.step("look around")).observation.startswith("This room")
        await third.close()
        wait_until(lambda: not is_running(pid))

    asyncio.run(play())


def test_a_jvm_that_hangs_is_killed_at_the_deadline_and_the_event_loop_goes_on_meanwhile() -> None:
    scenario = SciWorld(num_jvms=1, heap_mb=129, deadline_s=2.0)

    async def play() -> None:
        env = await open_episode(scenario)
        pid = env.jvm_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        hanging = asyncio.create_task(env.step("look around"))
        num_beats = 0
        while not hanging.done():
            await asyncio.sleep(0.05)
            num_beats += 1
        assert num_beats >= 20
        with pytest.raises(EnvError, match="no answer within 2 s"):
            hanging.result()
        assert 1.5 < time.monotonic() - began < 10
        await expect_failure(env)
        wait_until(lambda: not is_running(pid))
        fresh = await open_episode(scenario)
        await fresh.close()

    asyncio.run(play())


def test_closing_an_episode_never_waits_for_the_jvm() -> None:
    scenario = SciWorld(num_jvms=1, heap_mb=130, deadline_s=3.0)

    async def play() -> None:
        env = await open_episode(scenario)
        pid = env.jvm_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(env.step("look around"), timeout=0.2)
        await env.close()
        assert time.monotonic() - began < 2
        wait_until(lambda: not is_running(pid))

    asyncio.run(play())


def test_a_jvm_is_recycled_after_its_share_of_episodes_once_the_last_is_closed() -> None:
    pool = Pool(PoolSettings(num_jvms=1, max_episodes=2))

    async def play() -> None:
        leases = [pool.lease() for _ in range(3)]
        for lease in leases:
            await lease.run(lambda simulator: simulator.wire.ask(call(simulator.predef, "toString")))
        old, young = leases[0].jvm, leases[2].jvm
        assert leases[1].jvm is old is not young
        old_pid = old.pid
        assert old_pid is not None
        leases[0].end(lambda _: None)
        assert old_pid in pool.pids
        leases[1].end(lambda _: None)
        assert pool.pids == (young.pid,)
        wait_until(lambda: not is_running(old_pid))
        leases[2].end(lambda _: None)

    asyncio.run(play())
    pids = pool.pids
    pool.close()
    wait_until(lambda: not any(map(is_running, pids)))


def test_a_second_jvm_comes_with_the_second_live_episode() -> None:
    pool = Pool(PoolSettings(num_jvms=2))
    leases = [pool.lease() for _ in range(4)]  # none starts: no job is asked for
    assert [lease.jvm is leases[0].jvm for lease in leases] == [True, False, True, False]
    for lease in leases:
        lease.end(lambda _: None)
    pool.close()


def test_a_closed_jvm_says_so_instead_of_keeping_one_waiting() -> None:
    scenario = SciWorld(num_jvms=1, heap_mb=131)

    async def play() -> None:
        env = await open_episode(scenario)
        shared_pool(PoolSettings(num_jvms=1, jvm=JvmSettings(heap_mb=131))).close()
        await expect_failure(env, "the JVM is closed")

    asyncio.run(play())


def test_a_jvm_that_cannot_start_says_what_it_said() -> None:
    machine = Jvm(JvmSettings(heap_mb=1 << 40))
    with pytest.raises(EnvError, match="heap"):
        asyncio.run(machine.run(lambda simulator: simulator))
    assert machine.is_dead
    machine.close()


PARENT = """
import asyncio, sys, time
from sojourn.envs.sciworld import SciWorld
async def play():
    scenario = SciWorld(num_jvms=1)
    env = scenario.make()
    await env.reset(scenario.tasks("train")[0])
    print(env.jvm_pid, flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print((await env.step("look around")).observation, flush=True)  # still there after Ctrl-C
        raise
try:
    asyncio.run(play())
except KeyboardInterrupt:
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_jvm_outlives_its_parent_and_none_dies_of_ctrl_c_before_it(number: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    if number is signal.SIGINT:
        os.killpg(parent.pid, signal.SIGINT)  # as the terminal does it: to the whole process group
    else:
        parent.kill()
    said, _ = parent.communicate(timeout=120)
    assert ("This room" in said) == (number is signal.SIGINT)
    wait_until(lambda: not is_running(pid))


FORK = """
import asyncio, os, sys
from sojourn.envs.sciworld import SciWorld
scenario = SciWorld(num_jvms=1)
env = scenario.make()
asyncio.run(env.reset(scenario.tasks("train")[0]))
child = os.fork()
if child == 0:
    print("child", flush=True)
    sys.exit(0)  # runs the exit handlers
os.waitpid(child, 0)
asyncio.run(env.step("look around"))
print("lives", flush=True)
"""


def test_a_forked_child_leaves_the_parents_jvm_alone() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["child", "lives"]


def test_a_batch_of_calls_is_answered_at_once() -> None:
    """Nagle's algorithm on the JVM's side would hold each batch back for 40 ms."""

    def batches(simulator: Simulator) -> float:
        commands = [call_static("util.UniqueIdentifier", "count")] * 3
        times = []
        for _ in range(30):
            began = time.perf_counter()
            simulator.wire.send(*commands)
            times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]

    with jvm() as run:
        assert run(batches) < 0.02
