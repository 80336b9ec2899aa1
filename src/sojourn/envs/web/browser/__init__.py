"""Browsers: one interface, two back ends."""
