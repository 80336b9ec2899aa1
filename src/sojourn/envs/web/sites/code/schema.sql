CREATE TABLE code_user (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL, -- a hash; empty: nobody can log in
    bio TEXT NOT NULL,
    location TEXT NOT NULL,
    organization TEXT NOT NULL,
    status TEXT NOT NULL,
    joined TEXT NOT NULL
);
CREATE TABLE code_group (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL
);
CREATE TABLE code_project (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL, -- a username or the path of a group
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    visibility TEXT NOT NULL, -- public; private: for members only
    license TEXT NOT NULL,
    created TEXT NOT NULL,
    forked_from INTEGER REFERENCES code_project(id),
    UNIQUE (namespace, name)
);
CREATE TABLE code_member (
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    user_id INTEGER NOT NULL REFERENCES code_user(id),
    role TEXT NOT NULL, -- guest, reporter, developer, maintainer, owner
    since TEXT NOT NULL,
    PRIMARY KEY (project_id, user_id)
) WITHOUT ROWID;
CREATE INDEX code_member_user ON code_member(user_id);
CREATE TABLE code_star (
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    user_id INTEGER NOT NULL REFERENCES code_user(id),
    PRIMARY KEY (project_id, user_id)
) WITHOUT ROWID;
CREATE INDEX code_star_user ON code_star(user_id);
CREATE TABLE code_follow (
    user_id INTEGER NOT NULL REFERENCES code_user(id),
    followed_id INTEGER NOT NULL REFERENCES code_user(id),
    PRIMARY KEY (user_id, followed_id)
) WITHOUT ROWID;
CREATE TABLE code_branch (
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    name TEXT NOT NULL,
    is_default INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) WITHOUT ROWID;
CREATE TABLE code_file (
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    path TEXT NOT NULL,
    branch TEXT NOT NULL, -- empty: in every branch that has no file of its own at this path
    content TEXT NOT NULL,
    PRIMARY KEY (project_id, path, branch)
);
CREATE TABLE code_commit (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    branch TEXT NOT NULL,
    sha TEXT NOT NULL,
    author_id INTEGER NOT NULL REFERENCES code_user(id),
    created TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX code_commit_project ON code_commit(project_id, branch);
CREATE TABLE code_change (
    commit_id INTEGER NOT NULL REFERENCES code_commit(id),
    path TEXT NOT NULL,
    added INTEGER NOT NULL, -- lines
    removed INTEGER NOT NULL,
    PRIMARY KEY (commit_id, path)
) WITHOUT ROWID;
CREATE TABLE code_label (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    UNIQUE (project_id, name)
);
CREATE TABLE code_milestone (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    start TEXT NOT NULL, -- a day, or empty
    due TEXT NOT NULL, -- a day, or empty
    state TEXT NOT NULL, -- active, closed
    UNIQUE (project_id, title)
);
CREATE TABLE code_issue (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    iid INTEGER NOT NULL, -- the number within the project
    author_id INTEGER NOT NULL REFERENCES code_user(id),
    assignee_id INTEGER REFERENCES code_user(id),
    milestone_id INTEGER REFERENCES code_milestone(id),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL, -- opened, closed
    due TEXT NOT NULL, -- a day, or empty
    created TEXT NOT NULL,
    closed TEXT, -- when
    UNIQUE (project_id, iid)
);
CREATE INDEX code_issue_assignee ON code_issue(assignee_id);
CREATE TABLE code_issue_label (
    issue_id INTEGER NOT NULL REFERENCES code_issue(id),
    label_id INTEGER NOT NULL REFERENCES code_label(id),
    PRIMARY KEY (issue_id, label_id)
) WITHOUT ROWID;
CREATE TABLE code_merge (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES code_project(id),
    iid INTEGER NOT NULL, -- the number within the project
    author_id INTEGER NOT NULL REFERENCES code_user(id),
    assignee_id INTEGER REFERENCES code_user(id),
    reviewer_id INTEGER REFERENCES code_user(id),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    source TEXT NOT NULL, -- branches
    target TEXT NOT NULL,
    state TEXT NOT NULL, -- opened, merged, closed
    created TEXT NOT NULL,
    ended TEXT, -- when merged or closed
    UNIQUE (project_id, iid)
);
CREATE INDEX code_merge_assignee ON code_merge(assignee_id);
CREATE INDEX code_merge_reviewer ON code_merge(reviewer_id);
CREATE TABLE code_approval (
    merge_id INTEGER NOT NULL REFERENCES code_merge(id),
    user_id INTEGER NOT NULL REFERENCES code_user(id),
    PRIMARY KEY (merge_id, user_id)
) WITHOUT ROWID;
CREATE TABLE code_note (
    id INTEGER PRIMARY KEY,
    issue_id INTEGER REFERENCES code_issue(id), -- this or merge_id
    merge_id INTEGER REFERENCES code_merge(id),
    author_id INTEGER NOT NULL REFERENCES code_user(id),
    body TEXT NOT NULL,
    created TEXT NOT NULL
);
CREATE INDEX code_note_issue ON code_note(issue_id) WHERE issue_id IS NOT NULL;
CREATE INDEX code_note_merge ON code_note(merge_id) WHERE merge_id IS NOT NULL;
CREATE TABLE code_todo (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES code_user(id),
    author_id INTEGER NOT NULL REFERENCES code_user(id),
    action TEXT NOT NULL, -- assigned, mentioned, review, marked
    issue_id INTEGER REFERENCES code_issue(id), -- this or merge_id
    merge_id INTEGER REFERENCES code_merge(id),
    created TEXT NOT NULL,
    is_done INTEGER NOT NULL
);
CREATE INDEX code_todo_user ON code_todo(user_id);
