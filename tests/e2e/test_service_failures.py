"""What goes wrong with services, done to real processes: killed, hung, cut off, abandoned, full, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.services import ROOT, CuttingProxy, Service, is_alive, serving, task_of, wait_until

from sojourn.envs.protocol import Env
from sojourn.errors import ConfigError, EnvError
from sojourn.service.client import RemoteScenario

FAULTY = "tests.faulty:Faulty"
TASK = task_of("faulty-v1")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """TextCraft in the service's process, the faulty one in two workers, with short deadlines."""
    flags = ["--workers", "2", "--step-timeout-s", "1", "--lease-s", "30"]
    with serving(tmp_path_factory.mktemp("service"), "textcraft", FAULTY, *flags) as running:
        yield running
        assert running.num_open() == 0


def faulty(url: str, **options: Any) -> RemoteScenario:
    return RemoteScenario(url, env=FAULTY, **options)


async def started(scenario: RemoteScenario, count: int) -> tuple[list[Env], list[int]]:
    """Episodes under way, and the process that each of them lives in."""
    envs = [scenario.make() for _ in range(count)]
    results = [await env.reset(TASK) for env in envs]
    return envs, [result.info["pid"] for result in results]


async def close(envs: list[Env]) -> None:
    await asyncio.gather(*(env.close() for env in envs))


async def failure(call: Awaitable[Any]) -> str:
    with pytest.raises(EnvError) as caught:
        await call
    return str(caught.value)


def test_a_worker_that_is_killed_fails_its_own_episodes_at_once_and_is_replaced(service: Service) -> None:
    async def play() -> None:
        scenario, other = faulty(service.url), RemoteScenario(service.url, env="textcraft")
        envs, pids = await started(scenario, 6)
        assert len(set(pids)) == 2
        light = other.make()
        await light.reset(other.panel("test").tasks[0])
        hanging = asyncio.create_task(failure(envs[pids.index(pids[0])].step("wait")))
        await asyncio.sleep(0.1)
        os.kill(pids[0], signal.SIGKILL)
        begun = time.monotonic()
        assert "env_failed: its worker process has died" in await hanging
        assert time.monotonic() - begun < 0.9  # not by the deadline
        for env, pid in zip(envs[1:], pids[1:], strict=True):
            if pid == pids[0]:
                assert "env_failed" in await failure(env.step("go"))
            else:
                assert (await env.step("go")).observation == "Step 1: go."
        assert (await light.step("inventory")).reward == 0
        fresh, fresh_pids = await started(scenario, 6)
        assert len(set(fresh_pids)) == 2
        assert pids[0] not in fresh_pids
        await close([*envs, *fresh, light])

    restarts = service.metric("sojourn_worker_restarts_total")
    asyncio.run(play())
    assert service.metric("sojourn_worker_restarts_total") == restarts + 1


def test_a_step_that_holds_the_processor_is_killed_after_its_deadline(service: Service) -> None:
    async def play() -> None:
        scenario = faulty(service.url)
        envs, pids = await started(scenario, 4)
        mate = next(k for k in range(1, 4) if pids[k] == pids[0])
        others = [k for k in range(4) if pids[k] != pids[0]]
        hanging = asyncio.create_task(failure(envs[0].step("hold")))
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(failure(envs[mate].step("go")))
        begun = time.monotonic()
        for _ in range(20):  # the other worker goes on meanwhile
            for k in others:
                await envs[k].step("go")
        assert time.monotonic() - begun < 1.5
        assert not hanging.done()
        assert "env_timeout: step held the worker for longer than 1 s" in await hanging
        assert "env_failed" in await waiting
        wait_until(lambda: not is_alive(pids[0]), "the worker's end")
        await close(envs)

    asyncio.run(play())


@pytest.mark.parametrize("action", ["wait", "cling"])
def test_a_step_that_waits_for_ever_fails_alone(service: Service, action: str) -> None:
    async def play() -> None:
        envs, pids = await started(faulty(service.url), 4)
        mate = next(k for k in range(1, 4) if pids[k] == pids[0])
        hanging = asyncio.create_task(failure(envs[0].step(action)))
        assert (await envs[mate].step("go")).observation == "Step 1: go."
        assert "env_timeout: step took longer than 1 s" in await hanging
        assert (await envs[mate].step("go")).observation == "Step 2: go."
        assert is_alive(pids[0])
        await close(envs)

    asyncio.run(play())


