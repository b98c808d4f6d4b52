import base64
import dataclasses
import hashlib
import json
import re

import numpy as np
import pytest
from helpers import reports
from helpers.html_pages import Page

from afray.algorithms.selection import plain
from afray.reporting import gallery, page, summary, tables, thumbnails
from afray.reporting.report import Evaluation, Report
from afray.reporting.thumbnails import Thumbnail

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)></title>{{ 7 * 7 }}'&amp;\u202e.png"


def make_report(**changes: object) -> Report:
    return summary.build_report(reports.make_report_data(**changes))  # type: ignore[arg-type]


def make_thumbnails(report: Report, edge: int = 96) -> dict[str, Thumbnail]:
    rng = np.random.default_rng(0)
    return {
        row_id: thumbnails.encode(rng.integers(0, 256, (3, edge, edge)).astype(np.uint8))
        for row_id in gallery.pictured_ids(report.gallery)
    }


def test_the_report_reads_in_order_from_verdict_to_environment() -> None:
    parsed = Page(page.render(make_report()))
    sections = [attributes["id"] for attributes in parsed.attributes("section")]
    assert sections == ["funnel", "map", "scores", "picks", "removed", "copies", "evaluation", "environment"]
    anchors = {attributes["href"] for attributes in parsed.attributes("a")}
    assert anchors == {f"#{section}" for section in sections}
    assert parsed.words.index("24 of 308 rows") < parsed.words.index("selectionDigest") < parsed.words.index("Funnel")


def test_every_number_of_the_funnel_and_the_digest_are_on_the_page() -> None:
    report = make_report()
    words = Page(page.render(report)).words
    assert report.selection_digest in words
    assert "Listed 308 rows in the index Readable 305 3 in quarantine Unique 300 5 left out as exact copies" in words
    assert "Kept 270 30 removed as outliers Selected 24 16 core, 8 boundary" in words


def test_the_same_report_gives_the_same_bytes() -> None:
    report = make_report()
    assert page.render(report, make_thumbnails(report)) == page.render(report, make_thumbnails(report))


def test_nothing_is_requested_from_anywhere() -> None:
    report = make_report()
    parsed = Page(page.render(report, make_thumbnails(report)))
    for tag, attributes in parsed.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster", "background"):
            assert attributes.get(name, "#").startswith(("#", "data:image/")), (tag, attributes)
        assert "url(" not in attributes.get("style", "")
    styles = "".join(parsed.raw["style"])
    assert "@import" not in styles
    assert "url(" not in styles
    assert not {tag for tag, _ in parsed.elements} & {"link", "iframe", "object", "embed", "base", "form"}


