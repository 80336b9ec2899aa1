CREATE TABLE map_city (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    river TEXT NOT NULL,
    postcode TEXT NOT NULL UNIQUE,
    population INTEGER NOT NULL,
    founded INTEGER NOT NULL, -- year
    elevation INTEGER NOT NULL, -- metres
    x INTEGER NOT NULL, -- metres east of the map's corner, of the centre
    y INTEGER NOT NULL -- metres north of it
);
CREATE TABLE map_road (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, -- motorway, road
    one_id INTEGER NOT NULL REFERENCES map_city(id),
    other_id INTEGER NOT NULL REFERENCES map_city(id),
    metres INTEGER NOT NULL
);
CREATE TABLE map_route (
    start_id INTEGER NOT NULL REFERENCES map_city(id),
    end_id INTEGER NOT NULL REFERENCES map_city(id),
    by_car INTEGER NOT NULL, -- 1: the quickest roads for cars; 0: the shortest that are no motorways
    metres INTEGER NOT NULL, -- from centre to centre
    roads TEXT NOT NULL, -- ids, in order, with commas
    PRIMARY KEY (start_id, end_id, by_car)
) WITHOUT ROWID;
CREATE TABLE map_place (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    category TEXT NOT NULL,
    city_id INTEGER NOT NULL REFERENCES map_city(id),
    street TEXT NOT NULL,
    house INTEGER NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    phone TEXT NOT NULL,
    weekday_hours TEXT NOT NULL, -- "09:00-17:00" or "closed"
    saturday_hours TEXT NOT NULL,
    sunday_hours TEXT NOT NULL,
    wheelchair TEXT NOT NULL, -- yes, limited, no
    cuisine TEXT, -- of restaurants
    stars INTEGER, -- of hotels
    named_after TEXT -- a person
);
CREATE INDEX map_place_city ON map_place(city_id, category);
CREATE TABLE map_review (
    id INTEGER PRIMARY KEY,
    place_id INTEGER NOT NULL REFERENCES map_place(id),
    author TEXT NOT NULL,
    stars INTEGER NOT NULL, -- 1 to 5
    body TEXT NOT NULL,
    created TEXT NOT NULL
);
CREATE INDEX map_review_place ON map_review(place_id);
CREATE TABLE map_list (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE map_saved (
    list_id INTEGER NOT NULL REFERENCES map_list(id),
    place_id INTEGER NOT NULL REFERENCES map_place(id),
    note TEXT NOT NULL,
    PRIMARY KEY (list_id, place_id)
) WITHOUT ROWID;
