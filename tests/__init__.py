"""Tests; a package so that ``tests.toys:Buttons`` can be named like any environment."""
