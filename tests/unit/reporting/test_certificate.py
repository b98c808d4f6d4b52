import json

import pytest
from helpers.certificates import digest, make_certificate

from afray.errors import IntegrityError
from afray.reporting import certificate


def test_a_certificate_survives_its_file() -> None:
    written = certificate.write(make_certificate())
    assert certificate.read(written) == make_certificate()
    assert written == certificate.write(certificate.read(written))


def test_a_certificate_of_an_embeddings_pool_has_neither_model_nor_decode_rules() -> None:
    bare = make_certificate().model_copy(update={"model": None, "decode": None})
    assert certificate.read(certificate.write(bare)) == bare


def test_the_file_uses_camel_case_and_says_that_nothing_went_before() -> None:
    document = json.loads(certificate.write(make_certificate()))
    assert document["specDigest"] == digest("1")
    assert document["selectionDigest"] == digest("9")
    assert document["decode"]["pixelRange"] == [0.0, 4095.0]
    assert document["embedding"]["shards"][1] == {"shard": 1, "rows": 50, "digest": digest("5"), "device": "cpu"}
    assert document["previous"] is None


def test_only_a_certificate_of_an_approximate_selection_speaks_of_approximations() -> None:
    assert b"approximations" not in certificate.write(make_certificate())
    facts = certificate.ApproximationFacts(probes=4, recall=0.975, intra_distance=None, changed_picks=None)
    written = certificate.write(make_certificate().model_copy(update={"approximations": facts}))
    assert json.loads(written)["approximations"] == {
        "probes": 4,
        "recall": 0.975,
        "intraDistance": None,
        "changedPicks": None,
    }
    assert certificate.read(written).approximations == facts


@pytest.mark.parametrize("length", [0, 1, 400, -2])
def test_a_truncated_file_is_an_integrity_error(length: int) -> None:
    with pytest.raises(IntegrityError, match=r"certificate\.json: line \d+, column \d+: .*truncated"):
        certificate.read(certificate.write(make_certificate())[:length])


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b'"seed": 0', b'"seed": 1', "seed"),
        (b'"rows": 50', b'"rows": 51', "embedding"),
        (b'"afray": "0.1.0"', b'"afray": "0.2.0"', "code"),
        (digest("9").encode(), digest("a").encode(), "selectionDigest"),
    ],
)
def test_an_edited_field_is_named(old: bytes, new: bytes, field: str) -> None:
    edited = certificate.write(make_certificate()).replace(old, new, 1)
    with pytest.raises(IntegrityError, match=rf"field {field}: edited since it was written"):
        certificate.read(edited)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"seed": 0', b'"seed": "zero"', r"field seed: .*\(value: 'zero'\)"),
        (digest("4").encode(), b"44", r"field embedding\.shards\.0\.digest: .*\(value: '44'\)"),
        (b'"rows": 150,', b"", r"field index\.rows: Field required"),
        (b'"seed": 0', b'"seed": 0, "sede": 0', r"field sede: Extra inputs"),
        (b'"version": 1', b'"version": 2', r"field version: .*\(value: 2\)"),
    ],
)
def test_a_broken_field_is_named_with_its_value(old: bytes, new: bytes, problem: str) -> None:
    broken = certificate.write(make_certificate()).replace(old, new, 1)
    with pytest.raises(IntegrityError, match=problem):
        certificate.read(broken)


def test_a_file_without_seals_is_not_trusted() -> None:
    document = json.loads(certificate.write(make_certificate()))
    del document["seals"]
    with pytest.raises(IntegrityError, match="field seals: missing"):
        certificate.read(json.dumps(document, indent=2).encode())


def test_a_reformatted_file_is_not_the_file_that_was_written() -> None:
    document = json.loads(certificate.write(make_certificate()))
    with pytest.raises(IntegrityError, match="re-formatted"):
        certificate.read(json.dumps(document).encode())


@pytest.mark.parametrize(("content", "problem"), [(b"[]", "holds a list"), (b"\xff\xfe{}", "not UTF-8 text")])
def test_a_file_of_another_kind_is_an_integrity_error(content: bytes, problem: str) -> None:
    with pytest.raises(IntegrityError, match=problem):
        certificate.read(content)
