"""The factbook's fields as single values. Whatever is several values, or a remark, or unclear, is no value: None."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from sojourn.envs.search.atlas.names import other_names
from sojourn.envs.search.atlas.world import Value

MAX_NAME_WORDS: Final = 9


def _bracketed(text: str) -> tuple[str, tuple[str, ...]]:
    """`text` before its first parenthesis, and the names in parentheses: ``Tripoli (Tarabulus)``."""
    head, _, rest = text.partition("(")
    inside = re.findall(r"[^()]+", rest)
    names = [name.strip() for part in inside for name in re.split(r"[/,]|\baka\b|\bor\b", part)]
    return head.strip(), tuple(name for name in names if _is_name(name))


def _is_name(text: str) -> bool:
    is_proper = text[:1].isupper() or not text[:1].isascii()
    return bool(text) and is_proper and len(text.split()) <= MAX_NAME_WORDS and not re.search(r"\bis\b|\d|[;:]", text)


def capital(text: str) -> Value | None:
    """``Paris``; nothing where several towns share the role or there is none."""
    text = re.sub(r";\s*note\b.*", "", text).strip()
    name, aliases = _bracketed(text)
    if text == "Washington, D.C.":
        return Value(text=text, aliases=("Washington", "Washington DC", "Washington D.C."))
    if re.search(r"[;,]", re.sub(r"\(.*?\)", "", text)) or re.search(r"\b(?:or|and|in)\b", name) or not _is_name(name):
        return None
    return Value(text=name, aliases=other_names(name, aliases))


_ISLANDS = frozenset({"South Georgia", "Tenerife"})
"""In parentheses after a mountain, and where it stands."""
_HEIGHT = re.compile(r"^(?P<name>[^;]+?),?\s+(?P<height>[\d,.]+)(?: m)?(?:\s*\(.*\)|\s*;\s*note\b.*)?$")


def highest_point(text: str) -> Value | None:
    """``Mont Blanc`` with its height as the detail; nothing for an unnamed elevation or a description."""
    text = re.sub(r";?\s*note\s*-.*$", "", text).strip()
    match = _HEIGHT.match(text)
    if match is None:
        return None
    full, aliases = _bracketed(match["name"])
    full = re.sub(r"\s+de Courmayeur$", "", full)
    name = re.split(r" on | of (?=Ile)", full)[0].strip()
    if name != full:
        aliases = ()  # they name what it stands on
    is_place = re.match(r"(?:unnamed|ocean|highest|[\d.]+ k?m\b)|.*(?: and | range$|, |\d)", full)
    if is_place or not _is_name(name) or name.lower() in ("south point", "town hill"):
        return None
    height = f", {match['height']} m above sea level"
    told = [alias for alias in aliases if alias not in _ISLANDS and " for " not in alias]
    return Value(text=name, aliases=other_names(name, (full, *told)), detail=full[len(name) :] + height)


_QUOTES = str.maketrans({"\u201c": '"', "\u201d": '"', "\u2019": "'"})


def anthem(text: str) -> Value | None:
    """The title without quotes, the translation as an alias; nothing where there are several."""
    text = text.translate(_QUOTES).strip()
    match = re.fullmatch(r'"([^"()\[\]]+)"\s*(?:\("?([^()"]+)"?\))?', text)
    if match is None:
        return None
    title = match[1].strip(" ,")
    translation = match[2] or ""
    is_telling = translation and "National Anthem" not in translation
    return Value(
        text=title,
        aliases=other_names(title, [translation]) if is_telling else (),
        detail=f" ({translation})" if translation else "",
    )


_IRREGULAR = {
    "Communaute Financiere Africaine francs": "Communaute Financiere Africaine franc",
    "konvertibilna markas": "konvertibilna marka",
    "colones": "colon",
    "quetzales": "quetzal",
    "leones": "leone",
    "meticais": "metical",
    "leke": "lek",
    "lei": "leu",
    "leva": "lev",
    "kroner": "krone",
    "kronor": "krona",
    "kronur": "krona",
    "koruny": "koruna",
    "zlotych": "zloty",
    "maloti": "loti",
    "emalangeni": "lilangeni",
    "reals": "real",
}


def _singular(name: str) -> str:
    head, _, last = name.rpartition(" ")
    if name in _IRREGULAR or last in _IRREGULAR:
        single = _IRREGULAR.get(name) or _IRREGULAR[last]
        return single if name in _IRREGULAR else f"{head} {single}".strip()
    is_plural = last.endswith("s") and not last.endswith("ss")
    return f"{head} {last[:-1]}".strip() if is_plural else name


def currency(text: str, code: str) -> Value | None:
    """``euro`` from ``euros (EUR) per US dollar -``; `code` is the ISO code, an alias.

    Nothing where two are in use.
    """
    match = re.match(r"(.+?)\s*(?:\(([A-Z]{2,3})\))?\s+per US dollar", text)
    if match is None or re.search(r"/| or |,", match[1]):
        return None
    plural = match[1].strip()
    name = _singular(plural)
    codes = f" ({code})" if code else ""
    return Value(text=name, aliases=other_names(name, (plural, code, match[2] or "")), detail=codes)


def internet_code(text: str, known: str) -> Value | None:
    """``.fr``, where the factbook and `known` (of GeoNames; empty if it has none) agree."""
    code = text.strip()
    if not re.fullmatch(r"\.[a-z]{2}", code) or known not in ("", code):
        return None
    return Value(text=code, aliases=(code[1:],))


def aircraft_prefix(text: str) -> Value | None:
    """``F``; nothing where a country has two."""
    return Value(text=text.strip()) if re.fullmatch(r"[A-Z0-9]{1,4}(?:-[A-Z]{1,2})?", text.strip()) else None


_GENERIC = frozenset(
    {
        *("asamblea legislativa", "asamblea nacional", "assemblee nationale", "assembleia da republica"),
        *("assembleia nacional", "assembly", "assembly of the republic", "congreso", "congreso nacional", "congress"),
        *("diet", "federal assembly", "federal parliament", "general assembly", "house of assembly"),
        *("house of representatives", "houses of parliament", "island council", "legislative assembly"),
        *("legislative council", "legislature", "legislature nationale", "national assembly", "national congress"),
        *("national council", "national legislature", "national parliament", "parlament", "parlamento", "parlement"),
        *("parliament", "people's assembly", "regiao administrativa especial de macau", "senate", "shura council"),
        *("supreme council", "territorial council", "transitional national council"),
    }
)
"""Names that many legislatures have: not answers that could be told apart."""


def legislature(text: str) -> Value | None:
    """The name by which a legislature is told from others; its own-language name is an alias."""
    name, _, rest = text.partition("(")
    parts = [part.strip(" ).") for part in re.split(r" - |\(|\)|/", rest) if len(part.strip(" ).")) > 2]
    names = [name.strip().removeprefix("The "), *parts]
    telling = [n for n in names if _is_telling(n) and len(n.split()) <= MAX_NAME_WORDS]
    if not telling or re.match(r"\S+ \(\w+\) ", text) or " - " in name or " or " in name or len(text) > 120:
        return None
    in_full = "" if text == telling[0] else f", in full {text}"
    return Value(text=telling[0], aliases=other_names(telling[0], telling[1:]), detail=in_full)


def _is_telling(name: str) -> bool:
    flat = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return name[:1].isupper() and flat not in _GENERIC and "(" not in name


def independence(text: str) -> tuple[Value | None, str]:
    """The day, and from whom; None and an empty text where either is a story."""
    match = re.match(r"(\d{1,2} (?:[A-Z][a-z]+) \d{4}) \((?:from (?:the )?([^;()]+))?\)$", text.strip())
    if match is None:
        return None, ""
    return Value(text=match[1]), match[2] or ""


def demonym(text: str) -> Value | None:
    """``French``; nothing where there are several or a remark."""
    name = text.strip()
    return Value(text=name) if re.fullmatch(r"[A-Z][a-z][\w' -]+", name) and " or " not in name else None


def first_good(text: str) -> Value | None:
    """``natural gas`` from a list of goods, largest first, with its year."""
    match = re.match(r"([^,();]+), .*\((\d{4})\)$", text.strip())
    return Value(text=match[1].strip(), detail=f" ({match[2]})") if match else None


def former_names(text: str) -> tuple[str, ...]:
    """What a country was called before; names that come with a remark are left out."""
    if text in ("none", "") or re.search(r"sometimes|former name|formerly|unification", text):
        return ()
    names = [re.sub(r"\s*[(\[].*?[)\]]", "", part).strip() for part in re.split(r"[,;]", text)]
    return tuple(name for name in names if _is_name(name) and len(name) > 3 and " District" not in name)


def shares(text: str) -> tuple[list[tuple[str, float]], str]:
    """Partners with their per cent, in the order given, and the year: ``Italy 29%, France 14% (2023)``."""
    year = re.search(r"\((\d{4})[^)]*\)\s*$", text)
    found = re.findall(r"([A-Z][^%]*?)\s+(?:less than )?([\d.]+)%", text)
    return [(name.strip(" ,"), float(amount)) for name, amount in found], year[1] if year else ""


def borders(text: str) -> list[tuple[str, float]] | None:
    """Neighbours with km, the parts of one neighbour added up. None where a part cannot be read."""
    lengths: dict[str, float] = {}
    for part in re.split(r";|(?<=km),| and (?=[A-Z][a-z]+ \()", re.sub(r"\((?:of which|incl|20 km)[^)]*\)", "", text)):
        match = re.match(r"\s*([^\d]+?)\s+([\d,.]+)\s*km\s*$", part)
        if match is None:
            return None
        name = re.sub(r"\s*\(.*?\)", "", match[1]).strip()
        lengths[name] = lengths.get(name, 0.0) + float(match[2].replace(",", ""))
    return list(lengths.items())


def number(text: str) -> float | None:
    """The first number of a text such as ``643,801 sq km ; 551,500 sq km (metropolitan France)``."""
    match = re.match(r"\s*(?:total: )?([\d,]+(?:\.\d+)?)( million)?", text)
    return float(match[1].replace(",", "")) * (1e6 if match[2] else 1) if match and match[1].strip(",") else None
