"""File names made from sample names, which come from files of strangers."""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 40
_DIGITS = 10


def file_stem(sample: str) -> str:
    """Return a harmless file name for a sample, without an ending.

    Letters, digits, `.`, `_` and `-` are kept, and a digest of the whole name follows, so that two names
    that look alike, or differ in case only, never share a file.
    """
    digest = hashlib.sha256(sample.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    kept = _UNSAFE.sub("_", sample)[:_LONGEST].strip("._-")
    return f"{kept}.{digest}" if kept else f"sample.{digest}"
