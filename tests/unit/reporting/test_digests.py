import hashlib

import pytest

from afray.reporting.digests import selection_digest


def test_the_digest_of_two_rows_is_the_sha256_of_two_lines_written_by_hand() -> None:
    lines = b'["a.png","core",0]\n["b.png","boundary",1]\n'
    assert selection_digest(["a.png", "b.png"], ["core", "boundary"]) == hashlib.sha256(lines).hexdigest()


def test_ids_enter_as_utf8_text_and_only_json_syntax_is_escaped() -> None:
    lines = '["Schweißnaht \\"7\\"\\\\日.png","core",0]\n'.encode()
    assert selection_digest(['Schweißnaht "7"\\日.png'], ["core"]) == hashlib.sha256(lines).hexdigest()


def test_an_empty_selection_has_the_digest_of_nothing() -> None:
    assert selection_digest([], []) == hashlib.sha256(b"").hexdigest()


def test_order_kind_and_id_all_matter() -> None:
    base = selection_digest(["a", "b"], ["core", "core"])
    assert selection_digest(["b", "a"], ["core", "core"]) != base
    assert selection_digest(["a", "b"], ["core", "boundary"]) != base
    assert selection_digest(["a", "c"], ["core", "core"]) != base


def test_ids_and_kinds_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        selection_digest(["a", "b"], ["core"])
