"""Families: who contradicts Mendel's rules, and what parents and children together say of each of them.

Calls stay as they are. Both sites lie 138 bases apart, so a child has one whole haplotype of each parent.
The files of this module name people; they are no part of a page that is shared.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from pgx.calling import diplotype_names, diplotypes
from pgx.cohort.known import Person
from pgx.cohort.manifest import are_parents
from pgx.errors import NotFoundError, UsageError
from pgx.files import read_limited
from pgx.reference import limit
from pgx.render.tsv import write_rows

FAMILIES_FILE = "families.tsv"
Vector = Sequence[float]
_PED = "Write six columns: family, person, father, mother, sex, phenotype; 0 stands for nobody"


class Child(Struct, frozen=True, kw_only=True):
    """One line of a pedigree: names of samples, "" for nobody."""

    family: str
    sample: str
    father: str
    mother: str


class Member(Struct, frozen=True, kw_only=True):
    """One person of a family of two parents and their children: a row of families.tsv.

    Attributes
    ----------
    verdict
        Of a child: "consistent", "contradiction", or "open" where it or both parents have no result.
    joint
        Posterior of the ten diplotypes from the whole family; None where somebody contradicts.
    explanation
        Of a contradiction: whose sample would explain it alone.
    """

    family: str
    role: str
    person: Person
    father: str
    mother: str
    verdict: str
    joint: tuple[float, ...] | None
    explanation: tuple[str, ...]

    @property
    def joint_diplotype(self) -> str:
        """Return what the family determines; "" where it is not sure."""
        best = max(self.joint or (0.0,))
        if self.joint is None or best < self.person.min_probability:
            return ""
        return diplotype_names()[self.joint.index(best)]


def read_ped(path: Path) -> tuple[Child, ...]:
    """Return the lines of a PED file that name a parent.

    Raises
    ------
    NotFoundError, UsageError
        It cannot be read, a line has too few columns, names a person again, or parents that cannot be.
    """
    try:
        text = read_limited(path, int(limit("max_table"))).decode("utf-8-sig")
    except OSError as error:
        raise NotFoundError(
            f"cannot be read ({error.strerror})", where=str(path), cure="Check --ped"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError("is not text in UTF-8", where=str(path), cure=_PED) from error
    found: dict[str, Child] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or line.startswith("#"):
            continue
        if len(cells) < 4:
            raise UsageError(f"line {number} has {len(cells)} columns", where=str(path), cure=_PED)
        family, sample, father, mother = ("" if cell.strip() == "0" else cell.strip() for cell in cells[:4])
        if sample in found:
            raise UsageError(f"line {number} names a person again", where=str(path), cure=_PED)
        if not are_parents(sample, father, mother):
            what = f"line {number} names a person as their own parent, or one person as both parents"
            raise UsageError(what, where=str(path), cure=_PED)
        found[sample] = Child(family=family, sample=sample, father=father, mother=mother)
    return tuple(child for child in found.values() if child.father or child.mother)


def names_in(children: Sequence[Child]) -> frozenset[str]:
    """Return everybody whom a pedigree names."""
    return frozenset(name for each in children for name in (each.sample, each.father, each.mother) if name)


@functools.cache
def _transmitted() -> tuple[tuple[tuple[float, ...], ...], ...]:
    """Return the probability of each diplotype of a child by those of both parents."""
    pairs = diplotypes()
    places = {frozenset(pair): place for place, pair in enumerate(pairs)}
    table = [[[0.0] * len(pairs) for _ in pairs] for _ in pairs]
    for father, one in enumerate(pairs):
        for mother, other in enumerate(pairs):
            for own in one:
                for more in other:
                    table[father][mother][places[frozenset((own, more))]] += 0.25
    return tuple(tuple(map(tuple, rows)) for rows in table)


def families(children: Sequence[Child], found: Sequence[Person]) -> list[Member]:
    """Return parents and children of whom at least two are in the cohort, family by family."""
    times = Counter(person.sample for person in found)
    people = {person.sample: person for person in found if times[person.sample] == 1}
    groups: defaultdict[tuple[str, str, str], list[Person]] = defaultdict(list)
    for child in children:
        can_be = are_parents(child.sample, child.father, child.mother)
        if can_be and child.sample in people and (child.father in people or child.mother in people):
            groups[child.family, child.father, child.mother].append(people[child.sample])
    return [
        member
        for (family, father, mother), own in groups.items()
        for member in _family(family, people.get(father), people.get(mother), own)
    ]


def _family(
    family: str, father: Person | None, mother: Person | None, children: Sequence[Person]
) -> Iterator[Member]:
    verdicts = [_verdict(father, mother, child) for child in children]
    whole = "contradiction" not in verdicts
    joint = _joint(father, mother, children) if whole else [None] * (2 + len(children))
    roles = ["father", "mother", *["child"] * len(children)]
    names = [parent.sample if parent else "" for parent in (father, mother)]
    for role, person, own, verdict in zip(
        roles, (father, mother, *children), joint, ["", "", *verdicts], strict=True
    ):
        if person is not None:
            is_child = role == "child"
            yield Member(
                family=family,
                role=role,
                person=person,
                father=names[0] if is_child else "",
                mother=names[1] if is_child else "",
                verdict=verdict,
                joint=own,
                explanation=_explained(father, mother, person, verdicts)
                if verdict == "contradiction"
                else (),
            )


def _consistent(father: Vector | None, mother: Vector | None, child: Vector) -> float:
    """Return the probability that independent diplotypes keep Mendel's rules; None allows any parent."""
    nothing = [1 / len(child)] * len(child)
    total = 0.0
    for one, rows in enumerate(_transmitted()):
        for other, shares in enumerate(rows):
            weight = (father or nothing)[one] * (mother or nothing)[other]
            if weight:
                total += weight * sum(p for p, share in zip(child, shares, strict=True) if share)
    return total


