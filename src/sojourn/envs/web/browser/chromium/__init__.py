"""A real browser: one Chromium for all episodes of the process, a context each."""
