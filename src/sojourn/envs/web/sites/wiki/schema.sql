CREATE TABLE wiki_article (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL UNIQUE,
    revision_id INTEGER NOT NULL -- the one shown
);
CREATE TABLE wiki_revision (
    id INTEGER PRIMARY KEY,
    article_id INTEGER NOT NULL REFERENCES wiki_article(id),
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    summary TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX wiki_revision_article ON wiki_revision(article_id);
-- what follows is derived from the text of the revision shown whenever an article is saved
CREATE TABLE wiki_fact (
    article_id INTEGER NOT NULL REFERENCES wiki_article(id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL, -- markup: a link is "[[Title]]"
    PRIMARY KEY (article_id, position)
) WITHOUT ROWID;
CREATE TABLE wiki_category (
    category TEXT NOT NULL,
    article_id INTEGER NOT NULL REFERENCES wiki_article(id),
    PRIMARY KEY (category, article_id)
) WITHOUT ROWID;
CREATE INDEX wiki_category_article ON wiki_category(article_id);
