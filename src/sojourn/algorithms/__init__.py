"""Advantages and losses: tensors in, tensors out."""
