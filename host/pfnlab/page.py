# SPDX-License-Identifier: MIT
"""One page of HTML with everything in it: pictures, tables, and the map to step through."""
from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from pfnlab.layout import COLUMNS, Grid, grids
from pfnlab.picture import (FREE, FRESH, GUARD, OWNERS, RESERVED, figure_fragmentation,
                            figure_history, figure_largest, ranks_of, size_text, svg_text)
from pfnlab.sampling import Area, Piece, Sample, worth_seeing
from pfnlab.transcript import Transcript

_STATES = ({"name": "free, never handed out", "colour": FRESH}, {"name": "free", "colour": FREE},
           {"name": "allocated", "colour": OWNERS[0]}, {"name": "reserved", "colour": RESERVED},
           {"name": "guard of a range", "colour": GUARD})


def html_page(samples: list[Sample], title: str, subtitle: str,
              transcript: Transcript | None = None) -> str:
    """The page."""
    frames = [one for one in samples if one.pieces is not None]
    areas = grids(frames[-1].pieces or [])
    figures = ""
    if len(samples) > 1:
        figures = "".join(
            f"<h2>{name}</h2>\n<figure>{svg_text(figure)}</figure>\n" for name, figure in (
                ("Memory over time", figure_history(samples, " ")),
                ("Largest free block over time", figure_largest(samples)),
                ("Fragmentation over time", figure_fragmentation(samples))))
    parts = {"TITLE": html.escape(title), "SUBTITLE": html.escape(subtitle),
             "TABLE": _table(samples[-1].areas), "FIGURES": figures,
             "DATA": _data(frames, areas, transcript)}
    text = Path(__file__).with_name("page.html").read_text("utf-8")
    for name, value in parts.items():
        text = text.replace(f"@{name}@", value)
    return text


def _table(areas: list[Area]) -> str:
    rows = []
    for area in areas:
        cells = [html.escape(area.name), size_text(area.managed), size_text(area.free),
                 size_text(area.allocated), size_text(area.reserved),
                 size_text(area.largest) if area.largest else "none",
                 f"{area.fragmentation * 100:.1f} %"]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = "".join(f"<th>{head}</th>" for head in (
        "area", "managed", "free", "allocated", "reserved", "largest free block", "fragmentation"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _data(frames: list[Sample], areas: list[Grid], transcript: Transcript | None) -> str:
    data: dict[str, Any] = {
        "columns": COLUMNS, "states": _STATES, "owners": OWNERS,
        "ranks": ranks_of(frames),
        "grids": [{"name": grid.name, "spans": grid.spans, "unit": grid.unit, "rows": grid.rows,
                   "label": f"{grid.name}: {size_text(grid.pages)} from "
                            f"{grid.spans[0][0] << 12:#x}, {size_text(grid.unit)} a cell"}
                  for grid in areas],
        "frames": [{"step": one.step, "text": one.text,
                    "pieces": [[_piece(p) for p in one.pieces or [] if p.area == grid.name]
                               for grid in areas]} for one in frames],
        "start": frames.index(worth_seeing(frames)),
        "requests": {step.tag: step.text for step in transcript.steps} if transcript else {}}
    # Nothing in it may end the element that holds it.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _piece(piece: Piece) -> list[int | str]:
    state = {"allocated": 2, "reserved": 3, "guard": 4}.get(piece.state, 0 if piece.fresh else 1)
    return [piece.first, piece.pages, state, piece.owner, *([piece.kind] if piece.kind else [])]
