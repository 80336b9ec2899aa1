"""Advantages: how much better an episode, turn or token did than expected. Pure functions of tensors."""
