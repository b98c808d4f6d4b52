import numpy as np
import pytest
from helpers import reports
from numpy.testing import assert_allclose

from afray.algorithms.selection import Selection, plain
from afray.reporting import pool_map


def make_selection_of(rows: int, removed: int) -> Selection:
    """`rows` picks and `removed` outliers, all at known places of a large pool."""
    picks = plain(np.arange(rows) * 50, kept=0)
    return Selection(
        rows=picks.rows,
        is_core=np.arange(rows) % 2 == 0,
        cluster=picks.cluster,
        distance=picks.distance,
        score=picks.score,
        opponent=picks.opponent,
        excluded_rows=np.arange(removed) * 50 + 7,
    )


def test_a_small_pool_is_drawn_whole() -> None:
    rows = pool_map.sample_rows(300, plain(np.array([5]), kept=300))
    assert rows.tolist() == list(range(300))


def test_a_large_pool_is_sampled_below_the_limit_with_every_pick() -> None:
    selection = make_selection_of(1000, removed=500)
    rows = pool_map.sample_rows(1_000_000, selection)
    assert 19_900 <= len(rows) <= pool_map.ROW_LIMIT
    assert np.isin(selection.rows, rows).all()
    assert (np.diff(rows) > 0).all()
    assert rows.max() > 990_000


def test_more_picks_than_can_be_drawn_still_stay_below_the_limit() -> None:
    rows = pool_map.sample_rows(10_000_000, make_selection_of(60_000, removed=0))
    assert len(rows) <= pool_map.ROW_LIMIT
    assert np.isin(rows, np.arange(60_000) * 50).sum() >= pool_map.PICK_LIMIT


def test_the_sample_depends_on_the_pool_alone() -> None:
    selection = make_selection_of(1000, removed=0)
    assert np.array_equal(pool_map.sample_rows(1_000_000, selection), pool_map.sample_rows(1_000_000, selection))


def test_points_lie_along_the_directions_of_largest_variance() -> None:
    rng = np.random.default_rng(0)
    length, width = rng.normal(size=(2, 500)) * [[5.0], [2.0]]
    # An orthogonal frame in five dimensions; the direction's largest component is positive by convention.
    first, second = np.array([0.6, -0.8, 0, 0, 0]), np.array([0, 0, 0, 1.0, 0])
    vectors = (length[:, None] * first + width[:, None] * second).astype(np.float32)
    points, shares = pool_map.principal_plane(vectors)
    assert_allclose(np.abs(np.corrcoef(points[:, 0], length)[0, 1]), 1, atol=1e-3)
    assert_allclose(np.abs(np.corrcoef(points[:, 1], width)[0, 1]), 1, atol=1e-3)
    assert_allclose(shares.sum(), 1, atol=1e-9)
    assert shares[0] > shares[1]


def test_the_largest_component_of_an_axis_is_positive() -> None:
    line = np.linspace(-1, 1, 50)[:, None]
    towards_plus = (line * np.array([[0.6, -0.8, 0]])).astype(np.float32)
    points, _ = pool_map.principal_plane(towards_plus)
    # -0.8 is the largest component, so the axis is (-0.6, 0.8, 0) and points run against `line`.
    assert points[0, 0] > 0 > points[-1, 0]


def test_projection_does_not_depend_on_the_order_of_rows() -> None:
    vectors = reports.make_mixture(700)
    shuffled = np.random.default_rng(1).permutation(700)
    points, _ = pool_map.principal_plane(vectors)
    assert_allclose(pool_map.principal_plane(vectors[shuffled])[0], points[shuffled], atol=1e-9)


@pytest.mark.parametrize(
    "vectors", [np.ones((4, 1), np.float32), np.ones((4, 3), np.float32), np.ones((1, 2), np.float32)]
)
def test_rows_without_variance_fall_on_one_point(vectors: reports.F32) -> None:
    points, shares = pool_map.principal_plane(vectors)
    assert_allclose(points, np.zeros((len(vectors), 2)), atol=1e-12)
    assert_allclose(shares, [0, 0])


def test_one_dimensional_rows_have_no_second_axis() -> None:
    points, shares = pool_map.principal_plane(np.array([[0], [1], [3]], np.float32))
    assert_allclose(points, [[-4 / 3, 0], [-1 / 3, 0], [5 / 3, 0]], atol=1e-9)
    assert_allclose(shares, [1, 0])


def test_every_drawn_row_is_in_one_class_and_pool_rows_have_no_names() -> None:
    data = reports.make_report_data()
    assert data.map_sample is not None
    drawn = pool_map.draw_map(
        data.map_sample.rows, data.map_sample.vectors, data.funnel.unique, data.selection, data.names
    )
    sizes = {group.kind: len(group.x) for group in drawn.groups}
    assert sizes == {"pool": 300 - 16 - 8 - 30, "removed": 30, "core": 16, "boundary": 8}
    named = {group.kind: group.ids for group in drawn.groups}
    assert named["pool"] == ()
    assert set(named["core"]) == set(data.names.ids_of(data.selection.rows[data.selection.is_core]).to_pylist())
    assert (drawn.drawn, drawn.rows) == (300, 300)
