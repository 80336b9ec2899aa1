"""The table of the search baselines as the documentation shows it; a test holds the page to the result file."""

from __future__ import annotations

from typing import Any

DEPTHS = (3, 10, 20)
"""Hits among which an accepted answer is looked for."""


def table(result: dict[str, Any]) -> str:
    """A Markdown table of everything."""
    lines = [
        "| corpus | split | hops | one-shot top 3 | top 10 | top 20 | closed book | contained | random | oracle |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for corpus, splits in result.items():
        for split, rows in splits.items():
            for category, row in rows.items():
                shares = [row["one_shot"][str(depth)] for depth in DEPTHS]
                shares += [row["closed_book"]["exact"], row["closed_book"]["contained"]]
                shares += [row["random"]["success"], row["oracle"]["success"]]
                cells = " | ".join(f"{share:.1%}" for share in shares)
                lines.append(f"| {corpus} | {split} | {category} | {cells} |")
    return "\n".join(lines)
