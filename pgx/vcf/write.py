"""The input again as VCF or BCF, as htslib prints it, with the answers in FORMAT fields of their own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pysam
import pysam.bcftools
import pysam.utils

from pgx.errors import UsageError, printable
from pgx.files import STANDARD_OUTPUT, Staged, is_replaceable, replacing, write
from pgx.genome import find_assembly, sites_on
from pgx.report import Run, SampleReport
from pgx.vcf.open import Bounds
from pgx.vcf.read import Input, opened
from pgx.vcf.records import Decoder
from pgx.vcf.scan import is_wanted

if TYPE_CHECKING:
    from pgx.pseudonyms import Pseudonyms

_FIELDS = (
    ("PGX_DT", "String", "APOE diplotype; missing where it is not determined"),
    ("PGX_PR", "Float", "Probability of the most probable APOE diplotype"),
    ("PGX_ST", "String", "APOE e4 status; indeterminate does not mean non-carrier"),
    ("PGX_E4", "Integer", "Copies of APOE e4; missing where they are not determined"),
    ("PGX_AS", "Integer", "1 where the answer rests on letters that were assumed, not read"),
)
_KEYS = [name for name, _, _ in _FIELDS]
_STALE_COUNTS = frozenset({"AC", "AN", "AF", "NS", "MAF", "AC_Het", "AC_Hom", "AC_Hemi"})


def write_vcf(
    path: str,
    run: Run,
    reports: Sequence[SampleReport],
    output: str,
    *,
    all_records: bool = False,
    bounds: Bounds | None = None,
    hide: Pseudonyms | None = None,
) -> None:
    """Write the records of `path` at the sites, or all of them, with the answers of `reports`.

    The kind follows the ending of `output`: .vcf.gz is bgzip with an index, .bcf has one too. `reports` have
    the names that `hide` gives to the samples. Standard input, which cannot be read twice, is a `UsageError`.
    """
    check_readable_twice(path)
    with opened(path, bounds) as door:
        lines = _lines(door, run, reports, all_records=all_records, hide=hide)
        if output == STANDARD_OUTPUT or _kind(Path(output)) == ".vcf":
            write(lines, output)
        else:
            _write_packed(lines, Path(output))


def check_readable_twice(path: str) -> None:
    """Refuse standard input, which cannot be read again for its records, with a `UsageError`."""
    if path == STANDARD_OUTPUT:
        what = "vcf reads the input twice, and standard input can be read once"
        raise UsageError(what, where="-f vcf", cure="Save the input as a file")


def _lines(
    door: Input, run: Run, reports: Sequence[SampleReport], *, all_records: bool, hide: Pseudonyms | None
) -> Iterator[str]:
    decoder = Decoder(door.header, door.label)
    names = frozenset(door.header.samples)
    shown = door.header.samples if hide is None else map(hide.name, door.header.samples)
    columns = {name: number for number, name in enumerate(shown)}
    chosen = [columns[report.sample] for report in reports]
    yield _header(str(decoder.header), run, reports, hide)
    answers = list(map(_answers, reports))
    whole = len(chosen) == len(columns)
    first, second = (site.position - 1 for site in sites_on(find_assembly(run.input.assembly)))

    def at_site(record: pysam.VariantRecord) -> bool:
        start, stop = record.start, record.stop
        return (start <= first < stop or start <= second < stop) and is_wanted(str(record.chrom))

    if all_records:
        records = decoder.stream(door.rest, door.limits)
    else:
        records = (record for _, record in decoder.lines(door.select().rows) if at_site(record))
    for record in records:
        fields = str(record).rstrip("\n").split("\t")
        if not whole and len(fields) > 8:  # counts over samples that are no longer there
            kept = (one for one in fields[7].split(";") if one.partition("=")[0] not in _STALE_COUNTS)
            fields[7] = ";".join(kept) or "."
        if len(fields) > 9:
            fields[9:] = [fields[9 + column] for column in chosen]
            if at_site(record):
                _add(fields, answers)
        line = "\t".join(fields)
        yield (line if hide is None else hide.record(line, names)) + "\n"
    door.raw.check_unchanged()  # before the output takes its place


def _answers(report: SampleReport) -> tuple[str, ...]:
    genotype = report.genotype
    return (
        genotype.diplotype or ".",
        f"{genotype.diplotype_probability:.10g}",
        genotype.e4_status,
        "." if genotype.e4_copies is None else str(genotype.e4_copies),
        str(int(genotype.assumed)),
    )


def _add(fields: list[str], answers: Sequence[tuple[str, ...]]) -> None:
    # answers of an earlier run are replaced
    keys = [] if fields[8] in {".", ""} else fields[8].split(":")
    kept = [number for number, key in enumerate(keys) if key not in _KEYS]
    fields[8] = ":".join([*(keys[number] for number in kept), *_KEYS])
    for column, answer in enumerate(answers, start=9):
        values = dict(enumerate(fields[column].split(":")))
        fields[column] = ":".join([*(values.get(number, ".") for number in kept), *answer])


def _header(text: str, run: Run, reports: Sequence[SampleReport], hide: Pseudonyms | None) -> str:
    lines = [re.sub(r",IDX=\d+", "", line) for line in text.splitlines()]
    kept = [line for line in lines[:-1] if not line.startswith(("##FORMAT=<ID=PGX_", "##pgx_"))]
    kept = kept if hide is None else hide.header(kept)
    fixed = "\t".join([*lines[-1].split("\t")[:9], *(report.sample for report in reports)])
    own = [f'##FORMAT=<ID={name},Number=1,Type={kind},Description="{text}">' for name, kind, text in _FIELDS]
    own += [
        f"##pgx_version={run.tool.version}",
        f"##pgx_reference={run.reference.release} {run.reference.digest}",
        f"##pgx_created={run.created}",
        f"##pgx_assembly={run.input.assembly}",
        f"##pgx_absent_sites={run.parameters.absent_sites}",
    ]
    for number, report in enumerate(reports, start=1):
        misplaced = any(flag.code == "rsid-mismatch" and flag.severity == "critical" for flag in report.flags)
        if misplaced or all(site.record is None for site in report.sites):  # no record can carry the answer
            diplotype, probability, status, copies, assumed = _answers(report)
            name = printable(report.sample).replace("\\", "\\\\").replace('"', '\\"')
            own.append(
                f'##pgx_sample=<ID=S{number},Name="{name}",Records=0,Diplotype={diplotype},'
                f"Probability={probability},Status={status},Copies={copies},Assumed={assumed}>"
            )
    return "\n".join([*kept, *own, fixed]) + "\n"


def _write_packed(lines: Iterable[str], path: Path) -> None:
    """Write the data and its index, which take their places together; a pipe or a device has no index."""
    kind = _kind(path)
    if not is_replaceable(path):
        with replacing(path) as target, tempfile.TemporaryDirectory() as folder:
            target.write_bytes(_made(lines, Path(folder), kind).read_bytes())
        return
    with Staged(path.parent) as staged:
        target = staged.path(path.name)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pgx.") as folder:
            made = _made(lines, Path(folder), kind)
            index = _index(made, kind)
            made.replace(target)
            if index is not None:
                index.replace(staged.path(f"{path.name}{index.suffix}"))
    for old in {".tbi", ".csi"} - ({index.suffix} if index else set()):
        Path(f"{path}{old}").unlink(missing_ok=True)


def _kind(path: Path) -> str:
    return next((end for end in (".vcf.gz", ".bcf") if path.name.lower().endswith(end)), ".vcf")


def _made(lines: Iterable[str], folder: Path, kind: str) -> Path:
    made = folder / f"out{kind}"
    if kind == ".vcf.gz":
        with pysam.BGZFile(str(made), "wb", None) as packed:
            for line in lines:
                packed.write(line.encode())
        return made
    plain = folder / "out.vcf"
    with plain.open("w", encoding="utf-8", newline="") as handle:
        handle.writelines(lines)
    with pysam.VariantFile(str(plain)) as old, pysam.VariantFile(str(made), "wb", header=old.header) as new:
        for record in old:
            new.write(record)
    return made


def _index(made: Path, kind: str) -> Path | None:
    """Index a packed file; one whose records are out of order has none."""
    try:
        if kind == ".bcf":
            pysam.bcftools.index("-f", "-c", str(made))
        else:
            pysam.tabix_index(str(made), preset="vcf", force=True)
    except (OSError, ValueError, pysam.utils.SamtoolsError):
        return None
    return next((found for end in (".tbi", ".csi") if (found := Path(f"{made}{end}")).is_file()), None)
