"""The world in words: passages as sentences per entity and topic, and with each the facts that it states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sojourn.envs.search.atlas.factbook import country_slug
from sojourn.envs.search.atlas.facts import FactCollector
from sojourn.envs.search.atlas.markup import pieces, sentence, slug
from sojourn.envs.search.atlas.world import Country, Prose, Share, Value, World
from sojourn.envs.search.records import Passage

SHORT_WORDS: Final = 15
"""A text of fewer words would say little without its heading."""
SENTENCES: Final[Mapping[str, tuple[str, str, str]]] = {
    "capital": ("Capital", "capital", "The capital of {x} is {v}{d}."),
    "highest_point": ("Elevation", "highest point", "The highest point of {x} is {v}{d}."),
    "anthem": ("National anthem(s)", "national anthem", "The national anthem of {x} is “{v}”{d}."),
    "internet_code": ("Internet country code", "internet country code", "The internet country code of {x} is {v}."),
    "aircraft_prefix": (
        "Civil aircraft registration country code prefix",
        "civil aircraft registration prefix",
        "Civil aircraft of {x} carry the registration prefix {v}.",
    ),
    "calling_code": ("", "telephone calling code", "The international telephone calling code of {x} is {v}."),
    "legislature": ("Legislative branch", "legislature", "The legislature of {x} is the {v}{d}."),
    "demonym": ("Nationality", "nationality", "The adjective for the people of {x} is {v}."),
    "top_export": ("Exports - commodities", "export goods", "The main export good of {x} by value is {v}{d}."),
    "top_import": ("Imports - commodities", "import goods", "The main import good of {x} by value is {v}{d}."),
}
"""Relation -> the source's topic, our topic, and the sentence: {x} the country, {v} the value, {d} its detail."""


def capitalised(text: str) -> str:
    """`text` with a capital letter in front."""
    return text[:1].upper() + text[1:]


