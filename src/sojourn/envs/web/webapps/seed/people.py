"""Who buys, posts and files tickets: the same people on every site."""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.envs.web.webapps.hosts import CUSTOMER, MEMBER


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person of the world."""

    first: str
    last: str
    town: str

    @property
    def login(self) -> str:
        """The name on the forum and the tracker."""
        return MEMBER.user if self == ROSA else f"{self.first.lower()}{self.last[0].lower()}"

    @property
    def email(self) -> str:
        """The address on the shop."""
        return CUSTOMER.user if self == ROSA else f"{self.first.lower()}.{self.last.lower()}@example.com"


ROSA = Person(first="Rosa", last="Lind", town="Port Ellery")

PEOPLE = (
    ROSA,
    *(
        Person(first=first, last=last, town=town)
        for first, last, town in (
            ("Amir", "Haddad", "Westbrook"),
            ("Beatriz", "Moreno", "Larkfield"),
            ("Chen", "Wu", "Port Ellery"),
            ("Dagny", "Olsen", "Norhaven"),
            ("Elias", "Brandt", "Westbrook"),
            ("Farah", "Nasser", "Kingsmere"),
            ("Gustav", "Keller", "Norhaven"),
            ("Hanna", "Virtanen", "Larkfield"),
            ("Ivo", "Petrov", "Kingsmere"),
            ("Jana", "Novak", "Port Ellery"),
            ("Kofi", "Mensah", "Westbrook"),
            ("Leila", "Rahimi", "Larkfield"),
            ("Mateo", "Silva", "Kingsmere"),
            ("Nadia", "Kowal", "Norhaven"),
            ("Otis", "Freeman", "Port Ellery"),
            ("Priya", "Menon", "Westbrook"),
            ("Quinn", "Doyle", "Larkfield"),
            ("Rafael", "Costa", "Kingsmere"),
            ("Sunniva", "Dahl", "Norhaven"),
        )
    ),
)
"""Rosa, whom the agent acts for, and nineteen others."""
