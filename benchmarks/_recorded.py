"""The texts of recorded answers, where a file of them has any (`methods.py` reads what they come to)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path


def texts_of(data: Path, name: str) -> dict[str, dict[str, str]]:
    """What each model said, by question; empty where the file keeps answers only for some of the models."""
    found: dict[str, dict[str, str]] = {}
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            if not all(one.get("out") for one in row["models"].values()) and number == 0:
                return {}
            said = {model: one.get("out") or "" for model, one in row["models"].items()}
            found[str(row.get("qid", number))] = said
    return found
