"""What an input is, what it says at each site, and what a call would still need."""

from pgx.inspect.look import inspect
from pgx.inspect.model import Clue, FileFacts, Inspection, Need, SampleLook, SiteLook
from pgx.inspect.text import as_text

__all__ = [
    "Clue",
    "FileFacts",
    "Inspection",
    "Need",
    "SampleLook",
    "SiteLook",
    "as_text",
    "inspect",
]