def _possible(father: Vector | None, mother: Vector | None, child: Vector) -> float:
    """Return `_consistent` with a parent who is absent chosen as fits best: any haplotype may be theirs."""
    if father is not None and mother is not None:
        return _consistent(father, mother, child)
    known = father or mother or ()
    pairs = diplotypes()
    return sum(
        p * q
        for p, one in zip(known, pairs, strict=True)
        for q, other in zip(child, pairs, strict=True)
        if set(one) & set(other)
    )


def _called(person: Person | None) -> Vector | None:
    return None if person is None else person.posterior


def _without_prior(person: Person | None) -> Vector | None:
    if person is None:
        return None
    total = sum(person.likelihood) or 1.0
    return [value / total for value in person.likelihood]


def _verdict(father: Person | None, mother: Person | None, child: Person) -> str:
    """Return whether a child is consistent: a contradiction holds without any prior, too."""
    parents = [parent for parent in (father, mother) if parent is not None]
    if not parents or child.is_silent or all(parent.is_silent for parent in parents):
        return "open"
    likely = max(_possible(own(father), own(mother), own(child) or ()) for own in (_called, _without_prior))
    return "contradiction" if likely <= 1 - child.min_probability else "consistent"


def _explained(
    father: Person | None, mother: Person | None, child: Person, verdicts: Sequence[str]
) -> tuple[str, ...]:
    """Return whose sample alone would explain a contradiction, the likeliest only.

    A child that alone of several contradicts is likelier than a parent whom the others fit.
    """
    alone = len(verdicts) > 1 and verdicts.count("contradiction") == 1
    if alone:
        return (child.sample,)
    found = [child.sample]
    for own, other in ((father, mother), (mother, father)):
        if own is not None and (other is None or _verdict(None, other, child) != "contradiction"):
            found.append(own.sample)
    return tuple(found[1:] if len(verdicts) > 1 and len(found) > 1 else found)


def _joint(
    father: Person | None, mother: Person | None, children: Sequence[Person]
) -> list[tuple[float, ...] | None]:
    """Return the posterior of father, mother and each child from all of them; None for who is absent."""
    prior = next(person for person in (father, mother) if person is not None).prior
    first, second = (
        [p * value for p, value in zip(parent.prior, parent.likelihood, strict=True)] if parent else prior
        for parent in (father, mother)
    )
    size = range(len(prior))
    sums: list[list[float]] = [[0.0] * len(prior) for _ in range(2 + len(children))]
    for one, rows in enumerate(_transmitted()):
        for other, shares in enumerate(rows):
            own = [[shares[c] * child.likelihood[c] for c in size] for child in children]
            totals = [sum(values) for values in own]
            weight = first[one] * second[other]
            for total in totals:
                weight *= total
            if not weight:
                continue
            sums[0][one] += weight
            sums[1][other] += weight
            for place, (values, total) in enumerate(zip(own, totals, strict=True), start=2):
                for c in size:
                    sums[place][c] += weight * values[c] / total
    whole = sum(sums[0])
    present = [father is not None, mother is not None, *[True] * len(children)]
    return [
        tuple(value / whole for value in values) if there and whole else None
        for values, there in zip(sums, present, strict=True)
    ]


def counts_of(members: Sequence[Member], stated: int) -> Mapping[str, int]:
    """Return what summary.json says.

    Children that are stated, and of these compared; contradictions; people whom a family settles.
    """
    verdicts = Counter(member.verdict for member in members if member.verdict)
    return {
        "stated": stated,
        "children": sum(verdicts.values()),
        "contradictions": verdicts["contradiction"],
        "settled": sum(bool(m.joint_diplotype) and m.person.diplotype is None for m in members),
    }


def write_families(members: Iterable[Member], path: Path, words: str) -> None:
    """Write families.tsv; `words` say what a contradiction is, and never why."""
    columns = (
        *("family", "sample", "role", "father", "mother", "verdict", "diplotype", "diplotype_probability"),
        *("joint_diplotype", "joint_best", "joint_probability", "note", "look_at"),
    )
    rows = []
    for member in members:
        person, best = member.person, max(member.joint or (0.0,))
        kin = (member.family, person.sample, member.role, member.father, member.mother, member.verdict)
        joint = (diplotype_names()[member.joint.index(best)], best) if member.joint else (None, None)
        note = words if member.verdict == "contradiction" else None
        called = (person.diplotype, max(person.posterior), member.joint_diplotype)
        rows.append((*kin, *called, *joint, note, " or ".join(member.explanation)))
    write_rows(path, columns, rows)
