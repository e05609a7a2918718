"""The door in: the only room that imports pysam. It hands out plain records and facts, nothing of htslib."""

from pgx.vcf.bed import callable_sites
from pgx.vcf.read import Columns, InputFacts, VcfContent, read_sites

__all__ = ["Columns", "InputFacts", "VcfContent", "callable_sites", "read_sites"]
