"""A few problems on the shop, written for tests of the environment: information, navigation and a change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sojourn.envs.web.problem import Entry, Problem, Verdict
from sojourn.envs.web.scenario import Web
from sojourn.envs.web.sites.world import World
from sojourn.envs.web.view import View
from sojourn.errors import DataError

SHOP = "http://onestopmarket.com/"


def _right(condition: bool) -> Verdict:
    return Verdict(success=condition, reason="as asked" if condition else "not as asked")


def _department(name: str) -> Problem:
    async def plan(view: View) -> AsyncIterator[str]:
        yield view.click("link", name)
        yield "stop []"

    def check(world: World, url: str, answer: str) -> Verdict:
        row = world.db.execute("SELECT slug FROM shop_category WHERE name = ?", (name,)).fetchone()
        return _right(url.rsplit("/", 1)[-1] == row["slug"])

    return Problem(intent=f'Show the department "{name}".', start_url=SHOP, check=check, plan=plan)


def _account_name() -> Problem:
    async def plan(view: View) -> AsyncIterator[str]:
        yield view.click("link", "My Account")
        yield "stop [Emma Lopez]"

    def check(world: World, url: str, answer: str) -> Verdict:
        return _right(answer.strip().lower() == "emma lopez")

    intent = "What is the name on my account?"
    return Problem(
        intent=intent, start_url=SHOP, logged_in_sites=("shop",), check=check, plan=plan, texts=("Emma Lopez",)
    )


def _search(words: str) -> Problem:
    async def plan(view: View) -> AsyncIterator[str]:
        yield view.type("searchbox", "Search", words, enter=True)
        yield "stop []"

    def check(world: World, url: str, answer: str) -> Verdict:
        return _right(url == f"{SHOP}search?q={words}")

    return Problem(intent=f'Search the shop for "{words}".', start_url=SHOP, check=check, plan=plan)


PROBLEMS = {
    "train": {"department/1": _department("Electronics"), "search/1": _search("puzzle")},
    "validation": {"department/2": _department("Toys & Games"), "search/2": _search("coffee")},
    "test": {"department/3": _department("Office Products"), "account/1": _account_name()},
}


class ShopProblems:
    """The problems of this module as a set."""

    splits: Sequence[str] = tuple(PROBLEMS)

    def entries(self, split: str) -> Sequence[Entry]:
        return [Entry(task_id=name, category="Shopping", sites=("shop",)) for name in PROBLEMS[split]]

    def problem(self, task_id: str) -> Problem:
        for problems in PROBLEMS.values():
            if task_id in problems:
                return problems[task_id]
        raise DataError(f"expected a task such as department/1, got {task_id!r}")


def shop_tasks(**options: object) -> Web:
    """The web environment with these problems."""
    return Web(problems=ShopProblems(), **options)  # type: ignore[arg-type]