class Renderer:
    """Writes one world, country by country, and collects facts on the way."""

    def __init__(self, world: World, facts: FactCollector) -> None:
        self._world = world
        self._facts = facts

    def passages(self) -> Iterator[Passage]:
        """All passages about countries, in order; a fact is collected before its passage comes out."""
        for country in self._world.countries.values():
            self._facts.add_entity(country.entity)
        for capital in self._world.capitals.values():
            self._facts.add_entity(capital)
        for country in self._world.countries.values():
            yield from self._country(country)

    def _country(self, country: Country) -> Iterator[Passage]:
        yield from self._names(country)
        for relation, (source_topic, topic, template) in SENTENCES.items():
            value = country.values.get(relation)
            if value is not None:
                said = capitalised(template.format(x=country.with_article, v=value.text, d=value.detail)).replace(
                    "..", "."
                )
                yield from self._topic(country, topic, [said], {relation: value}, country.remarks.get(source_topic, ""))
        yield from self._currency(country)
        yield from self._independence(country)
        yield from self._partners(country)
        yield from self._borders(country)
        for prose in country.prose:
            yield from self._prose(country, prose)

    def _topic(
        self, country: Country, topic: str, said: Sequence[str], stated: Mapping[str, Value], remark: str = ""
    ) -> Iterator[Passage]:
        """Passages of one topic: the sentences with the facts in them, then what else the source says."""
        passage_id = f"factbook/{country_slug(country)}/{slug(topic)}"
        for relation, value in stated.items():
            self._facts.state(country.entity.entity_id, relation, value, passage_id)
            if relation == "capital" and value.target is not None:
                home = Value(text=country.entity.name, target=country.entity.entity_id)
                self._facts.state(value.target, "country", home, passage_id)
        yield from cut(passage_id, f"{country.entity.name}: {topic}", " ".join(said))
        if remark:  # in a passage of its own: in a long one a search for the value would find the fact late
            yield from cut(f"{passage_id}/more", f"{country.entity.name}: more on the {topic}", sentence(remark))

    def _names(self, country: Country) -> Iterator[Passage]:
        name = country.with_article
        if country.former_names:
            said = [capitalised(f"{name} was formerly named {' or '.join(country.former_names)}.")]
            single = country.values.get("former_name")
            stated = {} if single is None else {"former_name": single}
            yield from self._topic(country, "former name", said, stated)
        said = []
        if country.long_name and country.long_name != country.entity.name:
            said.append(f"The full name of {name} is {country.long_name}.")
        if country.codes:
            said.append(f"The ISO 3166 codes of {name} are {' and '.join(country.codes)}.")
        remark = country.remarks.get("Country name", "")
        if said:
            yield from self._topic(country, "name", said, {}, remark)

    def _currency(self, country: Country) -> Iterator[Passage]:
        currency, code = country.values.get("currency"), country.values.get("currency_code")
        said, stated = [], {}
        if currency is not None:
            said.append(f"The currency of {country.with_article} is the {currency.text}{currency.detail}.")
            stated["currency"] = currency
        if code is not None:
            said.append(f"The currency code of {country.with_article} is {code.text}.")
            stated["currency_code"] = code
        if said:
            yield from self._topic(country, "currency", said, stated)

    def _independence(self, country: Country) -> Iterator[Passage]:
        day, owner = country.values.get("independence_date"), country.values.get("independent_from")
        if day is None:
            return
        stated = {"independence_date": day}
        said = capitalised(f"{country.with_article} became independent on {day.text}")
        if owner is not None:
            said += f", from {self._name(owner.target)}"
            stated["independent_from"] = owner
        yield from self._topic(country, "independence", [f"{said}."], stated, country.remarks.get("Independence", ""))

    def _name(self, entity_id: str | None) -> str:
        return self._world.countries[entity_id or ""].with_article

    def _value(self, entity_id: str) -> Value:
        return Value(text=self._world.countries[entity_id].entity.name, target=entity_id)

    def _partners(self, country: Country) -> Iterator[Passage]:
        for word, verb, shares in (
            ("export", "takes", country.export_partners),
            ("import", "delivers", country.import_partners),
        ):
            if not shares:
                continue
            year = f" in {country.trade_year}" if country.trade_year else ""
            first, rest = shares[0], shares[1:]
            said, stated = [], {}
            if not rest or first.amount > rest[0].amount:
                partner = self._name(first.country)
                said.append(
                    f"The largest {word} partner of {country.with_article} is {partner}, which {verb} "
                    f"{first.amount:g}% of its {word}s{year}."
                )
                stated[f"largest_{word}_partner"] = self._value(first.country)
            listed = ", ".join(f"{self._name(share.country)} ({share.amount:g}%)" for share in shares)
            said.append(f"The {word} partners of {country.with_article}{year} are {listed}.")
            remark = country.remarks.get(f"{word.capitalize()}s - partners", "")
            yield from self._topic(country, f"{word} partners", said, stated, remark)

    def _borders(self, country: Country) -> Iterator[Passage]:
        if not country.borders:
            return
        name, shares = country.with_article, sorted(country.borders, key=lambda share: (-share.amount, share.country))
        said, stated = [], {}
        if len(shares) == 1:
            said.append(capitalised(f"{name} borders one country by land, {self._name(shares[0].country)}."))
            stated["only_neighbour"] = self._value(shares[0].country)
        elif shares[0].amount > shares[1].amount:
            neighbour = self._name(shares[0].country)
            said.append(
                capitalised(f"{name} shares its longest land border with {neighbour} ({shares[0].amount:,.6g} km).")
            )
            stated["longest_land_border"] = self._value(shares[0].country)
        if len(shares) > 1 and shares[-1].amount < shares[-2].amount:
            neighbour = self._name(shares[-1].country)
            said.append(
                capitalised(f"{name} shares its shortest land border with {neighbour} ({shares[-1].amount:,.6g} km).")
            )
            stated["shortest_land_border"] = self._value(shares[-1].country)
        listed = ", ".join(f"{self._name(share.country)} ({share.amount:,.6g} km)" for share in shares)
        said.append(capitalised(f"{name} has land borders with {listed}."))
        remark = country.remarks.get("Land boundaries", "")
        yield from self._topic(country, "land borders", said, stated, remark)
        yield from self._neighbours(country, shares)

    def _neighbours(self, country: Country, shares: Sequence[Share]) -> Iterator[Passage]:
        name, said, stated = country.with_article, [], {}
        neighbours = [self._world.countries[share.country] for share in shares]
        if len(neighbours) < 2:
            return
        areas = [(n.area_km2, n.entity.entity_id) for n in neighbours if n.area_km2]
        people = [(float(n.population), n.entity.entity_id) for n in neighbours if n.population]
        largest = _clear_maximum(areas, len(neighbours))
        if largest is not None:
            said.append(
                f"The largest neighbour of {name} by area is {self._name(largest[1])} ({largest[0]:,.0f} sq km)."
            )
            stated["largest_neighbour"] = self._value(largest[1])
        populous = _clear_maximum(people, len(neighbours))
        if populous is not None:
            said.append(
                f"The most populous neighbour of {name} is {self._name(populous[1])} ({populous[0]:,.0f} people)."
            )
            stated["most_populous_neighbour"] = self._value(populous[1])
        if said:
            yield from self._topic(country, "neighbours", said, stated)

    def _prose(self, country: Country, prose: Prose) -> Iterator[Passage]:
        passage_id = f"factbook/{country_slug(country)}/text-{slug(prose.topic)}"
        text = prose.text
        if len(text.split()) < SHORT_WORDS:
            text = f"{prose.topic} of {country.with_article}: {text}"
        yield from cut(passage_id, f"{country.entity.name}: {prose.topic}", text)


def _clear_maximum(found: Sequence[tuple[float, str]], expected: int) -> tuple[float, str] | None:
    """The largest, if all `expected` are known and the next is at least 5 % less: sources differ by as much."""
    ranked = sorted(found, reverse=True)
    return ranked[0] if len(ranked) == expected and ranked[1][0] < 0.95 * ranked[0][0] else None


def cut(passage_id: str, title: str, text: str) -> Iterator[Passage]:
    """`text` as one passage, or as several that are numbered from the second on."""
    for number, piece in enumerate(pieces(text), start=1):
        yield Passage(passage_id=passage_id if number == 1 else f"{passage_id}/{number}", title=title, text=piece)
