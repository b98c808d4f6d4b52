from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import JsonValue

from afray.errors import Fenced, IntegrityError
from afray.storage.commits import Blob, commit, committed, read_blob
from afray.storage.store import Store


@dataclass(frozen=True)
class FenceOf:
    """A fence that is open, or was closed by a newer epoch."""

    epoch: int
    is_open: bool = True

    def check(self) -> None:
        if not self.is_open:
            raise Fenced("a newer driver took over")


FIRST = FenceOf(1)


def test_a_result_is_read_back_with_its_facts(store: Store) -> None:
    payload = {"vectors": bytes(range(256)) * 999, "rows": b""}
    facts: dict[str, JsonValue] = {"rows": 3, "device": "cpu", "nested": {"a": [1, None, 2.5]}, "ü": "é"}
    written = commit(store, "embed/part-00000", payload, facts, fence=FIRST)
    assert committed(store, "embed/part-00000") == written
    assert written.facts == facts
    assert {role: read_blob(store, blob) for role, blob in written.blobs.items()} == payload


def test_the_record_is_canonical_and_names_everything(store: Store) -> None:
    commit(store, "part", {"b": b"1", "a": b"22"}, {"z": 1, "y": "ü"}, fence=FenceOf(7))
    blobs = [
        ("a", "part.7.a", hashlib.sha256(b"22").hexdigest(), 2),
        ("b", "part.7.b", hashlib.sha256(b"1").hexdigest(), 1),
    ]
    record = {
        "blobs": {role: {"key": key, "sha256": sha256, "size": size} for role, key, sha256, size in blobs},
        "epoch": 7,
        "facts": {"y": "ü", "z": 1},
        "name": "part",
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    assert store.read("part.ok") == text.encode() + b"\n"


def test_nothing_is_committed_before_its_record_exists(store: Store) -> None:
    store.create("part.1.vectors", b"left by a killed writer")
    assert committed(store, "part") is None


def test_the_first_writer_wins_and_the_second_gets_its_result(store: Store) -> None:
    first = commit(store, "part", {"a": b"first"}, {"by": 1}, fence=FIRST)
    second = commit(store, "part", {"a": b"second"}, {"by": 2}, fence=FenceOf(2))
    assert second == first
    assert read_blob(store, second.blobs["a"]) == b"first"


def test_sixteen_writers_at_once_agree_on_one_result(store: Store) -> None:
    def write(number: int) -> str:
        result = commit(store, "part", {"a": str(number).encode()}, {"by": number}, fence=FIRST)
        return read_blob(store, result.blobs["a"]).decode() + f" by {result.facts['by']}"

    with ThreadPoolExecutor(16) as threads:
        outcomes = set(threads.map(write, range(16)))
    assert len(outcomes) == 1
    content, _, writer = outcomes.pop().partition(" by ")
    assert content == writer


def test_a_writer_of_the_same_epoch_cannot_vouch_for_bytes_that_a_dead_one_left(store: Store) -> None:
    store.create("part.1.vectors", b"from another device")
    result = commit(store, "part", {"vectors": b"from this device"}, {}, fence=FIRST)
    assert read_blob(store, result.blobs["vectors"]) == b"from this device"


def test_equal_bytes_that_a_dead_writer_left_are_used(store: Store) -> None:
    store.create("part.1.vectors", b"the same")
    result = commit(store, "part", {"vectors": b"the same"}, {}, fence=FIRST)
    assert result.blobs["vectors"].key == "part.1.vectors"


def test_a_late_writer_commits_nothing_and_changes_nothing(store: Store) -> None:
    with pytest.raises(Fenced):
        commit(store, "part", {"a": b"late"}, {}, fence=FenceOf(1, is_open=False))
    assert committed(store, "part") is None
    result = commit(store, "part", {"a": b"new"}, {}, fence=FenceOf(2))
    with pytest.raises(Fenced):
        commit(store, "part", {"a": b"later"}, {}, fence=FenceOf(1, is_open=False))
    assert read_blob(store, result.blobs["a"]) == b"new"


def test_a_file_is_committed_as_its_bytes_are(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "vectors"
    source.write_bytes(b"v" * 1_000_000)
    result = commit(store, "part", {"vectors": source}, {}, fence=FIRST)
    assert result.blobs["vectors"].sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert read_blob(store, result.blobs["vectors"]) == source.read_bytes()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (b"", "no commit record"),
        (b'{"name": "part", "epoch": 1', "no commit record"),
        (b"[]", "no commit record"),
        (b'{"name": "part", "epoch": "1", "blobs": {}, "facts": {}}', "no commit record"),
        (b'{"name": "part", "epoch": 1, "blobs": {"a": {"key": "part.1.a"}}, "facts": {}}', "no commit record"),
        (b'{"name": "other", "epoch": 1, "blobs": {}, "facts": {}}', "belongs to 'other'"),
    ],
)
def test_a_damaged_record_is_named_with_the_remedy(store: Store, damage: bytes, problem: str) -> None:
    store.create("part.ok", damage)
    with pytest.raises(IntegrityError) as error:
        committed(store, "part")
    assert store.address("part.ok") in str(error.value)
    assert problem in str(error.value)
    assert "Restore the object" in str(error.value)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [(b"vect", "4 bytes, 7 were"), (b"vectorz", "sha256"), (b"vectors+", "8 bytes"), (None, "gone")],
)
def test_a_damaged_blob_is_named_with_the_remedy(store: Store, damage: bytes | None, problem: str) -> None:
    blob = commit(store, "part", {"a": b"vectors"}, {}, fence=FIRST).blobs["a"]
    store.delete(blob.key)
    if damage is not None:
        store.create(blob.key, damage)
    with pytest.raises(IntegrityError) as error:
        read_blob(store, blob)
    assert store.address("part.1.a") in str(error.value)
    assert problem in str(error.value)
    assert "delete the .ok object" in str(error.value)


def test_deleting_the_record_has_a_result_computed_again_also_in_the_same_epoch(store: Store) -> None:
    blob = commit(store, "part", {"a": b"vectors"}, {}, fence=FIRST).blobs["a"]
    store.overwrite(blob.key, b"damaged")
    store.delete("part.ok")
    again = commit(store, "part", {"a": b"vectors"}, {}, fence=FIRST)
    assert read_blob(store, again.blobs["a"]) == b"vectors"


def test_a_blob_means_its_exact_bytes(store: Store) -> None:
    store.create("a", b"1")
    assert read_blob(store, Blob("a", hashlib.sha256(b"1").hexdigest(), 1)) == b"1"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_facts_without_a_spelling_in_json_are_refused(store: Store, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        commit(store, "part", {}, {"loss": value}, fence=FIRST)
    assert committed(store, "part") is None
