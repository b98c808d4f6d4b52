"""Which classes the labels so far say little or nothing about: no fault of a label file, and worth knowing.

A class that nobody has labelled is not uncertain, so no round looks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from afray.api.job import SelectionJob
from afray.driver.labelling import Labels, load_known_labels
from afray.errors import IntegrityError, PoolError, StorageError
from afray.pool.findings import Finding, name_some

Known = Mapping[str, Mapping[str, str]]
"""Label by id of the files that a job knows beforehand, by the field that names the file."""


def name_known(labels: Labels) -> Known:
    """The known labels among those of a job."""
    files = {"spec.pool.labels": labels.pool, "spec.evaluation.labels": labels.heldout}
    return {field: found for field, found in files.items() if found is not None}


def read_known(job: SelectionJob) -> Known:
    """The same, read now. Raises what reading label files raises."""
    return name_known(load_known_labels(job))


def find_poor_of(labels: Mapping[str, str], job: SelectionJob) -> Iterator[Finding]:
    """The same as `find_poor` beside what a job knows; that it can not be looked up now is worth a note, no more."""
    known: Known = {}
    try:
        known = read_known(job)
    except (PoolError, StorageError, IntegrityError) as error:
        yield Finding(
            problem=f"the classes that are known beforehand can not be looked up ({error})",
            remedy="Whether some of them have no label is not told; nothing else is missing",
        )
    yield from find_poor(labels, known)


def find_poor(labels: Mapping[str, str], known: Known) -> Iterator[Finding]:
    """The same as `find_thin`, and whether the labels tell anything apart at all."""
    classes = set(labels.values())
    if len(classes) == 1:
        yield Finding(
            problem=f"all {len(labels)} labels are of one class ({classes.pop()!r})",
            remedy="A round then covers the pool without a model, and a finetune needs two classes; check the labels",
        )
    yield from find_thin(labels, known)


def find_thin(labels: Mapping[str, str], known: Known) -> Iterator[Finding]:
    """Classes with too few labels (by id, of all rounds so far), beside those that are known to exist."""
    counts = Counter(labels.values())
    for field, found in known.items():
        yield from _find_unlabelled(counts, field, sorted(set(found.values())))
    single = sorted(name for name, count in counts.items() if count == 1)
    if len(counts) > 1 and single:
        yield Finding(
            problem=f"{len(single)} of {len(counts)} classes have a single label: {name_some(single)}",
            remedy="How sure a model is of them cannot be tested: let the next round be larger",
        )


def _find_unlabelled(counts: Counter[str], field: str, classes: list[str]) -> Iterator[Finding]:
    without = [name for name in classes if name not in counts]
    if without:
        labels = counts.total()
        fewer = f"; there are fewer labels ({labels}) than classes" if labels < len(classes) else ""
        told = f"{len(without)} of the {len(classes)} classes of {field} have no label"
        yield Finding(
            problem=f"{told}: {name_some(without)}{fewer}",
            remedy="Nothing predicts a class without a label, and no round looks for it: let the next round be larger",
        )
