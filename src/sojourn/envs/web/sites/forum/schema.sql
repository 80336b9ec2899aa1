CREATE TABLE forum_user (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL, -- a hash; empty: nobody can log in
    bio TEXT NOT NULL,
    created TEXT NOT NULL
);
CREATE TABLE forum_forum (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    sidebar TEXT NOT NULL,
    owner_id INTEGER NOT NULL REFERENCES forum_user(id),
    created TEXT NOT NULL
);
CREATE TABLE forum_subscription (
    forum_id INTEGER NOT NULL REFERENCES forum_forum(id),
    user_id INTEGER NOT NULL REFERENCES forum_user(id),
    PRIMARY KEY (forum_id, user_id)
) WITHOUT ROWID;
CREATE INDEX forum_subscription_user ON forum_subscription(user_id);
CREATE TABLE forum_submission (
    id INTEGER PRIMARY KEY,
    forum_id INTEGER NOT NULL REFERENCES forum_forum(id),
    user_id INTEGER NOT NULL REFERENCES forum_user(id),
    title TEXT NOT NULL,
    url TEXT NOT NULL, -- empty: a text submission
    body TEXT NOT NULL,
    created TEXT NOT NULL,
    edited TEXT, -- when, if ever
    ups INTEGER NOT NULL, -- votes by people without a row in forum_vote
    downs INTEGER NOT NULL
);
CREATE INDEX forum_submission_forum ON forum_submission(forum_id);
CREATE INDEX forum_submission_user ON forum_submission(user_id);
CREATE TABLE forum_comment (
    id INTEGER PRIMARY KEY,
    submission_id INTEGER NOT NULL REFERENCES forum_submission(id) ON DELETE CASCADE,
    parent_id INTEGER REFERENCES forum_comment(id),
    user_id INTEGER REFERENCES forum_user(id), -- null: deleted, kept for its replies
    body TEXT NOT NULL,
    created TEXT NOT NULL,
    edited TEXT,
    ups INTEGER NOT NULL, -- votes by people without a row in forum_comment_vote
    downs INTEGER NOT NULL
);
CREATE INDEX forum_comment_submission ON forum_comment(submission_id);
CREATE INDEX forum_comment_user ON forum_comment(user_id);
CREATE INDEX forum_comment_parent ON forum_comment(parent_id) WHERE parent_id IS NOT NULL;
CREATE TABLE forum_vote (
    submission_id INTEGER NOT NULL REFERENCES forum_submission(id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES forum_user(id),
    value INTEGER NOT NULL, -- 1, -1
    PRIMARY KEY (submission_id, user_id)
) WITHOUT ROWID;
CREATE TABLE forum_comment_vote (
    comment_id INTEGER NOT NULL REFERENCES forum_comment(id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES forum_user(id),
    value INTEGER NOT NULL, -- 1, -1
    PRIMARY KEY (comment_id, user_id)
) WITHOUT ROWID;
CREATE TABLE forum_message (
    id INTEGER PRIMARY KEY,
    thread_id INTEGER REFERENCES forum_message(id), -- the first message of the thread; null: this one is
    sender_id INTEGER NOT NULL REFERENCES forum_user(id),
    recipient_id INTEGER NOT NULL REFERENCES forum_user(id),
    subject TEXT NOT NULL, -- empty in replies
    body TEXT NOT NULL,
    created TEXT NOT NULL
);
CREATE INDEX forum_message_sender ON forum_message(sender_id);
CREATE INDEX forum_message_recipient ON forum_message(recipient_id);
CREATE TABLE forum_block (
    user_id INTEGER NOT NULL REFERENCES forum_user(id),
    blocked_id INTEGER NOT NULL REFERENCES forum_user(id),
    PRIMARY KEY (user_id, blocked_id)
) WITHOUT ROWID;
CREATE TABLE forum_hidden (
    user_id INTEGER NOT NULL REFERENCES forum_user(id),
    forum_id INTEGER NOT NULL REFERENCES forum_forum(id),
    PRIMARY KEY (user_id, forum_id)
) WITHOUT ROWID;
