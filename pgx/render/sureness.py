"""How sure the call is: letters that were read (an unread one is None), probabilities, the second-best."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from pgx.calling import E4_COPIES, E4Status
from pgx.errors import ReferenceDataError, printable
from pgx.genome import counted_haplotype, haplotypes
from pgx.observe import EvidenceKind, ReadSummary, SiteReport, SiteState
from pgx.render.form import LONG, Block, Kind, bullet, caption, paragraph, settings, table
from pgx.report import Flag, Run, SampleReport, readable
from pgx.wording import Wording, greek, percent

_NEGLIGIBLE = 1e-4  # a probability that is neither drawn nor told
_CARRIED = 0.01  # beyond it a percentage would be that of the assumption, not of the file
_MOST_BARS = 4
EXCLUDING = 0.01  # a likelihood, relative to the best, from which on down a diplotype counts as unlikely
#: Flags that say the same as a reason why something is not determined.
REASON_OF = {"ambiguous-phase": "phase", "rare-haplotype": "rare-haplotype"}


class Chromosome(Struct, frozen=True, kw_only=True):
    """One chromosome: for each site a letter or None, and whether it was assumed."""

    letters: tuple[str | None, str | None]
    assumed: tuple[bool, bool]
    names: tuple[str, ...]  # the haplotypes it can be (ASCII); none where it can be all

    def cells(self, words: Wording) -> Iterator[str]:
        """Yield the letters as text: unknown and assumed ones say so."""
        for letter, assumed in zip(self.letters, self.assumed, strict=True):
            yield letter + assumed_mark(assumed, words) if letter else words.say("picture", "unknown")


class ReadRow(Struct, frozen=True):
    """Templates that show the same: a letter a site or None; `name` where both make a haplotype."""

    letters: tuple[str | None, str | None]
    name: str | None
    count: int

    def told(self, words: Wording) -> str:
        """Return what they show together."""
        return greek(self.name) if self.name else words.say("picture", "one_site")


def chromosomes(report: SampleReport) -> tuple[Chromosome, Chromosome]:
    """Return what is known of each chromosome; unread letters stay unknown."""
    diplotype = report.genotype.diplotype
    read = [_letters(site) for site in report.sites]
    if diplotype is not None:
        letters = {item.name: item.letters for item in haplotypes()}
        one, other = (letters[name] for name in diplotype.split("/"))
        read = [pair if None in pair else (one[site], other[site]) for site, pair in enumerate(read)]
    elif _is_unarranged(report):
        read[1] = (None, None)
    first, second = (site.state == SiteState.ASSUMED_REFERENCE for site in report.sites)

    def side(number: int) -> Chromosome:
        pair = one, other = read[0][number], read[1][number]
        fit = (h.name for h in haplotypes() if one in {None, h.letters[0]} and other in {None, h.letters[1]})
        names = (diplotype.split("/")[number],) if diplotype else tuple(fit) if any(pair) else ()
        return Chromosome(letters=pair, assumed=(first, second), names=names)

    return side(0), side(1)


def _letters(site: SiteReport) -> tuple[str | None, str | None]:
    if site.alleles is not None:
        return site.alleles
    return (site.seen[0], None) if len(site.seen) == 1 else (None, None)


def _is_unarranged(report: SampleReport) -> bool:
    mixed = (None not in (pair := _letters(site)) and pair[0] != pair[1] for site in report.sites)
    return report.genotype.diplotype is None and all(mixed)


def bars(report: SampleReport, words: Wording) -> list[tuple[str, float]]:
    """Return the answers to draw and their probabilities: three of copies of ε4, then likely diplotypes."""
    copies = report.genotype.e4_copies_posterior.items()
    drawn = [(words.say("picture", f"copies_{count}"), chance) for count, chance in copies]
    kept = [item for item in _ranked(report) if item[1] >= _NEGLIGIBLE][:_MOST_BARS]
    return drawn + [(greek(name), chance) for name, chance in kept]


def _ranked(report: SampleReport) -> list[tuple[str, float]]:
    return sorted(report.genotype.diplotype_posterior.items(), key=lambda item: -item[1])


def has_answer(report: SampleReport) -> bool:
    """Return whether a diplotype or a status is determined."""
    return report.genotype.diplotype is not None or report.genotype.e4_status != E4Status.INDETERMINATE


def caveats(report: SampleReport, words: Wording) -> list[str]:
    """Return one short sentence for each caveat of the answer; none where there is no answer."""
    given = (report.genotype.diplotype, report.genotype.e4_status)
    others = report.genotype.by_population.items()
    leaving = ", ".join(name for name, other in others if (other.diplotype, other.e4_status) != given)
    told = [words.say("caveat", code, populations=leaving) for code in caveat_codes(report)]
    flags = settings().flags
    known = {*flags.caveats, *flags.told_elsewhere, *flags.told_by_state}
    codes, names = (flag.code for flag in report.flags if flag.severity != "info"), words.topics["flag_name"]
    also = [names[code] for code in dict.fromkeys(codes) if code not in known and code in names]
    if also and has_answer(report):
        told.append(words.say("caveat", "also", names="; ".join(also)))
    return told


def caveat_codes(report: SampleReport) -> Iterator[str]:
    """Yield the flags that take from the weight of an answer; none where there is no answer."""
    filters = {site.filter for site in report.sites if site.basis is not None}
    for code in settings().flags.caveats if has_answer(report) else ():
        used = code != "filtered-site" or filters - {None, ".", "PASS"}
        told = REASON_OF.get(code) in report.genotype.not_determined_because
        if used and not told and report.has_flag(code):
            yield code


def distrusted_phase(report: SampleReport) -> str | None:
    """Return the rare diplotype that two phased sites spell, if their phase was not trusted; else None."""
    genotype = report.genotype
    if genotype.phase != "phased" or "phase" not in genotype.not_determined_because:
        return None
    return _value_of(report, "rare-haplotype", "diplotype")


def _value_of(report: SampleReport, code: str, name: str) -> str | None:
    return next((flag.values.get(name) for flag in report.flags if flag.code == code), None)


def status_probability(report: SampleReport) -> float:
    """Return the probability of the ε4 status that is reported (not of an indeterminate one)."""
    genotype = report.genotype
    if genotype.e4_copies is not None:
        return genotype.e4_copies_posterior[str(genotype.e4_copies)]
    return genotype.e4_copies_posterior["1"] + genotype.e4_copies_posterior["2"]


def sure_blocks(run: Run, report: SampleReport, words: Wording) -> Iterator[Block]:
    """Yield both chromosomes, what each site says, and the probabilities."""
    say, is_open, drawn = words.say, report.genotype.diplotype is None, chromosomes(report)
    yield Block(Kind.PICTURE, say("picture", "chromosomes"), name="chromosomes")
    rsids = (site.rsid for site in report.sites)
    lines = [(say("picture", "chromosome"), *rsids, say("picture", "haplotype"))]
    for number, one in enumerate(drawn, start=1):
        lines.append((str(number), *one.cells(words), names_text(one.names, report, words)))
    yield table(say("picture", "chromosomes"), lines, name="chromosomes")
    if not is_open or _is_unarranged(report) or any(one.names for one in drawn):
        key = "both_ways" if _is_unarranged(report) else "as_read" if is_open else "arranged"
        yield caption(say("picture", key))
    yield from (bullet(_site_sentence(site, words)) for site in report.sites)
    if report.reads is not None:
        yield from _read_blocks(report, report.reads, words)
    if not is_open:
        yield Block(Kind.PICTURE, say("picture", "posterior"), name="posterior")
        rows = [(say("picture", "answer"), say("picture", "probability"))]
        rows += [(name, told_chance(words, chance, report)) for name, chance in bars(report, words)]
        told = say("picture", "threshold_text", threshold=percent(run.parameters.min_probability))
        yield table(told, rows, name="posterior")
        second, chance = _ranked(report)[1]
        if chance >= _NEGLIGIBLE:
            copies = second.split("/").count(counted_haplotype())
            status = say("status", next(key for key, count in E4_COPIES.items() if count == copies))
            yield paragraph(say("sure", "second", diplotype=greek(second), status=status))
    elif any(site.basis is not None or site.seen for site in report.sites):  # else all are possible
        left = [row for row in report.genotype.calculation if row.phase_factor > EXCLUDING]
        if fitting := [greek(row.diplotype) for row in left if min(row.likelihood.values()) > EXCLUDING]:
            yield paragraph(say("sure", "open", list=", ".join(fitting)))
    if rests_on_assumption(report):
        yield paragraph(say("sure", "conditional_assumed"))
    for flag in report.flags:
        if flag.severity != "info" and flag.code not in settings().flags.told_elsewhere:
            yield bullet(flag_message(flag, words, is_open=is_open))


def read_rows(report: SampleReport) -> list[ReadRow]:
    """Return the templates by what they show: those with both sites, then those with one."""
    if (reads := report.reads) is None:
        return []
    known = reads.haplotypes
    rows = [ReadRow(h.letters, h.name, known.get("".join(h.letters), 0)) for h in haplotypes()]
    for site, rsid in enumerate(site.rsid for site in report.sites):
        for letter, count in reads.letters[rsid].items():
            both = sum(row.count for row in rows if row.name and row.letters[site] == letter)
            rows.append(ReadRow((None, letter) if site else (letter, None), None, count - both))
    return [row for row in rows if row.count or row.name]


def read_sentence(report: SampleReport, reads: ReadSummary, words: Wording) -> str:
    """Return how many reads lie at each site, and how many templates hold both."""
    first, second = (site.rsid for site in report.sites)
    counts = {"at_first": reads.depth[first], "at_second": reads.depth[second]}
    both = "reads_both" if reads.templates_both else "reads_not_both"
    told = words.say("sure", "reads", first=first, second=second, **counts)
    return f"{told} {words.say('sure', both, count=reads.templates_both)}"


def _read_blocks(report: SampleReport, reads: ReadSummary, words: Wording) -> Iterator[Block]:
    say = words.say
    yield bullet(read_sentence(report, reads, words))
    if report.genotype.source == "file+reads":
        key = "reads_decided" if reads.decided else "reads_phase"
        yield bullet(say("sure", key, sites=words.joined(reads.decided)))
    if any(reads.depth.values()):
        title, unknown = say("picture", "reads"), say("picture", "not_covered")
        yield Block(Kind.PICTURE, title, name="reads")
        rsids = (site.rsid for site in report.sites)
        rows = [(*rsids, say("picture", "reads_haplotype"), say("picture", "reads_count"))]
        for row in read_rows(report):
            first, second = (letter or unknown for letter in row.letters)
            rows.append((first, second, row.told(words), str(row.count)))
        yield table(title, rows, name="reads")


def assumed_mark(assumed: bool, words: Wording) -> str:
    """Return the mark of everything that rests on assumed letters, else nothing."""
    return words.say("result", "assumed_mark") if assumed else ""


def weak_sites(report: SampleReport) -> list[str]:
    """Return the sites at which a surer genotype would settle the answer; both where none is named."""
    named = _value_of(report, "low-certainty", "sites")
    return named.split(", ") if named else [site.rsid for site in report.sites]


def unstated_sites(report: SampleReport) -> list[str]:
    """Return the rsIDs of the sites of whose genotype the file states no quality."""
    unstated = report.has_flag("no-genotype-quality")
    return [site.rsid for site in report.sites if unstated and site.basis == EvidenceKind.GT]


def rests_on_assumption(report: SampleReport) -> bool:
    """Return whether letters, or how sure they are, were assumed: no percentage may then stand alone."""
    return report.genotype.assumed or any(site.basis == EvidenceKind.GT for site in report.sites)


def told_chance(words: Wording, probability: float, report: SampleReport, *, short: bool = False) -> str:
    """Return a probability as it may be told, `short` beside a bar: near 0 and 1 assumptions have none."""
    text = percent(probability)
    if not rests_on_assumption(report):
        return text
    if probability >= 1 - _CARRIED:
        return words.say("picture", "as_assumed") if short else words.say("sure", "as_sure")
    if probability <= _CARRIED:
        return words.say("picture", "not_as_assumed") if short else words.say("sure", "as_unlikely")
    return text + assumed_mark(short, words) if short else words.say("sure", "if_assumed", probability=text)


def names_text(names: tuple[str, ...], report: SampleReport, words: Wording) -> str:
    """Return the haplotypes that a chromosome can be; without certainty they carry a question mark."""
    if not names:
        return words.say("picture", "open_name")
    text = words.say("picture", "or").join(greek(name) for name in names)
    certain = report.genotype.diplotype is not None
    return (text if certain else f"{text} ?") + assumed_mark(report.genotype.assumed, words)


def _site_sentence(site: SiteReport, words: Wording) -> str:
    say = words.say
    if site.state == SiteState.PARTIAL_CALL and site.seen:
        return say("sure", "site_partial", rsid=site.rsid, allele=site.seen[0])
    if site.basis is None:
        return say("sure", "site_unused", rsid=site.rsid, state=say("state", site.state))
    by_record = site.basis == EvidenceKind.GQ and site.genotype_quality is None  # QUAL stood in for it
    basis = "record_quality" if by_record else site.basis
    told = say("basis", basis, quality=f"{site.genotype_quality or 0:g}", depth=site.depth)
    assumed = assumed_mark(site.state == SiteState.ASSUMED_REFERENCE, words)
    alleles = site.genotype or say("technical", "unknown")
    return say("sure", "site_called", rsid=site.rsid, alleles=alleles, basis=told, assumed=assumed)


def flag_message(flag: Flag, words: Wording, *, is_open: bool) -> str:
    """Return what a flag says; where the diplotype is open (`is_open`), without figures of a population."""
    if is_open and words.has("flag_open", flag.code):
        return words.say("flag_open", flag.code)
    mild = f"{flag.code}-info"
    key = mild if flag.severity == "info" and words.has("flag", mild) else flag.code
    values = {name: readable(name, value) for name, value in flag.values.items()}
    try:
        return printable(words.say("flag", key, **values), LONG)
    except ReferenceDataError:
        return printable(flag.message, LONG)
