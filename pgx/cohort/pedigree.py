"""Families: who contradicts Mendel's rules, and what all say together. Calls stay; it is never shared."""

from __future__ import annotations

import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from pgx.calling import diplotype_names, diplotypes
from pgx.cohort.known import Person
from pgx.cohort.manifest import are_parents, parent_in
from pgx.errors import NotFoundError, UsageError
from pgx.files import read_limited
from pgx.reference import limit
from pgx.render.tsv import write_rows

Floats = npt.NDArray[np.float64]
Parents = tuple[Person | None, Person | None]  # father and mother
_PED = "Write six columns: family, person, father, mother, sex, phenotype; 0 stands for nobody"


class Child(NamedTuple):
    """One line of a pedigree: names of samples, "" for nobody."""

    family: str
    sample: str
    father: str
    mother: str


class Member(Struct, frozen=True, kw_only=True):
    """One person of a family of two parents and their children: a row of families.tsv."""

    family: str
    role: str
    person: Person
    father: str = ""
    mother: str = ""
    verdict: str = ""  # of a child; "open" where it or both parents have no result
    joint: tuple[float, ...] | None  # posterior from the whole family; None where somebody contradicts
    explanation: tuple[str, ...] = ()  # whose samples would each explain a contradiction alone

    @property
    def joint_diplotype(self) -> str:
        """Return what the family determines; "" where it is not sure."""
        best = max(self.joint or (0.0,))
        if self.joint is None or best < self.person.min_probability:
            return ""
        return diplotype_names()[self.joint.index(best)]


def read_ped(path: Path) -> tuple[Child, ...]:
    """Return the lines of a PED file that name a parent. Raises `NotFoundError` and `UsageError`."""
    try:
        text = read_limited(path, int(limit("max_table"))).decode("utf-8-sig")
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise NotFoundError(what, where=str(path), cure="Check --ped") from error
    except UnicodeDecodeError as error:
        raise UsageError("is not text in UTF-8", where=str(path), cure=_PED) from error
    found: dict[str, Child] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or line.startswith("#"):
            continue
        kin = ["" if cell.strip() == "0" else cell.strip() for cell in cells[:2]]
        kin += map(parent_in, cells[2:4])
        wrong = ""
        if len(cells) < 4:
            wrong = f"has {len(cells)} columns"
        elif kin[1] in found:
            wrong = "names a person again"
        elif not are_parents(*kin[1:]):
            wrong = "names a person as their own parent, or one person as both parents"
        if wrong:
            raise UsageError(f"line {number} {wrong}", where=str(path), cure=_PED)
        found[kin[1]] = Child(*kin)
    return tuple(child for child in found.values() if child.father or child.mother)


@functools.cache
def _transmitted() -> Floats:
    """Return the probability of each diplotype of a child by those of both parents, shape (10, 10, 10)."""
    # both sites lie 138 bases apart, so a child has one whole haplotype of each parent
    pairs = diplotypes()
    places = {frozenset(pair): place for place, pair in enumerate(pairs)}
    table = np.zeros((len(pairs),) * 3)
    for (father, one), (mother, other) in itertools.product(enumerate(pairs), repeat=2):
        for haplotypes in itertools.product(one, other):
            table[father, mother, places[frozenset(haplotypes)]] += 0.25
    return table


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
        for member in _family(family, (people.get(father), people.get(mother)), own)
    ]


def _family(family: str, both: Parents, children: Sequence[Person]) -> Iterator[Member]:
    verdicts = [_verdict(both, child) for child in children]
    whole = "contradiction" not in verdicts
    joint = _joint(both, children) if whole else [None] * (2 + len(children))
    first, second = (parent.sample if parent else "" for parent in both)
    for role, person, own in zip(("father", "mother"), both, joint, strict=False):
        if person is not None:
            yield Member(family=family, role=role, person=person, joint=own)
    for child, own, verdict in zip(children, joint[2:], verdicts, strict=True):
        blamed: list[str] = []  # whose sample alone would explain a contradiction, the likeliest only
        if verdict == "contradiction":
            pairs = (both, both[::-1])
            fits = (one for one, other in pairs if not other or _verdict((None, other), child) != verdict)
            parents = [parent.sample for parent in fits if parent is not None]
            # a child that alone of several contradicts is likelier than a parent whom the others fit
            if len(verdicts) > 1:
                blamed = [child.sample] if verdicts.count(verdict) == 1 or not parents else parents
            else:
                blamed = [child.sample, *parents]
        found = Member(family=family, role="child", person=child, verdict=verdict, joint=own)
        yield replace(found, father=first, mother=second, explanation=tuple(blamed))


def _verdict(both: Parents, child: Person) -> str:
    """Return whether a child is consistent: a contradiction holds without any prior, too."""
    parents = [parent for parent in both if parent is not None]
    if not parents or child.is_silent or all(parent.is_silent for parent in parents):
        return "open"
    ways: tuple[Callable[[Person], npt.ArrayLike], ...] = (
        lambda person: person.posterior,
        lambda person: np.array(person.likelihood) / (sum(person.likelihood) or 1.0),
    )
    # a parent who is absent is chosen as fits best: any haplotype may be theirs
    absent = tuple(axis for axis, person in enumerate(both) if person is None)
    likely = 0.0
    for way in ways:  # the probability that these keep Mendel's rules, if they are independent
        left = (_transmitted() > 0).any(axis=absent).astype(np.float64)
        for person in (*parents, child):
            left = np.array(way(person)) @ left.reshape(len(diplotypes()), -1)
        likely = max(likely, float(np.ravel(left)[0]))
    return "contradiction" if likely <= 1 - child.min_probability else "consistent"


def _joint(both: Parents, children: Sequence[Person]) -> list[tuple[float, ...] | None]:
    """Return the posterior of father, mother and each child from all of them; None where they exclude it."""
    prior = np.array(next(person for person in both if person is not None).prior)
    first, second = (np.array(one.prior) * one.likelihood if one else prior for one in both)
    shown = [_transmitted() * child.likelihood for child in children]  # by father, mother and child
    chances = np.outer(first, second) * np.prod([each.sum(axis=2) for each in shown], axis=0)
    whole = float(chances.sum())
    found = [chances.sum(axis=1), chances.sum(axis=0)]
    for each in shown:
        own = each.sum(axis=2, keepdims=True)
        found.append((chances[:, :, None] * each / np.where(own > 0, own, 1)).sum(axis=(0, 1)))
    return [tuple((values / whole).tolist()) if whole else None for values in found]


def counts_of(members: Sequence[Member], stated: int) -> Mapping[str, int]:
    """Return the children that are stated, and of these compared; contradictions; people who are settled."""
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