def test_a_call_that_hangs_delays_the_others_of_its_batch_by_a_second_at_most(tmp_path: Path) -> None:
    async def timed(env: Env) -> float:
        begun = time.monotonic()
        await env.step("go")
        return time.monotonic() - begun

    async def play(url: str) -> None:
        envs, _ = await started(RemoteScenario(url, env=FAULTY), 3)
        hanging = asyncio.create_task(failure(envs[0].step("wait")))
        delays = await asyncio.gather(timed(envs[1]), timed(envs[2]))  # in one tick, so in one batch
        assert 0.9 < max(delays) < 3
        assert await timed(envs[1]) < 0.9  # the next batch is without it
        assert not hanging.done()
        assert "env_timeout" in await hanging
        await close(envs)

    with serving(tmp_path, FAULTY, "--step-timeout-s", "5", "--workers", "1") as service:
        asyncio.run(play(service.url))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("crash", "its worker process has died"),
        ("raise", "step: ZeroDivisionError: a bug"),
        ("fail", "failed on purpose"),
        ("nan", "expected a finite reward"),
        ("strange", "expected a result that is JSON"),
    ],
)
def test_whatever_an_environment_does_is_a_failure_with_its_reason(service: Service, action: str, said: str) -> None:
    async def play() -> None:
        env = faulty(service.url).make()
        await env.reset(TASK)
        assert said in await failure(env.step(action))
        assert "env_failed" in await failure(env.step("go"))  # and stays one
        await env.close()

    asyncio.run(play())


def test_output_and_text_that_is_no_text_come_through(service: Service) -> None:
    async def play() -> None:
        env = faulty(service.url).make()
        await env.reset(TASK)
        assert (await env.step("print")).observation == "Step 1: print."
        assert (await env.step("surrogate")).observation == "\ud800!"
        assert (await env.step("\ud800")).info == {"invalid": True}
        await env.close()

    asyncio.run(play())


def test_an_environment_that_no_worker_can_load_says_so_and_nothing_is_restarted_for_ever(tmp_path: Path) -> None:
    body = {"env": "tests.faulty:Unloadable", "task": {"split": "train", "index": 0}}
    with serving(tmp_path, "tests.faulty:Unloadable") as service:
        for _ in range(2):
            answer = httpx.post(f"{service.url}/v1/episodes", json=body, trust_env=False, timeout=30)
            assert (answer.status_code, answer.json()["code"]) == (502, "env_failed")
            assert "could not load tests.faulty:Unloadable: ConfigError: not here" in answer.json()["message"]
        wait_until(lambda: service.workers() == [], "the end of the workers")
        assert service.metric("sojourn_worker_restarts_total") == 0
        with pytest.raises(ConfigError, match="could not load"):
            _ = RemoteScenario(service.url).env_id


@pytest.mark.parametrize("is_batched", [True, False])
@pytest.mark.parametrize("said", [b'"action"', b'"task"', b"DELETE", b'"close"'])
def test_an_answer_that_is_lost_is_asked_for_again_and_acted_on_once(
    service: Service, said: bytes, is_batched: bool
) -> None:
    seen: list[bytes] = []

    def cuts(request: bytes) -> bool:
        if said in request:
            seen.append(request)
        return said in request and len(seen) <= 2

    async def play() -> list[str]:
        scenario = faulty(proxy.url, batch=is_batched)
        envs, _ = await started(scenario, 3)
        results = await asyncio.gather(*(env.step("go") for env in envs))
        results += await asyncio.gather(*(env.step("finish") for env in envs))
        await close(envs)
        return [result.observation for result in results]

    proxy = CuttingProxy(service.port, cuts)
    num_episodes = service.metric("sojourn_episodes_total")
    try:
        assert asyncio.run(play()) == ["Step 1: go."] * 3 + ["Step 2: finish."] * 3
    finally:
        proxy.close()
    assert proxy.num_cut == min(len(seen), 2)
    assert service.metric("sojourn_episodes_total") == num_episodes + 3
    wait_until(lambda: service.num_open() == 0, "the end of the episodes")


CLIENT = """
import asyncio, sys
from tests.services import task_of
from sojourn.service.client import RemoteScenario
async def play():
    envs = [RemoteScenario(sys.argv[1], env="tests.faulty:Faulty").make() for _ in range(5)]
    for env in envs:
        await env.reset(task_of("faulty-v1"))
    print("playing", flush=True)
    await asyncio.sleep(3600)
asyncio.run(play())
"""


def test_what_a_killed_client_leaves_is_closed_when_its_lease_ends(tmp_path: Path) -> None:
    with serving(tmp_path, FAULTY, "--lease-s", "0.5", "--workers", "1") as service:
        client = subprocess.Popen([sys.executable, "-c", CLIENT, service.url], cwd=ROOT, stdout=subprocess.PIPE)
        with client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"playing\n"
            assert service.num_open() == 5
            client.kill()
        wait_until(lambda: service.num_open() == 0, "the reaper")
        assert service.metric("sojourn_failures_total") == 5

        async def late() -> None:
            env = faulty(service.url).make()
            await env.reset(TASK)
            for _ in range(4):
                await asyncio.sleep(0.2)
                await env.step("go")  # every call renews the lease
            await asyncio.sleep(1)
            assert "lease_expired" in await failure(env.step("go"))
            await env.close()

        asyncio.run(late())


