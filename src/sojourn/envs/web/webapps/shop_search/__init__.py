"""Oscar's search application, forked in Oscar's own way: its pages ask the database and not a search index.

An index would be one for all episodes; and Haystack's simple back end finds no product when none is asked for.
"""
