from collections.abc import Iterator

import pytest
from helpers.certificates import digest, make_certificate

from afray.reporting import verify
from afray.reporting.verify import RecomputedFacts

CERTIFICATE = make_certificate()


def make_facts(
    *,
    excluded: str = digest("8"),
    index: str = digest("2"),
    fingerprint: str = digest("3"),
    second_shard: str | None = digest("5"),
    row: str = "v1",
    selection: str = digest("9"),
    remade: dict[str, object] | None = None,
) -> RecomputedFacts:
    """Facts that agree with the certificate but for what the test changes."""
    return RecomputedFacts(
        outputs={"selection.parquet": digest("7"), "excluded.parquet": excluded},
        index=index,
        fingerprint=fingerprint,
        shards=[(0, digest("4")), (1, second_shard)],
        rows=[verify.row_check("a.png", stored="v1", embedded=row)],
        remade=[CERTIFICATE.model_copy(update={"selection_digest": selection, **(remade or {})})],
    )


def test_equal_facts_show_no_difference_and_every_check_is_made() -> None:
    assert verify.first_difference(CERTIFICATE, make_facts()) is None
    assert [check.what for check in verify.checks(CERTIFICATE, make_facts())] == [
        "excluded.parquet",
        "selection.parquet",
        "index",
        "embedding fingerprint",
        "embeddings shard 0",
        "embeddings shard 1",
        "vector of row a.png",
        "specDigest",
        "seed",
        "givenCores",
        "size of the index",
        "model",
        "decode",
        "embedding",
        "facts of the shards",
        "previous",
        "approximations",
        "counters",
        "selection",
    ]


@pytest.mark.parametrize(
    ("facts", "what", "certified", "found"),
    [
        (make_facts(excluded="x"), "excluded.parquet", digest("8"), "x"),
        (make_facts(index="x"), "index", digest("2"), "x"),
        (make_facts(fingerprint="x"), "embedding fingerprint", digest("3"), "x"),
        (make_facts(second_shard="x"), "embeddings shard 1", digest("5"), "x"),
        (make_facts(second_shard=None), "embeddings shard 1", digest("5"), "absent"),
        (make_facts(row="v2"), "vector of row a.png", "v1", "v2"),
        (make_facts(selection="x"), "selection", digest("9"), "x"),
        (make_facts(remade={"seed": 7}), "seed", "0", "7"),
        (make_facts(remade={"spec_digest": digest("a")}), "specDigest", digest("1"), digest("a")),
        (make_facts(remade={"given_cores": digest("a")}), "givenCores", "absent", digest("a")),
    ],
)
def test_a_difference_is_named_with_both_values(facts: RecomputedFacts, what: str, certified: str, found: str) -> None:
    difference = verify.first_difference(CERTIFICATE, facts)
    assert difference is not None
    assert (difference.what, difference.certified, difference.found) == (what, certified, found)
    assert str(difference) == f"{what} differs: certified {certified}, found {found}"


def test_of_several_differences_the_first_in_the_pipeline_is_named() -> None:
    difference = verify.first_difference(CERTIFICATE, make_facts(selection="x", second_shard="x", index="x"))
    assert difference is not None
    assert difference.what == "index"


@pytest.mark.parametrize(
    ("outputs", "what"),
    [({"selection.parquet": digest("7")}, "excluded.parquet"), ({"stranger.parquet": digest("7")}, "excluded.parquet")],
)
def test_a_certified_file_that_is_gone_is_a_difference(outputs: dict[str, str], what: str) -> None:
    difference = verify.first_difference(CERTIFICATE, RecomputedFacts(outputs=outputs))
    assert difference is not None
    assert (difference.what, difference.found) == (what, "absent")


def test_a_shard_that_the_certificate_does_not_know_is_a_difference() -> None:
    difference = verify.first_difference(CERTIFICATE, RecomputedFacts(shards=[(7, digest("4"))]))
    assert difference is not None
    assert (difference.what, difference.certified) == ("embeddings shard 7", "absent")


def test_what_was_not_recomputed_is_not_compared() -> None:
    assert list(verify.checks(CERTIFICATE, RecomputedFacts())) == []


def test_nothing_behind_the_first_difference_is_computed() -> None:
    def shards() -> Iterator[tuple[int, str | None]]:
        yield 0, "x"
        raise AssertionError("the second shard was computed")

    difference = verify.first_difference(CERTIFICATE, RecomputedFacts(shards=shards()))
    assert difference is not None
    assert difference.what == "embeddings shard 0"
