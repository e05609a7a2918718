"""What takes from the weight of an answer and must stand beside it, however short the text is."""

from __future__ import annotations

from collections.abc import Iterator

from pgx.calling import E4Status
from pgx.report import SampleReport
from pgx.wording import Wording

_CODES = (
    "one-site-inference",
    "imputed",
    "low-imputation-quality",
    "filtered-site",
    "ambiguous-phase",
    "prior-dependent",
    "rare-haplotype",
    "contradicting-quality",
)


def has_answer(report: SampleReport) -> bool:
    """Say whether a diplotype or a status is determined."""
    return report.genotype.diplotype is not None or report.genotype.e4_status != E4Status.INDETERMINATE


def caveats(report: SampleReport, words: Wording) -> list[str]:
    """Return one short sentence for each caveat of the answer; none where there is no answer."""
    return [words.say("caveat", code) for code in _caveat_codes(report)] if has_answer(report) else []


def distrusted_phase(report: SampleReport) -> str | None:
    """Return the rare diplotype that two phased sites spell, if their phase was not trusted; else None."""
    genotype = report.genotype
    if genotype.phase != "phased" or "phase" not in genotype.not_determined_because:
        return None
    return next(
        (flag.values.get("diplotype") for flag in report.flags if flag.code == "rare-haplotype"), None
    )


def _caveat_codes(report: SampleReport) -> Iterator[str]:
    for code in _CODES:
        used = code != "filtered-site" or any(
            site.basis is not None and site.filter not in {None, ".", "PASS"} for site in report.sites
        )
        if used and report.has_flag(code):
            yield code
