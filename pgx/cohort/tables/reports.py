"""What people read of a cohort: its page, content for MultiQC, and reports/ with a file a sample."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from pgx import reference
from pgx.cohort.jobs import Failure, page_limits, text_digest
from pgx.cohort.results import MULTIQC_SAMPLES, PAGE, Asked, Sources, Wanted, names_of, reports
from pgx.cohort.store import State
from pgx.cohort.summary.statistics import population_label
from pgx.cohort.summary.strata import POPULATION
from pgx.cohort.summary.tally import QUALITY, SHOWN, Tally
from pgx.errors import NotFoundError, printable
from pgx.files import Staged, cannot_write, replacing, write_text
from pgx.options import Options, PageOptions, declared
from pgx.render import Format, cohort_page, plain_stem
from pgx.render.cohort_table import SampleTable
from pgx.render.form import Form
from pgx.render.tsv import cell_text, safe_cell, write_rows

FOLDER, INDEX = "reports", "index.tsv"
REPORTS_INDEX = f"{FOLDER}/{INDEX}"
#: What changed.tsv shows of a result as it was and as it is, and its columns but for `report`.
COMPARED_CELLS = ("diplotype", "e4_status", "diplotype_probability", "conclusion", "flags")
_WAS_AND_IS = [f"{name}_{when}" for name in COMPARED_CELLS for when in ("was", "is")]
CHANGED = ("checked", "sample", "input", "why", *_WAS_AND_IS)
NAMED_INPUTS = _NAMED_VALUES = 5  # of inputs and of values of an option, on a page
_SECRET = re.compile(r"(?<=://)[^/@\s]*@|(?<=\?)\S+")  # of a URL
_ENDINGS = tuple(ending for form in Format for ending in form.endings)
_OURS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # a name of an index that is ours to remove
#: Files of reports by the key of the input and the name of the sample; an input may hold a name twice.
Files = dict[tuple[str, str], deque[str]]


def write_page(
    staged: Staged,
    summary: Mapping[str, Any],
    tally: Tally,
    paths: Sequence[str],
    options: Set[Options],
    page: PageOptions,
    files: Sequence[str],
    asked: Asked,
) -> None:
    """Write the page and the content for MultiQC; a page for sharing names nobody, no file, no input."""
    write_json(staged, "pgx_mqc.json", cohort_page.multiqc(summary))
    if MULTIQC_SAMPLES in files:
        rows = tally.first((*QUALITY, *SHOWN), page_limits().multiqc_samples)
        write_json(staged, MULTIQC_SAMPLES, cohort_page.multiqc_samples(rows, results=page.sample_table))
    # without what a URL keeps secret
    inputs = () if page.min_cell else tuple(printable(_SECRET.sub("…", path), 1000) for path in paths)
    linked = ("summary.json", "pgx_mqc.json") if page.min_cell else files
    made = cohort_page.Made(
        when=reference.now(),
        command="" if _is_hidden(options, page) else _SECRET.sub("…", asked.command),
        options=_options(options, page),
        inputs=inputs,
        files=[name for name in linked if name != PAGE],
    )
    table = None
    if page.sample_table and tally.samples and not page.min_cell:
        more = {item.column: item.name for item in tally.dividing if item.column not in {*SHOWN, "input"}}
        cells = tally.first((*SHOWN, *more, "input", "report"), page_limits().max_table)
        cells[POPULATION] = [name and population_label(name) for name in cells[POPULATION]]
        rows_at_once = page_limits().static_rows
        table = SampleTable(cells=cells, more=more, samples=tally.samples, static_rows=rows_at_once)
    staged.path(PAGE).write_text(cohort_page.page(summary, made, table), encoding="utf-8")


def write_json(staged: Staged, name: str, value: object) -> None:
    """Write an object as JSON that people can read, too."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=1).decode()
    staged.path(name).write_text(f"{text}\n", encoding="utf-8")


def _is_hidden(own: Iterable[Options], page: PageOptions) -> bool:
    return page.min_cell > 0 or any(each.pseudonymise is not None for each in own)


def _options(own: Set[Options], page: PageOptions) -> list[tuple[str, tuple[str, ...]]]:
    """Return the options that are not as they are by default, and their values (of all inputs)."""
    # A path is told by its name only, and not at all for sharing or beside pseudonyms. A page for sharing
    # tells nothing that a row of a manifest may have: whether one person's differs would tell of that person.
    hide = _is_hidden(own, page)
    every = [(item, {getattr(options, item.name) for options in own}) for item in declared(Options)]
    every += [(item, {getattr(page, item.name)}) for item in declared(PageOptions)]
    shown = []
    for item, values in every:
        default = item.default() if item.is_factory else item.default
        default = dict(item.option.elsewhere).get("cohort", default)
        private = item.name == "samples" or (page.min_cell and item.option.row)
        if item.option.is_of("cohort") and not private and values - {default}:
            texts = sorted({population_label(_value_text(value, hide=hide)) for value in values})
            more = ["…"] if len(texts) > _NAMED_VALUES else []
            shown.append((item.flag, (*texts[:_NAMED_VALUES], *more)))
    return shown


