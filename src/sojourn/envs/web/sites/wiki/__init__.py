"""The wiki: articles that agree with the map, with categories, revisions, differences and editing."""
