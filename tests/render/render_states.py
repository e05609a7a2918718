"""Every state that a report can be in: a sample file and the options that bring it about."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "sample_vcfs"

#: Name of the state: file and command-line options.
STATES = {
    "non-carrier": ["NA12878.e3-e3.GRCh38.vcf"],
    "heterozygous": ["NA18526.e3-e4.GRCh38.vcf"],
    "homozygous": ["HG00136.e4-e4.GRCh37.vcf"],
    "ambiguous-phase": ["HG00150.e2-e4.GRCh38.vcf"],
    "ambiguous-phase-AFR": ["HG00150.e2-e4.GRCh38.vcf", "--population", "AFR"],
    "partial": ["half-call.GRCh37.vcf"],
    "carrier-half-call": ["half-call-carrier.GRCh37.vcf"],
    "carrier-rare-haplotype": ["NA19146.rare.GRCh38.vcf"],
    "absent": ["absent-sites.GRCh38.vcf"],
    "one-site": ["one-site.GRCh37.vcf"],
    "assumed-reference": ["absent-sites.GRCh38.vcf", "--absent-sites", "reference"],
    "minor-withheld": ["NA18526.e3-e4.GRCh38.vcf", "--age", "12"],
}
#: States whose ε4 status is not determined.
UNDETERMINED = {"ambiguous-phase-AFR", "partial", "absent"}
