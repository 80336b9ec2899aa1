"""Arithmetic on decimal numbers: ``+ - * / ( )``, exact, never Python's own evaluation of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

MAX_LENGTH = 200
_TOKEN = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,12})?|[-+*/()])")
_MAX_DEPTH = 30
_DIGITS = 10


class CalculationError(ValueError):
    """The text is no calculation, or one without a result; the message is for the user."""


def calculate(text: str) -> str:
    """The result, with at most ten decimals; raises `CalculationError`."""
    if len(text) > MAX_LENGTH:
        raise CalculationError(f"A calculation has at most {MAX_LENGTH} characters.")
    tokens = list(_tokens(text.replace(",", "")))
    if not tokens:
        raise CalculationError("Enter a calculation such as 12.5 * (3 + 4).")
    parser = _Parser(tokens)
    value = parser.total(0)
    if parser.at < len(tokens):
        raise CalculationError(f"Did not expect {tokens[parser.at]!r}.")
    return _shown(value)


def _tokens(text: str) -> Iterator[str]:
    end = 0
    text = text.rstrip()
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None:
            raise CalculationError("Only numbers, + - * / and brackets can be calculated.")
        yield match[1]
        end = match.end()


def _shown(value: Fraction) -> str:
    scaled = value * 10**_DIGITS
    whole = (abs(scaled.numerator) * 2 + scaled.denominator) // (2 * scaled.denominator)  # halves away from zero
    digits = str(whole).rjust(_DIGITS + 1, "0")
    text = f"{digits[:-_DIGITS]}.{digits[-_DIGITS:]}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and text != "0" else text


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def next_is(self, *wanted: str) -> str | None:
        """The next token if it is one of those, and go on behind it."""
        if self.at < len(self.tokens) and self.tokens[self.at] in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def total(self, depth: int) -> Fraction:
        if depth > _MAX_DEPTH:
            raise CalculationError(f"Brackets can be nested {_MAX_DEPTH} deep.")
        value = self.product(depth)
        while sign := self.next_is("+", "-"):
            other = self.product(depth)
            value = value + other if sign == "+" else value - other
        return value

    def product(self, depth: int) -> Fraction:
        value = self.factor(depth)
        while sign := self.next_is("*", "/"):
            other = self.factor(depth)
            if sign == "/" and not other:
                raise CalculationError("Division by zero.")
            value = value * other if sign == "*" else value / other
        return value

    def factor(self, depth: int) -> Fraction:
        sign = 1
        while mark := self.next_is("+", "-"):
            sign = -sign if mark == "-" else sign
        if self.next_is("("):
            value = self.total(depth + 1)
            if not self.next_is(")"):
                raise CalculationError("A bracket is not closed.")
            return sign * value
        if self.at == len(self.tokens) or not self.tokens[self.at][0].isdigit():
            raise CalculationError("A number is missing.")
        self.at += 1
        return sign * Fraction(self.tokens[self.at - 1])
