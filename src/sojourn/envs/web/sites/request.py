"""What a request carries: its fields, read once and checked, and the errors that become 4xx pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qsl

MAX_BODY_BYTES = 256 * 1024
"""Largest form that a site reads."""
MAX_FIELDS = 200
_BIGGEST = 2**53
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_MONEY = re.compile(r"\$?\s*([0-9]{1,9}|[0-9]{1,3}(?:,[0-9]{3}){1,2})(?:\.([0-9]{1,2}))?")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,4}")


class HttpError(Exception):
    """A request that ends in an error page; whatever it wrote is rolled back."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(HttpError):  # noqa: N818  (the names of HTTP)
    """The request cannot be read: 400."""


class Forbidden(HttpError):  # noqa: N818
    """The user may not do that: 403."""

    status = 403


class NotFound(HttpError):  # noqa: N818
    """No such page or record: 404."""

    status = 404


class MethodNotAllowed(HttpError):  # noqa: N818
    """The page exists but not for this method: 405."""

    status = 405

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This page takes only {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class TooLarge(HttpError):  # noqa: N818
    """The form is larger than a site reads: 413."""

    status = 413


class UnsupportedType(HttpError):  # noqa: N818
    """The body is not a plain form: 415."""

    status = 415


class Fields:
    """Name-value pairs of a query or a form, in the order sent; a name may come several times."""

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)

    @classmethod
    def read(cls, encoded: str) -> Fields:
        """The fields of a urlencoded text; raises `BadRequest` for too many or for control characters."""
        try:
            pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise BadRequest(f"The request has more than {MAX_FIELDS} fields.") from error
        for name, value in pairs:
            if _CONTROL.search(name) or _CONTROL.search(value):
                raise BadRequest("The request holds control characters.")
        return cls([(name, value.replace("\r\n", "\n").replace("\r", "\n")) for name, value in pairs])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)

    def get(self, name: str, default: str = "") -> str:
        """The first value sent under `name` without surrounding spaces, else `default`."""
        return next((value.strip() for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value sent under `name`, as for check boxes that share it."""
        return [value for key, value in self.pairs if key == name]

    def integer(self, name: str, default: int, *, low: int = -_BIGGEST, high: int = _BIGGEST) -> int:
        """The whole number sent under `name`; `default` if absent or empty, `BadRequest` if it is none in range."""
        text = self.get(name)
        if not text:
            return default
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise BadRequest(f"{name} must be a whole number from {low} to {high}.")
        return int(text)

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """The value sent under `name` if it is among `options`; `default` if absent or empty, else `BadRequest`."""
        value = self.get(name) or default
        if value != default and value not in options:
            raise BadRequest(f"{name} must be one of: {', '.join(options)}.")
        return value

    def cents(self, name: str) -> int | None:
        """The amount sent under `name` in cents; None if absent or empty, `BadRequest` if it is no amount."""
        text = self.get(name)
        if not text:
            return None
        amount = read_cents(text)
        if amount is None:
            raise BadRequest(f"{name} must be an amount such as 12.50.")
        return amount


class Entry:
    """Reads the fields of one form and collects in `errors` (label -> sentence) what is wrong with them."""

    def __init__(self, fields: Fields, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Read from `fields`; `values` is what the form shows before anything was sent."""
        self.fields = fields
        self.errors: dict[str, str] = {}
        self.values: dict[str, Any] = dict(values)

    def _wrong(self, name: str, sentence: str) -> None:
        self.errors.setdefault(name, sentence)

    def text(self, name: str, label: str, *, max_length: int = 200, required: bool = True) -> str:
        """A text of at most `max_length` characters, without surrounding spaces."""
        value = self.fields.get(name)
        self.values[name] = value
        if required and not value:
            self._wrong(name, f"{label} is required.")
        elif len(value) > max_length:
            self._wrong(name, f"{label} must have at most {max_length} characters.")
        return value

    def integer(self, name: str, label: str, *, low: int, high: int) -> int:
        """A required whole number between `low` and `high`; `low` if it is wrong."""
        value = self.fields.get(name)
        self.values[name] = value
        if not _INTEGER.fullmatch(value) or not low <= int(value) <= high:
            self._wrong(name, f"{label} must be a whole number from {low} to {high}.")
            return low
        return int(value)

    def cents(self, name: str, label: str) -> int:
        """A required amount of money, in cents; 0 if it is wrong."""
        value = self.fields.get(name)
        self.values[name] = value
        amount = read_cents(value)
        if amount is None:
            self._wrong(name, f"{label} must be an amount such as 12.50.")
        return amount or 0

    def choice(self, name: str, label: str, options: Sequence[str]) -> str:
        """One of `options`; the empty text if it is wrong."""
        value = self.fields.get(name)
        self.values[name] = value
        if value not in options:
            self._wrong(name, f"Please choose {label}.")
            return ""
        return value

    def email(self, name: str, label: str) -> str:
        """A required mail address, in lower case."""
        value = self.text(name, label, max_length=120).lower()
        if value and not _EMAIL.fullmatch(value):
            self._wrong(name, f"{label} must be an address such as name@example.com.")
        return value

    @property
    def status(self) -> int:
        return 422 if self.errors else 200

    def flag(self, name: str) -> int:
        """1 for a ticked check box, else 0."""
        self.values[name] = int(bool(self.fields.get(name)))
        return int(self.values[name])

    def same(self, name: str, other: str, sentence: str) -> None:
        """Demand that two fields (a password and its repetition) are equal."""
        if self.fields.get(name) != self.fields.get(other):
            self._wrong(other, sentence)

    def refuse(self, name: str, sentence: str) -> None:
        """Enter what a site found wrong by itself (an address already taken)."""
        self._wrong(name, sentence)


def read_cents(text: str) -> int | None:
    """Cents of ``12``, ``12.5``, ``$1,234.50``; None for anything else."""
    match = _MONEY.fullmatch(text.strip())
    if match is None:
        return None
    return int(match[1].replace(",", "")) * 100 + int((match[2] or "").ljust(2, "0"))


def read_cookies(header: str) -> dict[str, str]:
    """Cookies of a ``Cookie`` header: what browsers send back, without quotes; a part that is no pair is left out."""
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


class Readable(Protocol):
    """The part of ``wsgi.input`` that is used."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes of the body."""
        ...


def read_form(environ: dict[str, Any]) -> Fields:
    """The form of a POST; raises `HttpError` for a body that is too large or no plain form."""
    length_text = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,12}", length_text):
        raise BadRequest("Content-Length must be a number.")
    length = int(length_text)
    if length > MAX_BODY_BYTES:
        raise TooLarge(f"A form holds at most {MAX_BODY_BYTES} bytes.")
    kind = (environ.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    if length and kind != "application/x-www-form-urlencoded":
        raise UnsupportedType("Send application/x-www-form-urlencoded.")
    stream: Readable = environ["wsgi.input"]
    return Fields.read(stream.read(length).decode("utf-8", errors="replace")) if length else Fields()
