"""The code host: projects with files and commits, issues, merge requests, members, to-do items."""
