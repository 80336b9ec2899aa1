"""Passages are data: whatever in them looks like a tag of ours or a token of a chat template is made inert.

It stays readable and it shows: ``</information>`` becomes ``‹/information›`` and ``[INST]`` becomes ``(INST)``.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"[<\uff1c\ufe64](?!\s)")
"""What could begin a tag in any template. Some tokenizers read a wide ``<`` as a plain one."""
_CLOSING = re.compile(r"[>\uff1e\ufe65]")
_BRACKETED = re.compile(r"\[(/?[A-Z][A-Z_]{1,40})\]")  # [INST], [/INST], [TOOL_CALLS]: Mistral's and Llama 2's
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SUSPECT = re.compile(
    r"[<\[\uff1c\ufe64\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)  # whatever one of those above may change


def neutral(text: str) -> str:
    """`text` with no tag, no special token, no control character, and nothing that is not Unicode.

    A ``<`` that something other than a blank follows becomes ``‹``, and then every ``>`` becomes ``›``. A text with
    nothing to change is returned as it is.
    """
    if _SUSPECT.search(text) is None:
        return text
    text = _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub(" ", text))
    text, num_tags = _OPENING.subn("\u2039", text)
    if num_tags:
        text = _CLOSING.sub("\u203a", text)
    return _BRACKETED.sub(r"(\1)", text)
