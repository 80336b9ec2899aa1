"""Tasks on the real applications, for evaluation only."""
