"""The land that map and wiki describe: regions, rivers, what a city holds, what places are called."""

from __future__ import annotations

from dataclasses import dataclass

COUNTRY = "Veldmark"
REGIONS: tuple[str, ...] = ("North Veld", "Harrow Coast", "Sunder Hills", "Lowmere")
RIVERS: dict[str, tuple[str, ...]] = {
    "North Veld": ("Aune", "Tarn"),
    "Harrow Coast": ("Brisk", "Selwater"),
    "Sunder Hills": ("Corrow", "Ilm"),
    "Lowmere": ("Mere", "Oss"),
}
"""The rivers of each region; every city lies on one of its region's."""
LAKES: dict[str, str] = {
    "North Veld": "Lake Aldin",
    "Harrow Coast": "Lake Perrin",
    "Sunder Hills": "Lake Coldwell",
    "Lowmere": "Lake Ostra",
}
MOUNTAINS: dict[str, tuple[str, ...]] = {
    "North Veld": ("Mount Hask", "Grey Tooth"),
    "Harrow Coast": ("Gull Head",),
    "Sunder Hills": ("Mount Sunder", "Old Anvil", "Kite Peak"),
    "Lowmere": ("Barrow Hill",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A category of places: how many a city has, and what they may be called."""

    category: str
    counts: tuple[int, ...]
    """The number of places in one city is one of these."""
    patterns: tuple[str, ...]
    """Names; ``{city}``, ``{person}``, ``{surname}``, ``{street}`` and ``{river}`` are filled in."""
    weekday: tuple[str, ...] = ("09:00-17:00",)
    weekend: tuple[str, ...] = ("closed",)


ALWAYS = "00:00-24:00"
"""The hours of what never closes."""
KINDS: tuple[Kind, ...] = (
    Kind(
        category="museum",
        counts=(2, 3),
        patterns=(
            "{city} Museum of Art",
            "{city} History Museum",
            "{person} Museum",
            "{city} Museum of Science",
            "{city} Maritime Museum",
            "{city} Museum of Glass",
            "{city} Railway Museum",
            "{person} House",
            "{city} Textile Museum",
        ),
        weekday=("09:00-17:00", "10:00-17:00", "10:00-18:00", "11:00-18:00"),
        weekend=("10:00-16:00", "10:00-18:00", "11:00-17:00", "12:00-18:00"),
    ),
    Kind(
        category="restaurant",
        counts=(4, 5),
        patterns=(
            "The {adjective} {animal}",
            "{surname}'s Kitchen",
            "Trattoria {surname}",
            "{street} Grill",
            "{surname} & Daughters",
            "Bistro {surname}",
            "The {adjective} Spoon",
            "Noodle House {surname}",
        ),
        weekday=("11:30-22:00", "12:00-23:00", "17:00-23:00", "11:00-21:30"),
        weekend=("12:00-22:00", "11:00-23:30", "17:00-24:00", "closed"),
    ),
    Kind(
        category="cafe",
        counts=(2, 3),
        patterns=("Cafe {surname}", "The {adjective} Cup", "{street} Coffee", "The {adjective} Teapot"),
        weekday=("07:00-18:00", "07:30-17:00", "08:00-19:00"),
        weekend=("08:00-17:00", "09:00-18:00", "closed"),
    ),
    Kind(
        category="hotel",
        counts=(3, 4),
        patterns=(
            "Hotel {surname}",
            "{city} Grand Hotel",
            "The {adjective} {animal} Inn",
            "{street} Guesthouse",
            "{river} View Hotel",
        ),
        weekday=(ALWAYS,),
        weekend=(ALWAYS,),
    ),
    Kind(
        category="park",
        counts=(2,),
        patterns=("{surname} Park", "{city} Botanical Garden", "{river} Meadows", "{adjective} {animal} Park"),
        weekday=("06:00-22:00", "07:00-21:00"),
        weekend=("06:00-22:00", "07:00-21:00"),
    ),
    Kind(
        category="station",
        counts=(1, 2),
        patterns=("{city} Central Station", "{city} West Station", "{city} Harbour Station"),
        weekday=("04:30-24:00", "05:00-23:30"),
        weekend=("05:30-24:00", "06:00-23:30"),
    ),
    Kind(category="hospital", counts=(1,), patterns=("{city} General Hospital",), weekday=(ALWAYS,), weekend=(ALWAYS,)),
    Kind(
        category="library",
        counts=(1,),
        patterns=("{city} Public Library", "{person} Library"),
        weekday=("09:00-19:00", "10:00-20:00", "08:30-18:00"),
        weekend=("10:00-14:00", "closed"),
    ),
    Kind(category="university", counts=(0, 1, 1), patterns=("University of {city}",), weekday=("07:00-22:00",)),
    Kind(
        category="pharmacy",
        counts=(1, 2),
        patterns=("{street} Pharmacy", "{surname} Pharmacy"),
        weekday=("08:00-18:30", "09:00-19:00", "08:30-20:00"),
        weekend=("09:00-13:00", "closed"),
    ),
    Kind(
        category="supermarket",
        counts=(1, 2),
        patterns=("{surname} Market Hall", "{city} Foods", "{street} Grocery"),
        weekday=("07:00-21:00", "08:00-22:00"),
        weekend=("08:00-20:00", "09:00-18:00"),
    ),
    Kind(category="bank", counts=(1,), patterns=("{city} Savings Bank",), weekday=("09:00-16:30", "09:30-17:00")),
    Kind(
        category="theatre",
        counts=(1,),
        patterns=("{city} Playhouse", "{person} Theatre", "{city} Opera House"),
        weekday=("17:00-23:00", "16:00-23:00"),
        weekend=("14:00-23:30", "15:00-23:00"),
    ),
    Kind(
        category="cinema",
        counts=(1,),
        patterns=("{adjective} Lantern Cinema", "{street} Pictures"),
        weekday=("14:00-23:30", "15:00-23:00"),
        weekend=("11:00-24:00", "12:00-23:30"),
    ),
    Kind(
        category="stadium",
        counts=(0, 1),
        patterns=("{river} Ground", "{surname} Stadium"),
        weekday=("10:00-20:00",),
        weekend=("10:00-22:00",),
    ),
)
CUISINES: tuple[str, ...] = ("French", "Greek", "Indian", "Italian", "Japanese", "Mexican", "Thai", "Turkish", "Vegan")
ADJECTIVES: tuple[str, ...] = (
    *("Amber", "Brass", "Copper", "Crimson", "Drowsy", "Gilded", "Golden", "Hungry", "Idle", "Ivory", "Jolly"),
    *("Little", "Lucky", "Merry", "Painted", "Quiet", "Royal", "Rusty", "Silver", "Velvet", "Wandering", "Wooden"),
)
ANIMALS: tuple[str, ...] = (
    *("Badger", "Boar", "Crane", "Dolphin", "Fox", "Goose", "Hare", "Heron", "Lamb", "Lion", "Magpie", "Otter"),
    *("Owl", "Pelican", "Pike", "Rook", "Salmon", "Sparrow", "Stag", "Swan", "Trout", "Wolf"),
)
REVIEWS: dict[int, tuple[str, ...]] = {
    5: (
        "Could not have been better. We will be back.",
        "The best of its kind in the whole region.",
        "Friendly people and everything just right.",
        "Worth the journey on its own.",
    ),
    4: (
        "Very good, only a little crowded at noon.",
        "Pleasant and well kept; the signs could be clearer.",
        "Good value. Come early at the weekend.",
        "We liked it a lot, the children too.",
    ),
    3: (
        "Decent, nothing special.",
        "Fine for a short visit.",
        "Some parts were closed when we came.",
        "Average, but easy to reach from the station.",
    ),
    2: (
        "We had expected more after all the praise.",
        "Long wait and nobody at the desk.",
        "Overpriced for what it is.",
    ),
    1: (
        "Closed without notice on the day we came.",
        "Noisy and badly run. Never again.",
        "Please repair the heating.",
    ),
}
"""What reviewers write, by the number of stars they give."""
