"""The door in: the only room that imports pysam. It hands out plain records and facts, nothing of htslib."""

from pgx.vcf.open import Bounds, tell_progress_to
from pgx.vcf.read import InputFacts, VcfContent, read_sites
from pgx.vcf.records import Columns

__all__ = ["Bounds", "Columns", "InputFacts", "VcfContent", "read_sites", "tell_progress_to"]
