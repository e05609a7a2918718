"""How sure the call is: letters, probabilities, the second-best answer and what it would change.

Letters are those that were read: an unread letter is None and stays unknown, whatever the call deduced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from pgx.calling import E4_COPIES, E4Status
from pgx.errors import ReferenceDataError, printable
from pgx.genome import counted_haplotype, haplotypes
from pgx.observe import EvidenceKind, ReadSummary, SiteReport, SiteState
from pgx.render.form import LONG, Block, Kind, bullet, caption, paragraph
from pgx.report import Flag, Run, SampleReport, readable
from pgx.wording import Wording, greek, percent

_WORTH_SAYING = 1e-4
_TOLD_ELSEWHERE = frozenset(
    {
        "absent-site",
        "assumed-reference",
        "no-call",
        "no-genotype-quality",
        "partial-call",
        "low-quality",
        "minor",
        "no-reads",
    }
)
_NEGLIGIBLE = 1e-4
_CARRIED = 0.01  # beyond it a percentage would be that of the assumption, not of the file
_MOST_BARS = 4
#: A likelihood, relative to the best, from which on down a diplotype counts as unlikely.
EXCLUDING = 0.01
_CODES = (
    "reads-disagree",
    "stated-genotype",
    "consumer-array",
    "contamination",
    "damage",
    "one-site-inference",
    "imputed",
    "low-imputation-quality",
    "filtered-site",
    "ambiguous-phase",
    "prior-dependent",
    "rare-haplotype",
    "contradicting-quality",
    "neighbours-disagree",
)


#: Flags that say no more than the state of a site does.
_TOLD_BY_STATE = frozenset({"filtered-site", "low-certainty"})
#: Flags that say the same as a reason why something is not determined.
_REASON_OF = {"rare-haplotype": "rare-haplotype", "ambiguous-phase": "phase"}


class Chromosome(Struct, frozen=True, kw_only=True):
    """One chromosome: a letter a site or None, and the haplotypes it can be (ASCII); none where all are."""

    letters: tuple[str | None, str | None]
    names: tuple[str, ...]


class Chromosomes(Struct, frozen=True, kw_only=True):
    """Both chromosomes.

    certain
        The diplotype is determined.
    both_heterozygous
        Both sites are heterozygous, and the call could not tell the arrangement.
    assumed
        For each site: its letters were assumed.
    """

    pair: tuple[Chromosome, Chromosome]
    certain: bool
    both_heterozygous: bool
    assumed: tuple[bool, bool]


class Bar(Struct, frozen=True, kw_only=True):
    """One answer and its probability; `copies` for an answer on the number of ε4, else `diplotype`."""

    copies: int | None = None
    diplotype: str | None = None
    probability: float


def chromosomes(report: SampleReport) -> Chromosomes:
    """Return what is known of each chromosome."""
    first, second = report.sites
    genotype = report.genotype
    read = [_letters(site.alleles, site.seen) for site in (first, second)]
    mixed = [None not in pair and pair[0] != pair[1] for pair in read]
    unarranged = all(mixed) and genotype.diplotype is None
    if genotype.diplotype is not None:
        read = _arranged(read, genotype.diplotype)
    elif unarranged:
        read[1] = (None, None)
    pair = tuple(
        Chromosome(
            letters=(read[0][side], read[1][side]), names=_names((read[0][side], read[1][side]), report, side)
        )
        for side in (0, 1)
    )
    assumed = tuple(site.state == SiteState.ASSUMED_REFERENCE for site in (first, second))
    return Chromosomes(
        pair=(pair[0], pair[1]),
        certain=genotype.diplotype is not None,
        both_heterozygous=unarranged,
        assumed=(assumed[0], assumed[1]),
    )


_Pair = tuple[str | None, str | None]


def _letters(alleles: tuple[str, ...] | None, seen: tuple[str, ...]) -> _Pair:
    if alleles is not None and len(alleles) == 2:
        return alleles[0], alleles[1]
    return (seen[0], None) if len(seen) == 1 else (None, None)


def _arranged(read: list[_Pair], diplotype: str) -> list[_Pair]:
    """Lay the letters that were read on the chromosomes of a diplotype; unread ones stay unknown."""
    letters = {item.name: item.letters for item in haplotypes()}
    wanted = [letters[name] for name in diplotype.split("/")]
    return [pair if None in pair else (wanted[0][site], wanted[1][site]) for site, pair in enumerate(read)]


def _names(letters: _Pair, report: SampleReport, side: int) -> tuple[str, ...]:
    if report.genotype.diplotype is not None:
        return (report.genotype.diplotype.split("/")[side],)
    if letters == (None, None):
        return ()
    return tuple(
        item.name
        for item in haplotypes()
        if all(known is None or known == letter for known, letter in zip(letters, item.letters, strict=True))
    )


def bars(report: SampleReport) -> tuple[Bar, ...]:
    """Return the answers to draw: the copies of ε4, then the diplotypes that are not negligible."""
    genotype = report.genotype
    copies = [Bar(copies=int(count), probability=p) for count, p in genotype.e4_copies_posterior.items()]
    ranked = sorted(genotype.diplotype_posterior.items(), key=lambda item: -item[1])
    kept = [item for item in ranked if item[1] >= _NEGLIGIBLE][:_MOST_BARS]
    return (*copies, *(Bar(diplotype=name, probability=p) for name, p in kept))


def carries_counted(name: str) -> int:
    """Return how many copies of the counted haplotype a diplotype has."""
    return name.split("/").count(counted_haplotype())


def has_answer(report: SampleReport) -> bool:
    """Return whether a diplotype or a status is determined."""
    return report.genotype.diplotype is not None or report.genotype.e4_status != E4Status.INDETERMINATE


def caveats(report: SampleReport, words: Wording) -> list[str]:
    """Return one short sentence for each caveat of the answer; none where there is no answer."""
    populations = ", ".join(_leaving_open(report))
    told = [words.say("caveat", code, populations=populations) for code in caveat_codes(report)]
    others = dict.fromkeys(flag.code for flag in report.flags if flag.severity != "info")
    names = [
        words.say("flag_name", code)
        for code in others
        if code not in {*_CODES, *_TOLD_ELSEWHERE, *_TOLD_BY_STATE} and words.has("flag_name", code)
    ]
    if names and has_answer(report):
        told.append(words.say("caveat", "also", names="; ".join(names)))
    return told


def _leaving_open(report: SampleReport) -> list[str]:
    """Return the populations under whose haplotype frequencies the answer would be another, or none."""
    given = (report.genotype.diplotype, report.genotype.e4_status)
    other = report.genotype.by_population.items()
    return [name for name, result in other if (result.diplotype, result.e4_status) != given]


def distrusted_phase(report: SampleReport) -> str | None:
    """Return the rare diplotype that two phased sites spell, if their phase was not trusted; else None."""
    genotype = report.genotype
    if genotype.phase != "phased" or "phase" not in genotype.not_determined_because:
        return None
    return next(
        (flag.values.get("diplotype") for flag in report.flags if flag.code == "rare-haplotype"), None
    )


def caveat_codes(report: SampleReport) -> Iterator[str]:
    """Yield the flags that take from the weight of an answer; none where there is no answer."""
    for code in _CODES if has_answer(report) else ():
        used = code != "filtered-site" or any(
            site.basis is not None and site.filter not in {None, ".", "PASS"} for site in report.sites
        )
        told = _REASON_OF.get(code) in report.genotype.not_determined_because
        if used and not told and report.has_flag(code):
            yield code


def status_probability(report: SampleReport) -> float:
    """Return the probability of the ε4 status that is reported (not of an indeterminate one)."""
    genotype = report.genotype
    if genotype.e4_copies is not None:
        return genotype.e4_copies_posterior[str(genotype.e4_copies)]
    return genotype.e4_copies_posterior["1"] + genotype.e4_copies_posterior["2"]


def sure_blocks(run: Run, report: SampleReport, words: Wording) -> Iterable[Block]:
    """Yield both chromosomes, what each site says, and the probabilities."""
    yield Block(Kind.PICTURE, words.say("picture", "chromosomes"), name="chromosomes")
    yield from _chromosome_lines(report, words)
    yield from (bullet(_site_sentence(site, words)) for site in report.sites)
    if report.reads is not None:
        yield from _read_blocks(report, report.reads, words)
    if report.genotype.diplotype is not None:
        yield Block(Kind.PICTURE, words.say("picture", "posterior"), name="posterior")
        yield _bar_table(run, report, words)
        yield from _second_best(report, words)
    elif fitting := _fitting(report):
        yield paragraph(words.say("sure", "open", list=", ".join(map(greek, fitting))))
    if rests_on_assumption(report):
        yield paragraph(words.say("sure", "conditional_assumed"))
    for flag in report.flags:
        if flag.severity != "info" and flag.code not in _TOLD_ELSEWHERE:
            yield bullet(flag_message(flag, words, is_open=report.genotype.diplotype is None))


class ReadRow(Struct, frozen=True, kw_only=True):
    """Templates that show the same: a letter a site or None; `name` where both make a haplotype."""

    letters: tuple[str | None, str | None]
    name: str | None
    count: int


def read_rows(report: SampleReport) -> tuple[ReadRow, ...]:
    """Return the templates by what they show: those with both sites, then those with one."""
    if report.reads is None:
        return ()
    reads, rsids = report.reads, [site.rsid for site in report.sites]
    rows = [
        ReadRow(letters=item.letters, name=item.name, count=reads.haplotypes.get("".join(item.letters), 0))
        for item in haplotypes()
    ]
    for site, rsid in enumerate(rsids):
        for letter, count in reads.letters[rsid].items():
            alone = count - sum(row.count for row in rows if row.name and row.letters[site] == letter)
            rows.append(
                ReadRow(letters=(letter, None) if site == 0 else (None, letter), name=None, count=alone)
            )
    return tuple(row for row in rows if row.count or row.name)


def read_name(row: ReadRow, words: Wording) -> str:
    """Return what the templates of a row show together."""
    return greek(row.name) if row.name else words.say("picture", "one_site")


def read_sentence(report: SampleReport, reads: ReadSummary, words: Wording) -> str:
    """Return how many reads lie at each site, and how many templates hold both."""
    first, second = (site.rsid for site in report.sites)
    counts = {"at_first": reads.depth[first], "at_second": reads.depth[second]}
    both = "reads_both" if reads.templates_both else "reads_not_both"
    told = words.say("sure", "reads", first=first, second=second, **counts)
    return f"{told} {words.say('sure', both, count=reads.templates_both)}"


def _read_blocks(report: SampleReport, reads: ReadSummary, words: Wording) -> Iterable[Block]:
    """Yield what the reads hold, as a picture and as a table."""
    say = words.say
    first, second = (site.rsid for site in report.sites)
    yield bullet(read_sentence(report, reads, words))
    if report.genotype.source == "file+reads":
        key = "reads_decided" if reads.decided else "reads_phase"
        yield bullet(say("sure", key, sites=say("result", "and").join(reads.decided)))
    if not any(reads.depth.values()):
        return
    yield Block(Kind.PICTURE, say("picture", "reads"), name="reads")
    rows: list[tuple[str, ...]] = [
        (first, second, say("picture", "reads_haplotype"), say("picture", "reads_count"))
    ]
    rows += [
        (
            *(letter or say("picture", "not_covered") for letter in row.letters),
            read_name(row, words),
            str(row.count),
        )
        for row in read_rows(report)
    ]
    yield Block(Kind.TABLE, say("picture", "reads"), rows=tuple(rows), name="reads")


def _chromosome_lines(report: SampleReport, words: Wording) -> Iterable[Block]:
    """Yield the picture as a table, and what it cannot show."""
    drawn = chromosomes(report)
    say = words.say
    first, second = report.sites
    rows: list[tuple[str, ...]] = [
        (say("picture", "chromosome"), first.rsid, second.rsid, say("picture", "haplotype"))
    ]
    for number, one in enumerate(drawn.pair, start=1):
        cells = [
            letter_text(letter, assumed=assumed, words=words)
            for letter, assumed in zip(one.letters, drawn.assumed, strict=True)
        ]
        rows.append((str(number), *cells, names_text(one.names, report, words)))
    yield Block(Kind.TABLE, say("picture", "chromosomes"), rows=tuple(rows), name="chromosomes")
    if drawn.both_heterozygous:
        yield caption(say("picture", "both_ways"))
    elif drawn.certain:
        yield caption(say("picture", "arranged"))
    elif any(one.names for one in drawn.pair):
        yield caption(say("picture", "as_read"))


def letter_text(letter: str | None, *, assumed: bool, words: Wording) -> str:
    """Return a letter as a cell: unknown and assumed ones say so."""
    if letter is None:
        return words.say("picture", "unknown")
    return letter + (words.say("result", "assumed_mark") if assumed else "")


def assumed_mark(assumed: bool, words: Wording) -> str:
    """Return the mark of everything that rests on assumed letters, else nothing."""
    return words.say("result", "assumed_mark") if assumed else ""


def weak_sites(report: SampleReport) -> list[str]:
    """Return the sites at which a surer genotype would settle the answer; both where none is named."""
    named = next((flag.values.get("sites") for flag in report.flags if flag.code == "low-certainty"), None)
    return named.split(", ") if named else [site.rsid for site in report.sites]


def unstated_sites(report: SampleReport) -> list[str]:
    """Return the rsIDs of the sites of whose genotype the file states no quality."""
    if not report.has_flag("no-genotype-quality"):
        return []
    return [site.rsid for site in report.sites if site.basis == EvidenceKind.GT]


def rests_on_assumption(report: SampleReport) -> bool:
    """Return whether letters, or how sure they are, were assumed: no percentage may then stand alone."""
    return report.genotype.assumed or any(site.basis == EvidenceKind.GT for site in report.sites)


def told_chance(words: Wording, probability: float, report: SampleReport) -> str:
    """Return a probability as it may be told: near 0 and 1 an assumption carries no percentage."""
    text = percent(probability)
    if not rests_on_assumption(report):
        return text
    if probability >= 1 - _CARRIED:
        return words.say("sure", "as_sure")
    if probability <= _CARRIED:
        return words.say("sure", "as_unlikely")
    return words.say("sure", "if_assumed", probability=text)


def short_chance(words: Wording, probability: float, report: SampleReport) -> str:
    """Return a probability as there is room for it beside a bar."""
    text = percent(probability)
    if not rests_on_assumption(report):
        return text
    if _CARRIED < probability < 1 - _CARRIED:
        return text + words.say("result", "assumed_mark")
    return (
        words.say("picture", "as_assumed")
        if probability > _CARRIED
        else words.say("picture", "not_as_assumed")
    )


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
    joint = "|" if site.phased else "/"
    alleles = joint.join(site.alleles) if site.alleles else say("technical", "unknown")
    basis = _basis(site, site.basis, words)
    assumed = say("result", "assumed_mark") if site.state == SiteState.ASSUMED_REFERENCE else ""
    return say("sure", "site_called", rsid=site.rsid, alleles=alleles, basis=basis, assumed=assumed)


def _basis(site: SiteReport, basis: str, words: Wording) -> str:
    if basis == "GQ" and site.genotype_quality is None:  # QUAL stood in for it
        return words.say("basis", "record_quality")
    return words.say("basis", basis, quality=f"{site.genotype_quality or 0:g}", depth=site.depth)


def _second_best(report: SampleReport, words: Wording) -> Iterable[Block]:
    """Yield what the second most probable diplotype would mean, where it is worth a word."""
    ranked = sorted(report.genotype.diplotype_posterior.items(), key=lambda item: -item[1])
    name, probability = ranked[1]
    if probability >= _WORTH_SAYING:
        copies = carries_counted(name)
        status = words.say("status", next(key for key, count in E4_COPIES.items() if count == copies))
        yield paragraph(words.say("sure", "second", diplotype=greek(name), status=status))


def _fitting(report: SampleReport) -> list[str]:
    """Return the diplotypes that the letters leave possible; none where no letter was read."""
    if all(site.basis is None and not site.seen for site in report.sites):
        return []
    return [
        row.diplotype
        for row in report.genotype.calculation
        if row.phase_factor > EXCLUDING and all(value > EXCLUDING for value in row.likelihood.values())
    ]


def bar_name(bar: Bar, words: Wording) -> str:
    """Return what a bar stands for."""
    if bar.diplotype is not None:
        return greek(bar.diplotype)
    return words.say("picture", f"copies_{bar.copies}")


def _bar_table(run: Run, report: SampleReport, words: Wording) -> Block:
    rows = [(words.say("picture", "answer"), words.say("picture", "probability"))]
    rows += [(bar_name(bar, words), told_chance(words, bar.probability, report)) for bar in bars(report)]
    threshold = percent(run.parameters.min_probability)
    caption = words.say("picture", "threshold_text", threshold=threshold)
    return Block(Kind.TABLE, caption, rows=tuple(rows), name="posterior")


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
