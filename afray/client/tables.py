"""Jobs as columns and cells: the API server makes them from the CRD's printer columns, so they are kubectl's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from afray.client.records import Raw


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_alias=True)


class _Column(_Part):
    name: str
    priority: int = 0


class _Metadata(_Part):
    namespace: str = ""


class _Object(_Part):
    metadata: _Metadata = _Metadata()


class _Row(_Part):
    cells: tuple[JsonValue, ...]
    object: _Object = Field(default_factory=_Object)


class _Page(_Part):
    column_definitions: tuple[_Column, ...] | None = None
    """None on all pages but the first."""
    rows: tuple[_Row, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTable:
    """What `kubectl get` would show."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_table(pages: Iterable[Raw], *, wide: bool, namespaces: bool) -> JobTable:
    """Put a Table of the API server together; less important columns only if `wide`, the namespace if asked for."""
    parsed = [_Page.model_validate(page) for page in pages]
    columns = next((page.column_definitions for page in parsed if page.column_definitions), ())
    shown = [place for place, column in enumerate(columns) if wide or column.priority == 0]
    names = [columns[place].name.upper() for place in shown]
    rows = [
        [*([row.object.metadata.namespace] if namespaces else []), *(_text(row.cells[place]) for place in shown)]
        for page in parsed
        for row in page.rows or ()
    ]
    return JobTable(columns=(*(["NAMESPACE"] if namespaces else []), *names), rows=tuple(map(tuple, rows)))


def _text(cell: JsonValue) -> str:
    return "" if cell is None else str(cell)
