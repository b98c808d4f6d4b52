"""The demo and its manifests belong together; what its second act prints is what outputs and bench hold."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path

import pytest
import typer
import yaml
from helpers.repository import ROOT
from typer.testing import CliRunner

EXAMPLES = ROOT / "examples"


@pytest.fixture
def second_act(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.syspath_prepend(EXAMPLES)
    app: typer.Typer = importlib.import_module("second_act").app
    return app


def read(name: str) -> dict[str, dict[str, object]]:
    manifest: dict[str, dict[str, object]] = yaml.safe_load((EXAMPLES / name).read_text())
    return manifest


def test_the_second_round_is_the_first_one_s_as_afray_next_writes_it() -> None:
    first, second = read("fashion-mnist.yaml")["spec"], read("fashion-mnist-round-2.yaml")["spec"]
    assert second["pool"] == first["pool"]
    assert second["evaluation"] == first["evaluation"]
    assert {"normalize": "standardize", **second["embedding"]} == first["embedding"]  # type: ignore[dict-item]
    output = first["output"]["uri"]  # type: ignore[index]
    assert second["previous"]["certificate"] == {"uri": f"{output}/certificate.json"}  # type: ignore[index]
    assert second["selection"] == {"method": "uherding", "budget": {"count": 100}}
    assert second["output"] == {"uri": f"{output}-2"}
    assert set(second) ^ set(first) == {"previous", "finetune"}


def test_the_second_act_answers_every_selected_row(second_act: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "selection.csv").write_text('"id","rank"\n"b, c.png","0"\n"a.png","1"\n')
    known, answers = tmp_path / "known.csv", tmp_path / "answers.csv"
    known.write_text('id,label\na.png,coat\n"b, c.png",bag\nd.png,shirt\n')
    ended = CliRunner().invoke(second_act, ["answer", str(tmp_path), str(known), str(answers)])
    assert ended.exit_code == 0, ended.output
    with answers.open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "label"], ["b, c.png", "bag"], ["a.png", "coat"]]


def test_the_second_act_shows_both_rounds_beside_every_method_of_the_bench(
    second_act: typer.Typer, tmp_path: Path
) -> None:
    for name, labels, accuracy in (("out", 100, 0.7886), ("out-2", 200, 0.817)):
        (tmp_path / name).mkdir()
        probe = {"labels": labels, "selected": accuracy, "macroRecall": 0.5}
        (tmp_path / name / "report.json").write_text(json.dumps({"evaluation": {"probe": probe}}))
    rows = [
        {"method": method, "budget": 200, "seeds": seeds, "accuracy": accuracy, "accuracy_sd": sd, "macro_recall": 0.6}
        for method, seeds, accuracy, sd in (("kmeans", 5, 0.81, 0.004), ("random", 1, 0.786, None))
    ]
    (tmp_path / "bench.json").write_text(json.dumps({"rows": rows}))
    places = [str(tmp_path / name) for name in ("out", "out-2", "bench.json")]
    ended = CliRunner().invoke(second_act, ["compare", *places])
    assert ended.exit_code == 0, ended.output
    lines = [line.split() for line in ended.stdout.splitlines()[2:]]
    assert [(line[0], line[-2] if "±" not in line else line[-4], line[-1]) for line in lines] == [
        ("100", "78.9%", "50.0%"), ("200", "81.7%", "50.0%"), ("200", "81.0%", "60.0%"), ("200", "78.6%", "60.0%"),
    ]  # fmt: skip
    assert "all at once, by k-means, mean of 5" in ended.stdout
