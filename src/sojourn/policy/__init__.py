"""From observations to token ids and back: chat templates, action formats, constraints, agents."""
