"""pgx: the APOE diplotype of a VCF, paired with the published evidence on Cerebrolysin.

`pgx.annotate`, `pgx.to_frame` and `pgx.read_cohort` are for use in Python; see `pgx.api`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgx.api import annotate, read_cohort, to_frame

__version__ = "0.1.0"
__all__ = ["__version__", "annotate", "read_cohort", "to_frame"]


def __getattr__(name: str) -> Any:
    """Import the functions for Python users on first use: the command line does without them."""
    if name in {"annotate", "read_cohort", "to_frame"}:
        return getattr(import_module("pgx.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names for Python users, too, before they are imported."""
    return sorted(__all__)
