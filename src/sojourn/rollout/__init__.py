"""Playing episodes, and turning them into training data."""
