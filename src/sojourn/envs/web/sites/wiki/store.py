"""Saving an article: a revision, and what is derived from its text."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.wiki.markup import parse


def save(db: sqlite3.Connection, title: str, *, author: str, created: str, summary: str, text: str) -> int:
    """Make `text` what the article called `title` shows, creating it if there is none; returns the article's id."""
    row = db.execute("SELECT id FROM wiki_article WHERE title = ?", (title,)).fetchone()
    if row is None:
        cursor = db.execute("INSERT INTO wiki_article (title, revision_id) VALUES (?, 0)", (title,))
        assert cursor.lastrowid is not None
        article_id = cursor.lastrowid
    else:
        article_id = int(row[0])
    cursor = db.execute(
        "INSERT INTO wiki_revision (article_id, author, created, summary, text) VALUES (?, ?, ?, ?, ?)",
        (article_id, author, created, summary, text),
    )
    db.execute("UPDATE wiki_article SET revision_id = ? WHERE id = ?", (cursor.lastrowid, article_id))
    parsed = parse(text)
    db.execute("DELETE FROM wiki_fact WHERE article_id = ?", (article_id,))
    rows = [(article_id, position, *fact) for position, fact in enumerate(parsed.facts, 1)]
    db.executemany("INSERT INTO wiki_fact VALUES (?, ?, ?, ?)", rows)
    db.execute("DELETE FROM wiki_category WHERE article_id = ?", (article_id,))
    db.executemany("INSERT INTO wiki_category VALUES (?, ?)", [(name, article_id) for name in parsed.categories])
    return article_id