def _value_text(value: object, *, hide: bool) -> str:
    if isinstance(value, Path):
        return "…" if hide else printable(value.name)
    if isinstance(value, tuple):
        return ", ".join(_value_text(part, hide=hide) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else printable(cell_text(value) if isinstance(value, float) else str(value))


def wanted_reports(form: str, names_file: Path | None = None) -> Wanted:
    """Return which reports are to be written, before hours are spent.

    What the format needs and is not installed is a `UsageError`, a file of names that cannot be read an
    `InputError`.
    """
    Format(form).check_installed()
    if names_file is None:
        return Wanted(form=form)
    try:
        text = names_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cure = "Give a text file, a name a line"
        raise NotFoundError("cannot be read", where=str(names_file), cure=cure) from error
    names = frozenset(line.strip() for line in text.splitlines() if line.strip())
    return Wanted(form=form, names=names)


def write_reports(state: State, shown: Sources, folder: Path, wanted: Wanted) -> tuple[Files, list[Failure]]:
    """Write the reports of the samples of `shown` into reports/; return their names there, and failures.

    A folder that cannot be written is an `OutputError`; a report that cannot be made keeps no other from it.
    """
    # Those of an earlier run that are not made again are removed: they may say what no longer holds. The
    # index comes first, so that a run that is killed leaves nothing that a later one would not know.
    target = folder / FOLDER
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    before = _before(target)
    foreign = {path.name.casefold() for path in target.iterdir()} - {name.casefold() for name in before}
    ending = Format(wanted.form).endings[0]
    files = _file_names(state, shown, wanted, ending, foreign)
    paths = {source.key: source.path for source in shown}
    each = ((name, *whose) for whose, names in files.items() for name in names)
    rows = {name: f"{name}\t{safe_cell(who)}\t{safe_cell(paths[key])}\n" for name, key, who in each}
    left = [f"{name}\t\t\n" for name in sorted(before - rows.keys())]
    head = "file\tsample\tinput\n"
    write_text(target / INDEX, "".join([head, *rows.values(), *left]))
    waiting = {whose: deque(names) for whose, names in files.items()}
    failures = []
    for item in reports(state, wanted.names):
        name = waiting[item.key, item.report.sample].popleft()
        meta = {} if item.meta is None else {item.report.sample: item.meta}
        try:
            data = Format(wanted.form).one(item.run, item.report, Form(meta=meta))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one report
            # not its message, which might hold a genotype
            what = f"no report of '{printable(item.report.sample)}' could be made ({type(error).__name__})"
            cure = "Try another format: pgx report DIR --sample NAME -f html"
            failures.append(Failure(input=item.run.input.path, error=what, cure=cure))
            files[item.key, item.report.sample].remove(name)
            del rows[name]
            continue
        with replacing(target / name) as temporary:
            temporary.write_bytes(data)
    for name in before - rows.keys():
        (target / name).unlink(missing_ok=True)
    write_text(target / INDEX, "".join([head, *rows.values()]))
    return {whose: names for whose, names in files.items() if names}, failures


def _before(target: Path) -> set[str]:
    try:
        lines = (target / INDEX).read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError):
        return set()
    names = {line.partition("\t")[0] for line in lines}
    return {name for name in names if _OURS.fullmatch(name) and name.endswith(_ENDINGS)}


def _file_names(state: State, shown: Sources, wanted: Wanted, ending: str, foreign: set[str]) -> Files:
    # Names that differ in case only count as the same, as they are on some systems.
    found, taken = defaultdict[tuple[str, str], deque[str]](deque), set(foreign)
    for source in shown:
        for sample in itertools.chain.from_iterable(names_of(state, source.key)):
            if wanted.names is not None and sample not in wanted.names:
                continue
            kept = stem = f"{plain_stem(sample) or 'sample'}.{text_digest(sample, source.path)[:8]}"
            number = 1
            while f"{stem}{ending}".casefold() in taken:  # an input under several options, or a name twice
                number += 1
                stem = f"{kept}.{number}"
            taken.add(f"{stem}{ending}".casefold())
            found[source.key, sample].append(stem + ending)
    return dict(found)


def changes_of(state: State) -> list[tuple[str, str, str]]:
    """Return who changed, but for those who are no longer part of the cohort; these are forgotten."""
    noted = state.changes()
    jobs: defaultdict[str, list[list[frozenset[str]]]] = defaultdict(list)
    for row in state.plan() if noted else ():
        named = [frozenset(map(safe_cell, names)) for names in (row.job.options.samples, row.job.without)]
        jobs[safe_cell(row.job.path)].append(named)
    kept = [
        (path, who, cells)
        for path, who, cells in noted
        if any(who in chosen if chosen else who not in without for chosen, without in jobs.get(path, ()))
    ]
    if kept != noted:
        state.set_changes(kept)
    return kept


def write_changes(changes: Sequence[tuple[str, str, str]], path: Path, shown: Sources, files: Files) -> None:
    """Write changed.tsv; the last column is the first report of the person, if there is one."""
    paths = {source.key: source.path for source in shown}
    reports_of = {  # by sample and input as tables have them
        (safe_cell(sample), safe_cell(paths[key])): f"{FOLDER}/{names[0]}"
        for (key, sample), names in files.items()
    }
    rows = ((*msgspec.json.decode(cells), reports_of.get((who, at), "")) for at, who, cells in changes)
    write_rows(path, (*CHANGED, "report"), rows)
