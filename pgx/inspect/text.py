"""An inspection as plain text at 80 columns. Everything from the file is made fit for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from pgx.errors import printable
from pgx.inspect.inspect import InspectedNeighbours, InspectedSample, InspectedSite, Inspection
from pgx.inspect.needs import Need
from pgx.observe import ReadSummary
from pgx.wording import wording

_WIDTH = 80


def as_text(found: Inspection) -> str:
    """Return the text, ending with a newline."""
    parts = [
        _section("file", _file_lines(found)),
        _section("assembly", _assembly_lines(found)),
        _section("samples", _sample_lines(found)),
        _section("needs", _need_lines(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _say(key: str, **values: object) -> str:
    return wording().say("inspect", key, **values)


def _section(key: str, lines: Iterable[str]) -> str:
    title = _say(f"heading-{key}")
    return "\n".join([title, "-" * len(title), *lines])


def _wrapped(text: str, indent: str = "", hang: str = "  ") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent) + hang,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _file_lines(found: Inspection) -> Iterator[str]:
    file = found.file
    yield _wrapped(_say("path", path=printable(file.path)))
    kind = _say("kind-blocks", kind=file.container) if file.reference_blocks else file.container
    size = _say("bytes", count=file.size) if file.size is not None else _say("no-size")
    yield _wrapped(_say("kind", kind=kind, compression=_say(f"compression-{file.compression}"), size=size))
    if file.kind == "copy-number":
        yield _wrapped(_say("copy-number"))
    if file.index is None:
        yield _wrapped(_say("index-none"))
    else:
        key = "index-stale" if file.index_is_stale else "index"
        yield _wrapped(_say(key, index=printable(file.index)))
    yield _wrapped(_say(f"access-{file.access}"))
    if file.unsorted:
        yield _wrapped(_say("unsorted"))
    yield from (_wrapped(printable(line)) for line in file.malformed_fields)


def _assembly_lines(found: Inspection) -> Iterator[str]:
    assembly = found.assembly
    if assembly.name is not None:
        yield _wrapped(_say("assembly", assembly=assembly.name))
    else:
        yield _wrapped(_say("assembly-open", problem=printable(assembly.problem or "", 400)))
    if not assembly.evidence:
        yield _wrapped(_say("no-clues"))
    for clue in assembly.evidence:
        yield _wrapped(
            _say(
                "clue", assembly=clue.assembly, kind=_say(f"clue-{clue.kind}"), detail=printable(clue.detail)
            ),
            indent="  - ",
            hang="",
        )


def _sample_lines(found: Inspection) -> Iterator[str]:
    names = ", ".join(printable(name, 60) for name in found.sample_names)
    more = "" if len(found.sample_names) == found.sample_count else ", ..."
    yield _wrapped(_say("samples", count=found.sample_count, names=names + more))
    for sample in found.samples:
        yield ""
        yield from _sites(sample, several=found.assembly.name is None)


def _sites(sample: InspectedSample, *, several: bool) -> Iterator[str]:
    yield printable(sample.sample, _WIDTH)
    if sample.reads is not None:
        yield from _reads(sample.reads)
    if not sample.sites:
        yield _wrapped(_say("no-sites"), indent="  ")
    if sample.neighbours is not None:
        yield _wrapped(_neighbours_line(sample.neighbours), indent="  ", hang="    ")
    for site in sample.sites:
        yield _wrapped(_site_line(site, several=several), indent="  ", hang="    ")
        for record in site.records:
            yield _wrapped(_say("record", record=record), indent="    ")
        for note in site.notes:
            yield _wrapped(printable(note, 400), indent="    ")


def _reads(reads: ReadSummary) -> Iterator[str]:
    """Yield what the reads of a sample hold, and what of them was not used."""
    depths = ", ".join(f"{rsid} {depth}" for rsid, depth in reads.depth.items())
    yield _wrapped(_say("reads", depths=depths, both=reads.templates_both), indent="  ", hang="    ")
    if reads.dropped:
        parts = [f"{_say(f'dropped-{reason}')} {count}" for reason, count in reads.dropped.items()]
        yield _wrapped(_say("dropped", list=", ".join(parts)), indent="  ", hang="    ")


def _neighbours_line(around: InspectedNeighbours) -> str:
    counted = _say("neighbours", known=around.known, positions=around.positions)
    if around.r2_e4 is None or around.determined is None:
        return f"{counted} {_say('neighbours-few' if around.known else 'neighbours-none')}"
    worth = _say("neighbours-worth", r2=f"{around.r2_e4:.2f}", determined=f"{100 * around.determined:.0f}")
    return f"{counted} {worth}"


def _site_line(site: InspectedSite, *, several: bool) -> str:
    place = f"{printable(site.contig, 40)}:{site.position}" if site.contig else str(site.position)
    where = _say("on-assembly", place=place, assembly=site.assembly) if several else place
    state = wording().say("state", site.state)
    if site.alleles is None:
        return _say("site", rsid=site.rsid, place=where, state=state)
    letters = ("|" if site.phased else "/").join(site.alleles)
    return _say("site-letters", rsid=site.rsid, place=where, state=state, letters=letters)


def _need_lines(found: Inspection) -> Iterator[str]:
    needed = [need for need in found.needs if not need.optional]
    if not needed:
        yield _wrapped(_say("no-needs"))
    shown = tuple(sample.sample for sample in found.samples)
    for need in needed:
        yield from _need(need, shown)
    helpful = [need for need in found.needs if need.optional]
    if helpful:
        yield ""
        yield _wrapped(_say("helpful"))
    for need in helpful:
        yield from _need(need, shown)


def _need(need: Need, shown: tuple[str, ...]) -> Iterator[str]:
    what = need.what
    if need.samples and need.samples != shown:
        names = ", ".join(printable(name, 60) for name in need.samples)
        what = _say("for-samples", what=what, names=names)
    yield _wrapped(what, indent="  - ", hang="")
    if need.command is not None:
        yield f"      {printable(need.command, 400)}"
