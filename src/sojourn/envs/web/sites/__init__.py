"""The sites: WSGI applications over one in-memory SQLite database per episode."""
