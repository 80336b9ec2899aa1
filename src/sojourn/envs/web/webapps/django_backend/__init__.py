"""Django's SQLite back end on the running episode's own database in memory (Django finds it by this name)."""
