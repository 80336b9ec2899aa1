"""Being here puts the repository root on the path, so that ``tests.toys`` can be imported by name."""
