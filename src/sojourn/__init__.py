"""Sojourn: online reinforcement learning of LLM agents for long, multi-turn tasks."""

__version__ = "0.1.0"

__all__ = ["__version__"]
