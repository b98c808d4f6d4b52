"""docs/conditions.md from the words of the status: `python -m afray_operator.conditions_page` writes it.

A test compares the page with the models, so it can not go stale.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from afray.api.conditions import ConditionType, Phase
from afray.api.meanings import MEANINGS
from afray_operator.decide.event_kinds import EventReason

PAGE: Final = Path("docs/conditions.md")
_INTRODUCTION: Final = """\
# Phases, conditions, events

<!-- Written from the models by `python -m afray_operator.conditions_page`; change the models, not this page. -->

What a SelectionJob says of itself on a cluster, what it means, and what to do about it.

```
kubectl get sj                                            # phase, progress, how many rows are selected
kubectl get sj NAME -o yaml                               # status: conditions, attempt, progress, result
kubectl wait --for=condition=Complete sj/NAME             # or Failed: a job ends with one of the two
kubectl events --for sj/NAME                              # what happened, once for each change
```

Programs read conditions; the phase is one word for people. Each condition carries a `reason` for programs, a `message`
for people, which quotes Kueue, the scheduler, the kubelet or the driver where they know why, and the generation of the
spec that it was judged by. `Complete` and `Failed` are final: nothing of the status changes after either.

**Attempts.** Each attempt of a stage is one RayJob: `NAME-s1` selects, `NAME-l1` checks labels, `NAME-f1` finetunes. An
attempt that fails is tried again from what is committed after 10 s, 20 s, 40 s, up to 5 minutes, as long as
`policy.backoffLimit` allows; `status.attempt.number` counts all attempts of the stage, `failures` those that failed.
Preemption and suspension are no failures. A driver that ends with an exit code from 64 to 69 says that trying again
will not help: the job fails at once.

**Logs.** The driver's log is stored below `spec.output.uri`; a failure names it in its message and in
`status.attempt.lastFailure.logUri`, and it is there when the pods are gone. The last finished RayJob is kept, and with
it its submitter's pod.
"""


def render() -> str:
    """The whole page, in Markdown."""
    sections = [_INTRODUCTION, _phases(), *map(_condition, ConditionType), _events()]
    return "\n".join(sections)


def _phases() -> str:
    rows = [(f"`{name}`", text) for name, text in _documented(Phase)]
    return "\n".join(["## Phases", "", *_table(("Phase", "Means"), rows), ""])


def _condition(kind: ConditionType) -> str:
    about = dict(_documented(ConditionType))[kind.value]
    rows = [
        (f"{status.value}", f"`{reason.value}`", meaning.says, meaning.remedy)
        for (status, reason), meaning in MEANINGS[kind].items()
    ]
    table = _table(("Status", "Reason", "Means", "What to do"), rows)
    return "\n".join([f"## {kind.value}", "", about, "", *table, ""])


def _events() -> str:
    rows = [(f"`{name}`", text) for name, text in _documented(EventReason)]
    about = "Each is told once for each change, after the status that it follows from is stored."
    return "\n".join(["## Events", "", about, "", *_table(("Reason", "Means"), rows), ""])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield _row(names)
    yield "|" + "---|" * len(names)
    for row in rows:
        yield _row(row)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _documented(words: type[StrEnum]) -> Iterator[tuple[str, str]]:
    """Each value of an enumeration with the text below it, which Python itself does not keep."""
    (definition,) = ast.parse(inspect.getsource(words)).body
    assert isinstance(definition, ast.ClassDef)
    values = [node.value for node in definition.body[1:] if isinstance(node, ast.Expr)]
    texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    yield from zip((word.value for word in words), texts, strict=True)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")
