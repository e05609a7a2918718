"""The door in: the only room that imports pysam. It hands out plain records and facts, nothing of htslib."""

from pgx.vcf.open import Limits
from pgx.vcf.read import InputFacts, VcfContent, read_sites
from pgx.vcf.records import Columns

__all__ = ["Columns", "InputFacts", "Limits", "VcfContent", "read_sites"]
