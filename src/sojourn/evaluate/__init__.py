"""Measuring agents on fixed panels, and telling what came out: intervals, plots, reports."""
