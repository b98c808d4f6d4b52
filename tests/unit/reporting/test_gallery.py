import pyarrow as pa
from helpers import reports

from afray.reporting import gallery, tables


def make_selection_rows(kinds: list[str]) -> pa.Table:
    return pa.table(
        {
            "id": [f"{rank}.png" for rank in range(len(kinds))],
            "uri": ["u"] * len(kinds),
            "kind": kinds,
            "rank": range(len(kinds)),
            "cluster": ["core.png"] * len(kinds),
            "score": [0.5] * len(kinds),
            "opponent": ["opponent.png"] * len(kinds),
            "distance": [0.25] * len(kinds),
            "sha256": ["x"] * len(kinds),
        },
        tables.SELECTION_SCHEMA,
    )


def make_excluded_rows(densities: list[float | None], limits: list[float | None] | None = None) -> pa.Table:
    count = len(densities)
    ids = [f"out-{number}.png" for number in range(count)]
    columns = {
        "id": ids,
        "uri": ids,
        "cluster": ["c"] * count,
        "density": densities,
        "limit": limits or [None] * count,
        "reason": ["outlier"] * count,
    }
    return pa.table(columns, tables.EXCLUDED_SCHEMA)


NOTHING = make_excluded_rows([])


def test_half_of_the_picks_shown_are_boundary_rows_in_rank_order() -> None:
    shown = gallery.choose(make_selection_rows(["core", "boundary"] * 40), NOTHING)
    assert [row.rank for row in shown.core] == list(range(0, 24, 2))
    assert [row.rank for row in shown.boundary] == list(range(1, 25, 2))


def test_kinds_with_few_rows_leave_room_to_the_other() -> None:
    shown = gallery.choose(make_selection_rows(["core"] * 80 + ["boundary"] * 3), NOTHING)
    assert (len(shown.core), len(shown.boundary)) == (21, 3)
    shown = gallery.choose(make_selection_rows(["core"] * 2 + ["boundary"] * 80), NOTHING)
    assert (len(shown.core), len(shown.boundary)) == (2, 22)
    shown = gallery.choose(make_selection_rows(["core"] * 80), NOTHING)
    assert (len(shown.core), len(shown.boundary)) == (24, 0)


def test_the_most_isolated_removed_rows_are_shown_and_unranked_ones_come_last() -> None:
    shown = gallery.choose(make_selection_rows(["core"]), make_excluded_rows([0.1, None, 0.9, 0.5]))
    assert [row.id for row in shown.removed] == ["out-2.png", "out-3.png", "out-0.png", "out-1.png"]
    assert [row.density for row in shown.removed] == [0.9, 0.5, 0.1, None]
    assert [row.limit for row in shown.removed] == [None] * 4


def test_limits_stay_with_their_rows() -> None:
    excluded = make_excluded_rows([0.1, 0.2, 0.9], [0.01, None, 0.09])
    shown = gallery.choose(make_selection_rows(["core"]), excluded)
    assert [(row.id, row.limit) for row in shown.removed] == [
        ("out-2.png", 0.09),
        ("out-1.png", None),
        ("out-0.png", 0.01),
    ]


def test_removed_rows_are_capped() -> None:
    shown = gallery.choose(make_selection_rows(["core"]), make_excluded_rows([0.5] * 100))
    assert [row.id for row in shown.removed] == [f"out-{number}.png" for number in range(24)]


def test_pictures_are_asked_for_once_and_for_the_cores_beside_boundary_rows_too() -> None:
    shown = gallery.choose(make_selection_rows(["core", "boundary", "boundary"]), make_excluded_rows([0.1]))
    assert gallery.pictured_ids(shown) == ("0.png", "1.png", "2.png", "out-0.png", "core.png", "opponent.png")


def test_no_more_pictures_are_asked_for_than_the_caps_allow() -> None:
    data = reports.make_report_data(core=100, boundary=100)
    shown = gallery.choose(data.tables.selection, data.tables.excluded)
    assert len(gallery.pictured_ids(shown)) <= gallery.REMOVED_SHOWN + 2 * gallery.PICKS_SHOWN
