"""The environment service: the same environments over HTTP, for another machine, another Python, or isolation."""
