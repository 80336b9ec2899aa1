CREATE TABLE home_note (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    created TEXT NOT NULL
);
