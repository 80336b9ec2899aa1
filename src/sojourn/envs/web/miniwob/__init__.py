"""MiniWoB++: small pages with scripts, each with a task, as a further suite for the chromium back end."""
