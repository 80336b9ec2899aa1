"""The official WebArena: its 812 tasks on its own sites, where there are any."""