def test_sigterm_lets_live_episodes_finish_and_starts_no_others(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        scenario = faulty(service.url)
        envs, _ = await started(scenario, 2)
        service.signal(signal.SIGTERM)
        wait_until(lambda: service.get("/v1/health")["status"] == "draining", "the drain")
        assert "draining" in await failure(faulty(service.url, timeout_s=2).make().reset(TASK))
        for env in envs:
            await env.step("go")
            assert (await env.step("finish")).success
        await close(envs)

    with serving(tmp_path, FAULTY, "--drain-s", "30") as service:
        workers = service.workers()
        asyncio.run(play(service))
        assert service.wait() == 0
        assert not any(map(is_alive, workers))


def test_a_drain_has_an_end_and_a_second_signal_does_not_wait_for_it(tmp_path: Path) -> None:
    async def leave(service: Service) -> None:
        envs, _ = await started(faulty(service.url), 2)
        assert len(envs) == 2

    with serving(tmp_path, FAULTY, "--drain-s", "0.3") as service:
        asyncio.run(leave(service))
        assert service.stop() == 0
    with serving(tmp_path, FAULTY, "--drain-s", "600") as service:
        asyncio.run(leave(service))
        workers = service.workers()
        service.signal(signal.SIGINT)
        wait_until(lambda: service.get("/v1/health")["status"] == "draining", "the drain")
        service.signal(signal.SIGINT)
        assert service.wait() == 130
        wait_until(lambda: not any(map(is_alive, workers)), "the end of the workers")


def test_workers_die_with_a_service_that_is_killed(tmp_path: Path) -> None:
    async def leave(service: Service) -> list[int]:
        envs, _ = await started(faulty(service.url), 2)
        holding = asyncio.create_task(envs[0].step("hold"))
        await asyncio.sleep(0.3)
        workers = service.workers()
        service.process.kill()
        holding.cancel()
        return workers

    with serving(tmp_path, FAULTY, "--workers", "2") as service:
        workers = asyncio.run(leave(service))
        service.wait()
        assert len(workers) == 2
        wait_until(lambda: not any(map(is_alive, workers)), "the end of the workers", 20)


def test_a_full_service_says_when_to_ask_again_and_the_client_does(tmp_path: Path) -> None:
    with serving(tmp_path, "tests.faulty:LightFaulty", "--capacity", "2", "--drain-s", "0.1") as service:
        body = {"env": "tests.faulty:LightFaulty", "task": {"split": "train", "index": 0}}
        answers = [httpx.post(f"{service.url}/v1/episodes", json=body, trust_env=False) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 503]
        assert answers[2].json()["code"] == "full"
        assert int(answers[2].headers["Retry-After"]) >= 1
        assert service.get("/v1/health")["status"] == "full"

        async def play() -> None:
            scenario = RemoteScenario(service.url)
            waiting = asyncio.create_task(scenario.make().reset(TASK))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            httpx.delete(f"{service.url}/v1/episodes/{answers[0].json()['episode_id']}", trust_env=False)
            assert (await waiting).observation == "Ready."

        asyncio.run(play())


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "sojourn.cli", "serve", *arguments]
    clean = {key: value for key, value in os.environ.items() if key != "SOJOURN_TOKEN"}
    return subprocess.run(
        program, cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_address_that_cannot_be_had_is_an_error_that_says_so(service: Service) -> None:
    taken = command("textcraft", "--port", str(service.port))
    assert (taken.returncode, taken.stdout) == (2, "")
    assert f"port {service.port} of 127.0.0.1 is taken" in taken.stderr
    exposed = command("textcraft", "--host", "0.0.0.0", "--port", "0")
    assert exposed.returncode == 2
    assert "needs a token: set SOJOURN_TOKEN" in exposed.stderr
    short = command("textcraft", "--port", "0", SOJOURN_TOKEN="secret")
    assert "at least 16" in short.stderr
    unknown = command("textcarft", "--port", "0")
    assert "did you mean 'textcraft'" in unknown.stderr


def test_a_token_is_asked_of_everyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = "correct-horse-battery"
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    monkeypatch.delenv("SOJOURN_TOKEN", raising=False)
    with serving(tmp_path, "textcraft", "--token-file", str(file)) as service:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": token}):
            answer = httpx.get(f"{service.url}/v1/spec", headers=headers, trust_env=False)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert service.get("/v1/health")["status"] == "ok"  # needs none
        with pytest.raises(ConfigError, match="unauthorized"):
            _ = RemoteScenario(service.url, token="wrong").env_id
        assert RemoteScenario(service.url, token_file=str(file)).env_id == "textcraft-v1"
        monkeypatch.setenv("SOJOURN_TOKEN", token)

        async def play() -> None:
            scenario = RemoteScenario(service.url)
            env = scenario.make()
            await env.reset(scenario.panel("test").tasks[0])
            await env.close()

        asyncio.run(play())


def test_a_service_that_is_not_there_is_a_failure_never_a_reward(tmp_path: Path) -> None:
    with serving(tmp_path, "textcraft") as service:
        scenario = RemoteScenario(service.url)
        task = scenario.panel("test").tasks[0]

        async def play() -> None:
            env = scenario.make()
            await env.reset(task)
            service.process.kill()
            service.process.wait()
            assert "ClientConnectorError" in await failure(env.step("inventory"))
            await env.close()

        asyncio.run(play())
    with pytest.raises(ConfigError, match="is it running"):
        _ = RemoteScenario(service.url).env_id
