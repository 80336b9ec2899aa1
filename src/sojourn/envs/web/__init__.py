"""Web navigation: seven sites with a database of their own for every episode, and a browser to act on them."""
