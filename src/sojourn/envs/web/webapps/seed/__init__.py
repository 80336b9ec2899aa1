"""Data for the applications, generated from a seed through their own models."""