def test_the_browser_is_told_to_forbid_requests_and_every_script_but_ours() -> None:
    content = page.render(make_report())
    (policy,) = (
        attributes["content"]
        for attributes in Page(content).attributes("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data: blob:; ")
    scripts = re.findall(rb"<script>(.*?)</script>", content, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


def test_plotly_is_inlined_once() -> None:
    content = page.render(make_report())
    assert content.count(b"plotly.js v") == 1
    assert len(content) < 6_000_000


def test_hostile_ids_uris_and_names_stay_text() -> None:
    ids = [f"{row}{HOSTILE}" for row in range(300)]
    data = reports.make_report_data(ids=ids)
    bad = tables.quarantine_table([HOSTILE], [HOSTILE], [HOSTILE], [HOSTILE])
    data = dataclasses.replace(
        data,
        job=data.job.model_copy(update={"name": HOSTILE, "pool": HOSTILE}),
        tables=dataclasses.replace(data.tables, quarantine=bad),
        environment=data.environment.model_copy(update={"model": HOSTILE}),
    )
    report = summary.build_report(data)
    content = page.render(report, make_thumbnails(report))
    parsed = Page(content)
    assert len(parsed.attributes("script")) == 4
    assert all("onerror" not in attributes for _, attributes in parsed.elements)
    assert b"alert(1)</script>" not in content
    assert HOSTILE in "".join(parsed.text)
    assert any(HOSTILE in attributes["alt"] for attributes in parsed.attributes("img"))


def test_hover_texts_are_escaped_twice_for_plotly_renders_markup() -> None:
    report = make_report(ids=[f"{row}<a href='javascript:alert(1)'>x</a>" for row in range(300)])
    figures = [json.loads(text) for text in Page(page.render(report)).raw["script"] if text.startswith('{"data"')]
    hovers = [text for trace in figures[0]["data"] if "text" in trace for text in trace["text"]]
    assert len(hovers) == 16 + 8 + 30
    assert all("<" not in text and "&lt;a href='javascript" in text for text in hovers)


def test_long_ids_are_cut_in_hover_texts_from_the_front() -> None:
    report = make_report(ids=[f"{'deep/' * 40}{row:03d}.png" for row in range(300)])
    figures = [json.loads(text) for text in Page(page.render(report)).raw["script"] if text.startswith('{"data"')]
    assert all(
        text.startswith("…") and text.endswith(".png") and len(text) == 80 for text in figures[0]["data"][2]["text"]
    )


def test_the_figures_hold_the_classes_and_the_two_histograms() -> None:
    report = make_report()
    figures = [json.loads(text) for text in Page(page.render(report)).raw["script"] if text.startswith('{"data"')]
    assert [trace["meta"] for trace in figures[0]["data"]] == ["pool", "removed", "core", "boundary"]
    assert {trace["type"] for trace in figures[0]["data"]} == {"scattergl"}
    assert [trace["name"] for trace in figures[1]["data"]] == ["all kept rows (254)", "boundary picks (8)"]
    assert sum(figures[1]["data"][1]["y"]) == pytest.approx(1)


def test_colours_of_every_class_are_in_the_style_sheet_for_light_and_dark() -> None:
    style = "".join(Page(page.render(make_report())).raw["style"])
    for name in ("pool", "core", "boundary", "removed", "panel", "line", "soft", "ink"):
        assert style.count(f"--{name}: #") == 2, name


def test_without_a_boundary_step_one_line_says_so() -> None:
    parsed = Page(page.render(make_report(boundary=0)))
    assert "There is no boundary step in this selection: every label of the budget goes to a core row." in parsed.words
    assert "Boundary rows" not in parsed.words
    assert [attributes["data-figure"] for attributes in parsed.attributes("div") if "data-figure" in attributes] == [
        "map-figure"
    ]


def test_a_bare_run_has_a_page_too() -> None:
    data = reports.make_report_data(selection=plain(np.array([4, 2]), kept=300), evaluation=Evaluation())
    nothing: list[str] = []
    data = dataclasses.replace(
        data,
        map_sample=None,
        stages=(),
        tables=dataclasses.replace(
            data.tables,
            quarantine=tables.quarantine_table(nothing, nothing, nothing, nothing),
            duplicates=tables.duplicates_table(nothing, nothing, nothing),
        ),
    )
    words = Page(page.render(summary.build_report(data))).words
    for line in (
        "No map was drawn",
        "This report was made without thumbnails.",
        "No row was removed.",
        "No exact copies were found.",
        "Every listed row could be read.",
        "Nothing was evaluated: that needs spec.labels or spec.pool.labels with at least two classes",
        "In the order in which the method chose them.",
    ):
        assert line in words


def test_pictures_have_alternative_texts_and_boundary_rows_stand_between_two_cores() -> None:
    report = make_report()
    pictures = Page(page.render(report, make_thumbnails(report))).attributes("img")
    words = [picture["alt"].rsplit(" ", 1)[0] for picture in pictures]
    assert words.count("Core row") == 16
    assert words[16:19] == ["Core of its own cluster", "Boundary row", "Core of the neighbouring cluster"]
    assert words.count("Boundary row") == 8
    assert words.count("Removed row") == 24
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)


def test_small_pictures_are_enlarged_pixel_by_pixel() -> None:
    report = make_report()
    pictures = Page(page.render(report, make_thumbnails(report, edge=28))).attributes("img")
    assert {picture["class"] for picture in pictures} == {"tiny"}


def test_a_row_without_a_picture_says_so() -> None:
    report = make_report()
    some = make_thumbnails(report)
    del some[report.gallery.core[0].id]
    assert Page(page.render(report, some)).words.count("no picture") >= 1


def test_removed_rows_give_their_reason_beside_what_the_cluster_kept() -> None:
    data = reports.make_report_data()
    words = Page(page.render(summary.build_report(data))).words
    densest = max(data.selection.excluded_density)
    assert f"outlier, distance {densest:.3f} kept up to {reports.EXCLUDED_LIMIT:.3f}" in words


def test_evaluation_shows_both_figures_with_seeds_and_its_limits() -> None:
    words = Page(page.render(make_report())).words.replace("\u00a0", " ")
    assert "Selected 78.1 % 77.7 % 10 3.5 points above the random mean" in words
    assert "Random 74.6 % ± 1.0 points 73.6 % 9 mean ± sample standard deviation over seeds 0, 1, 2, 3, 4" in words
    assert "76.8 % 76.5 % 10 of 10 24 41.3 s" in words
    assert "BiLAF's boundary step did not improve on its own core selector" in words
    assert "a small supervised CNN in place of" in words


def test_without_random_labels_the_probe_stands_alone() -> None:
    parsed = Page(page.render(make_report(evaluation=reports.make_evaluation_without_random_labels())))
    words = parsed.words.replace("\u00a0", " ")
    assert "Labels are known for the selected rows only, so there is nothing to draw random labels from." in words
    assert "Labels Accuracy Macro recall Classes among the labels Notes Selected 78.1 % 77.7 % 10 Full" in words
    assert "random mean" not in words
    assert not [attributes for attributes in parsed.attributes("svg") if "Accuracy" in attributes.get("aria-label", "")]


def test_a_cross_validated_finetune_is_called_biased() -> None:
    evaluation = reports.make_evaluation()
    assert evaluation.finetune is not None
    biased = evaluation.model_copy(update={"finetune": evaluation.finetune.model_copy(update={"held_out": False})})
    assert "these figures are biased" in Page(page.render(make_report(evaluation=biased))).words
    assert "these figures are biased" not in Page(page.render(make_report())).words


def test_stages_show_time_rows_and_rate() -> None:
    words = Page(page.render(make_report())).words.replace("\u00a0", " ")
    assert "embed 1 min 11 s 308 4.33" in words
    assert "boundary 3.05 s 300 from an earlier run" in words


def test_every_table_has_header_cells_with_a_scope() -> None:
    parsed = Page(page.render(make_report()))
    assert all(attributes.get("scope") in {"col", "row"} for attributes in parsed.attributes("th"))
    found = [tag for tag, _ in parsed.elements if tag in {"table", "thead"}]
    assert found == ["table", "thead"] * (len(found) // 2)
