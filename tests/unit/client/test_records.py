"""A SelectionJob of an API server, parsed once; what a newer version holds is kept."""

from __future__ import annotations

import pytest
from helpers.job_records import DIGEST, RESULT, condition, job_object, job_record, status

from afray.client.faults import ClusterFault
from afray.client.records import JobRecord, presentable


def test_a_record_holds_what_the_command_line_reads() -> None:
    record = job_record("Succeeded", [condition("Complete", "True", "Succeeded")], result=RESULT)
    assert (record.name, record.namespace, record.uid, record.version) == ("welds", "plant", "uid-1", "7")
    assert (record.queue, record.suspend, record.deleting) == ("team-a", False, False)
    assert record.output == "s3://plant/out"
    assert record.status.result is not None
    assert record.status.result.digest == DIGEST


def test_a_job_without_a_status_is_one_that_nobody_has_seen() -> None:
    assert JobRecord.read(job_object()).status.phase is None


def test_a_job_of_a_newer_version_is_read_as_far_as_it_is_understood() -> None:
    newer = job_object(status("Dreaming", {"type": "Rested", "status": "True"}), spec={"dreams": {"of": "welds"}})
    record = JobRecord.read(newer)
    assert record.status.conditions == ()
    assert record.raw["spec"]["dreams"] == {"of": "welds"}  # type: ignore[index, call-overload]


def test_an_object_without_its_metadata_is_refused_by_its_field() -> None:
    with pytest.raises(ClusterFault, match=r"metadata\.uid"):
        JobRecord.read({"metadata": {"name": "welds", "namespace": "plant", "resourceVersion": "1"}})


def test_bookkeeping_is_not_shown() -> None:
    raw = job_object(metadata={"managedFields": [{"manager": "afray"}]})
    shown = presentable(raw)
    assert "managedFields" not in shown["metadata"]  # type: ignore[operator]
    assert shown["spec"] == raw["spec"]
    assert "managedFields" in raw["metadata"]
