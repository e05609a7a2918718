"""The door in: the only room that imports pysam. It hands out plain records and facts, nothing of htslib."""

from pgx.vcf.open import Bounds, tell_progress_to
from pgx.vcf.read import InputFacts, Neighbours, VcfContent, read_sites, read_with_neighbours
from pgx.vcf.records import Columns

__all__ = [
    "Bounds", "Columns", "InputFacts", "Neighbours", "VcfContent", "read_sites", "read_with_neighbours",
    "tell_progress_to",
]  # fmt: skip
