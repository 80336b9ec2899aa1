"""The map: places of one country, what is near what, ways from one to another, lists of saved places."""
