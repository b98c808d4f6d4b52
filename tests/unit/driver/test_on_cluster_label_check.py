from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.certificates import make_certificate

from afray.api.training import AnnotationsSpec
from afray.contract.progress import LabelsResult
from afray.driver.labelling import check_selected
from afray.driver.on_cluster.label_check import judge, read_selected_ids
from afray.errors import IntegrityError, PoolError
from afray.reporting import certificate as certificates
from afray.storage.store import Store

ASKED = [f"{number}.png" for number in range(20)]
NOTHING = hashlib.sha256(b"").hexdigest()


def write(folder: Path, labels: dict[str, str], *, header: str = "id,label") -> Path:
    path = folder / "answers.csv"
    path.write_text(f"{header}\n" + "".join(f"{row_id},{label}\n" for row_id, label in labels.items()))
    return path


def alternating(ids: list[str]) -> dict[str, str]:
    return {row_id: ("good", "bad")[number % 2] for number, row_id in enumerate(ids)}


def judged(path: Path, *, sha256: str | None = None) -> LabelsResult:
    file = AnnotationsSpec(uri=str(path), format="csv", sha256=sha256)
    return judge(file, ASKED, partial(check_selected, selected_ids=ASKED))


def test_a_file_that_answers_enough_is_accepted_by_its_digest(tmp_path: Path) -> None:
    path = write(tmp_path, alternating(ASKED[:19]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = LabelsResult(sha256=digest, accepted=True, answered=19, asked=20, unknown=0, classes=2)
    assert judged(path) == expected
    assert judged(path, sha256=digest) == expected


@pytest.mark.parametrize(
    ("labels", "counts", "why"),
    [
        (alternating(ASKED[:18]), (18, 0, 2), "18 of 20 selected rows are answered, 95% are needed"),
        (alternating([*ASKED, "99.png"]), (20, 1, 2), "1 of 21 ids are of no selected row: '99.png'"),
        (dict.fromkeys(ASKED, "good"), (20, 0, 1), "two classes are needed"),
        ({}, (0, 0, 0), "no labels in it"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_counts_and_a_reason(
    tmp_path: Path, labels: dict[str, str], counts: tuple[int, int, int], why: str
) -> None:
    found = judged(write(tmp_path, labels))
    assert not found.accepted
    assert (found.answered, found.unknown, found.classes) == counts
    assert why in found.message


def test_a_file_that_is_no_label_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, alternating(ASKED), header="name,class")
    found = judged(path)
    assert (found.accepted, found.answered) == (False, 0)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "id" in found.message


def test_a_file_that_is_not_there_is_refused_by_its_address(tmp_path: Path) -> None:
    found = judged(tmp_path / "nowhere.csv")
    assert (found.accepted, found.sha256) == (False, NOTHING)
    assert "nowhere.csv" in found.message


def test_a_file_with_another_digest_than_the_spec_names_is_refused(tmp_path: Path) -> None:
    found = judged(write(tmp_path, alternating(ASKED)), sha256="0" * 64)
    assert not found.accepted
    assert "its sha256 is" in found.message


@pytest.fixture
def output(tmp_path: Path) -> Store:
    """An output with a selection that its certificate names."""
    pq.write_table(pa.table({"id": ASKED, "rank": [*range(20)]}), tmp_path / "selection.parquet")
    digest = hashlib.sha256((tmp_path / "selection.parquet").read_bytes()).hexdigest()
    certificate = make_certificate().model_copy(update={"outputs": {"selection.parquet": digest}})
    (tmp_path / certificates.NAME).write_bytes(certificates.write(certificate))
    return Store.open(str(tmp_path))


def test_what_was_asked_for_is_read_from_the_selection(output: Store) -> None:
    assert read_selected_ids(output) == ASKED


def test_a_selection_that_somebody_changed_is_not_believed(output: Store) -> None:
    pq.write_table(pa.table({"id": ASKED[1:]}), Path(output.uri.removeprefix("file://")) / "selection.parquet")
    with pytest.raises(IntegrityError, match="not the file that the certificate names"):
        read_selected_ids(output)


def test_without_a_selection_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="no finished selection here"):
        read_selected_ids(Store.open(str(tmp_path)))
