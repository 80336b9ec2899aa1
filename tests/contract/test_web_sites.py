"""The sites as a whole: every link and form answers, templates do not depend on the process, and a person is served."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from tests.web_client import Client, changed_tables, crawled

from sojourn.cli import main
from sojourn.cli.web import make_site_server
from sojourn.envs.web.sites.catalog import SITES
from sojourn.envs.web.sites.hosts import HOSTS, LOGINS, ORIGINS
from sojourn.envs.web.sites.world import World, make_template, template

USERS = {site: user for site, (user, _) in LOGINS.items()}
PAGES = 400
CRAWLS = [(site.name, user) for site in SITES for user in dict.fromkeys((None, USERS.get(site.name)))]


@pytest.mark.parametrize(("site", "user"), CRAWLS)
def test_every_link_answers_and_every_field_has_a_name(site: str, user: str | None) -> None:
    world = World.restore(template())
    client = Client(world, site)
    if user is not None:
        client.log_in(site, user)
    pages = crawled(client, "/", PAGES)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert {url: page.unnamed for url, page in pages.items() if page.unnamed} == {}
    assert {url for url, page in pages.items() if len(page.ids) != len({*page.ids})} == set()
    assert changed_tables(world, template()) == {}  # who only reads changes nothing


@pytest.mark.parametrize("site", [site.name for site in SITES if site.accounts is not None])
def test_every_form_answers_as_it_is_and_filled_with_nonsense(site: str) -> None:
    user = USERS[site]
    client = Client(World.restore(template()), site).log_in(site, user)
    seen: set[str] = set()
    for page in crawled(client, "/", PAGES).values():
        for form in page.forms:
            kind = re.sub(r"[0-9]+", "N", form.action)
            if kind in seen or "logout" in kind or form.action.endswith("/sign_out"):
                continue
            seen.add(kind)
            nonsense = {name: "<b>'\"\N{SNOWMAN} 9" for name, _ in form.fields}
            for changes in ({}, nonsense, dict.fromkeys(nonsense, "")):
                fields = [(name, changes.get(name, value)) for name, value in form.fields]
                trial = Client(World.restore(template()), site).log_in(site, user)
                url, body = form.action, b""
                if form.method == "get":
                    url += f"?{urlencode(fields)}"
                else:
                    body = urlencode(fields).encode()
                answer = trial.request(form.method.upper(), url, body)
                assert answer.status in (200, 303, 400, 403, 404, 422), (form.action, changes)
                assert "<b>'" not in answer.html
                if (
                    answer.status == 303
                    and urlsplit(urljoin(url, answer.headers["Location"])).netloc == urlsplit(url).netloc
                ):
                    assert trial.get(urljoin(url, answer.headers["Location"])).status == 200
                trial.world.close()
    assert len(seen) > 5


@pytest.mark.parametrize("site", [site.name for site in SITES])
def test_links_across_sites_lead_to_where_the_sites_are(site: str) -> None:
    """As agents see them, and under other addresses, as a person does."""
    elsewhere = {name: f"http://{host.partition('.')[0]}.localhost:8080" for name, host in HOSTS.items()}
    followed = set()
    for origins in (ORIGINS, elsewhere):
        client = Client(World.restore(template(), origins), site)
        if site in USERS:
            client.log_in(site, USERS[site])
        pages = crawled(client, "/", 150)
        links = {link for page in pages.values() for link in page.links if not link.startswith(client.origin + "/")}
        known = {link: name for link in links for name, origin in origins.items() if link.startswith(origin + "/")}
        assert links == set(known)
        for link, name in sorted(known.items())[:60]:
            path = link.removeprefix(origins[name])
            assert Client(client.world, name).get(path).status == 200, link
            followed.add(path)
    assert followed or site in ("shop", "code")  # the shop itself leads nowhere else


def test_a_template_does_not_depend_on_the_process() -> None:
    program = (
        "import hashlib; from sojourn.envs.web.sites.world import make_template;"
        "print(hashlib.sha256(make_template(0)).hexdigest())"
    )
    expected = hashlib.sha256(make_template(0)).hexdigest()
    for seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        assert done.stdout.strip() == expected


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc to see the memory of the process")
def test_three_hundred_worlds_live_at_once() -> None:
    made = template()
    before = resident_bytes()
    worlds = [World.restore(made) for _ in range(300)]
    for number, world in enumerate(worlds):
        Client(world, "shop").post("/cart/add", product=1 + number % 100)
    each = (resident_bytes() - before) / 300
    assert len({id(world.db) for world in worlds}) == 300
    assert each < 1.5 * len(made) + 400_000
    for world in worlds:
        world.close()


# ---------------------------------------------------------------------------------------------------- sojourn web


@contextmanager
def served() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    program = [sys.executable, "-m", "sojourn.cli", "web", "--port", "0"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        match = re.search(r"http://localhost:(\d+)", first)
        assert match, first
        yield int(match[1]), process
    finally:
        process.kill()
        process.communicate()


def fetched(
    port: int, host: str, path: str, method: str = "GET", body: str | None = None, cookie: str = ""
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Host": f"{host}:{port}", "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def test_a_person_browses_all_sites_and_ctrl_c_ends_it() -> None:
    with served() as (port, process):
        status, _, index = fetched(port, "localhost", "/")
        assert status == 200
        for site in SITES:
            host = f"{site.host.partition('.')[0]}.localhost"
            assert f"http://{host}:{port}" in index
            status, headers, page = fetched(port, host, "/")
            if status == 303:  # the back office asks for a password
                status, _, page = fetched(port, host, headers["Location"])
            assert status in (200, 303)
            assert f"http://{site.host}" not in page  # links lead to where the sites are
        _, _, page = fetched(port, "luma.localhost", "/admin/login")
        assert f'href="http://onestopmarket.localhost:{port}/"' in page
        status, headers, _ = fetched(port, "onestopmarket.localhost", "/cart/add", "POST", "product=1&quantity=2")
        cookie = headers["Set-Cookie"].partition(";")[0]
        assert "My Cart (2)" in fetched(port, "onestopmarket.localhost", "/", cookie=cookie)[2]
        assert fetched(port, "localhost", "/fresh", "POST", "")[0] == 303
        assert "My Cart (0)" in fetched(port, "onestopmarket.localhost", "/", cookie=cookie)[2]
        assert fetched(port, "evil.example", "/")[0] == 404
        assert fetched(port, "localhost", "/nothing")[0] == 404
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert out.endswith("stopped\n")


def test_sigterm_ends_it_too() -> None:
    with served() as (_, process):
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["web", "--port", str(port)]) == 2
    assert f"port {port} is taken" in capsys.readouterr().err
    assert main(["web", "--port", "70000"]) == 2
    assert "0 to 65535" in capsys.readouterr().err


def test_the_server_listens_on_this_machine_only() -> None:
    with make_site_server(0, template()) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
