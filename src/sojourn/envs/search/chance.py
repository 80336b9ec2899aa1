"""Choices that are the same on every machine and in every process: chance, where corpora and questions are made."""

from __future__ import annotations

import hashlib


def draw(*key: object) -> int:
    """A number below 2**256 that depends on `key` alone."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, key)).encode()).digest(), "big")


def draw_short(*key: object) -> int:
    """The first 64 bits of what `draw` gives."""
    return draw(*key) >> 192


def digest(*key: object) -> str:
    """`draw_short` as sixteen hexadecimal digits."""
    return f"{draw_short(*key):016x}"
