# SPDX-License-Identifier: MIT
"""Traces of Linux as transcripts: each form of their lines, and what they leave out. Those in
traces/ are recorded; lines in here are written by hand, in the forms that pfnlab.kmem names."""
from __future__ import annotations

from pathlib import Path

import pytest

from pfnlab import Guest
from pfnlab.cli import main
from pfnlab.kmem import TraceError, import_trace, memory_option, transcript_text
from pfnlab.transcript import Transcript

TRACES = Path(__file__).with_name("traces")

pytestmark = pytest.mark.only("native")


def requests(*lines: str) -> list[str]:
    """What is made of a trace, without replies and without its end."""
    made = [line.partition(" ")[2] for line in import_trace("\n".join(lines)).lines
            if line.startswith(">")]
    assert made[-2:] == ["leaks", "check"]
    return made[:-2]


ALLOC = "  sh-1  [000] d..1.  10.000001: mm_page_alloc: page=00000000a1 "
FREE = "  sh-1  [000] d..1.  10.000002: mm_page_free: page=00000000a1 "


@pytest.mark.parametrize(("alloc", "free"), [
    (ALLOC + "pfn=0x48d15 order=2 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_ZERO",
     FREE + "pfn=0x48d15 order=2"),
    # trace-cmd report; pfn decimal
    ("            dd-3035  [001]    91.119: mm_page_alloc:        page=0xffffea0001234540 "
     "pfn=298261 order=2 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_ZERO",
     "            dd-3035  [001]    91.120: mm_page_free:         page=0xffffea0001234540 "
     "pfn=298261 order=2"),
    # the function graph
    (" 1287587.105144 |   1)               |  /* mm_page_alloc: page=0000000082b1fe73 pfn=1704824 "
     "order=2 migratetype=1 gfp_flags=GFP_KERNEL|__GFP_ZERO */",
     " 1287587.105145 |   1)               |  /* mm_page_free: page=0000000082b1fe73 pfn=1704824 "
     "order=2 */"),
    # up to Linux 3.2
    ("  gnome-terminal-1567  [000]  4415.246506: mm_page_alloc: page=ffffea0003db9f40 pfn=1155800 "
     "order=2 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_ZERO",
     "  gnome-terminal-1567  [000]  4415.255557: mm_page_free_direct: page=ffffea0003db9f40 "
     "pfn=1155800 order=2"),
])
def test_each_form_of_the_lines_is_read(alloc: str, free: str) -> None:
    assert requests(alloc, free) == ["alloc_pages 2", "free $1"]


def test_frees_in_batches_are_not_counted_twice() -> None:
    lines = [ALLOC + "pfn=0x10 order=0 migratetype=1 gfp_flags=GFP_USER",
             FREE.replace("mm_page_free", "mm_page_free_batched") + "pfn=0x10 order=0",
             FREE + "pfn=0x10 order=0"]
    assert requests(*lines) == ["alloc_pages 0 dontzero=1", "free $1"]
    assert import_trace("\n".join(lines)).counts == {"allocations": 1, "frees": 1}


@pytest.mark.parametrize("failed", ["page=(nil) pfn=0", "page=(null) pfn=0x0",
                                    "page=0000000000000000 pfn=0"])
def test_what_failed_there_is_only_counted(failed: str) -> None:
    line = f"  sh-1  [000]  10.0: mm_page_alloc: {failed} order=9 migratetype=1 gfp_flags=GFP_USER"
    made = import_trace("\n".join([line, ALLOC + "pfn=0x10 order=0 gfp_flags=GFP_USER"]))
    assert made.counts["failed allocations"] == 1 and made.counts["allocations"] == 1


def test_a_head_that_was_cut_off_leaves_frees_that_are_dropped() -> None:
    made = import_trace("\n".join([FREE + "pfn=0x99 order=0",
                                   ALLOC + "pfn=0x10 order=0 gfp_flags=GFP_USER"]))
    assert made.counts["frees of pages allocated before the trace"] == 1
    assert made.counts["blocks left at the end"] == 1
    assert [line for line in made.lines if line.startswith(">")] == [
        ">1 alloc_pages 0 dontzero=1", ">2 free $1", ">3 leaks", ">4 check"]


def test_lost_events_and_other_lines_are_counted() -> None:
    made = import_trace("\n".join([
        "cpus=2", "CPU:1 [LOST 2412 EVENTS]", "CPU:0 [17 EVENTS DROPPED]",
        "  sh-1  [000]  10.0: kmalloc: call_site=1", ALLOC + "pfn=0x10 order=1 gfp_flags=GFP_DMA32",
        ALLOC + "pfn=0x11 order=0 gfp_flags=GFP_DMA"]))
    assert made.counts["events lost by the tracer"] == 2429
    assert made.counts["frees that are missing"] == 1 and made.counts["other lines"] == 1
    assert [line for line in made.lines if line.startswith(">")][:3] == [
        ">1 alloc_pages 1 area=dma32 dontzero=1", ">2 free $1",
        ">3 alloc_pages 0 area=dma24 dontzero=1"]


def test_a_block_freed_in_parts_goes_with_its_last_page() -> None:
    parts = [FREE + f"pfn={pfn:#x} order=0" for pfn in (0x12, 0x10, 0x13, 0x11)]
    assert requests(ALLOC + "pfn=0x10 order=2 gfp_flags=GFP_USER", *parts) == [
        "alloc_pages 2 dontzero=1", "free $1"]


def test_events_are_taken_in_the_order_of_their_times() -> None:
    late = FREE.replace("10.000002", "10.000009")
    made = import_trace("\n".join([late + "pfn=0x10 order=0",
                                   ALLOC + "pfn=0x10 order=0 gfp_flags=GFP_USER"]))
    assert made.counts == {"allocations": 1, "frees": 1}


@pytest.mark.parametrize("text", ["", "hello\n", "# tracer: nop\n"])
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(TraceError):
        import_trace(text)


@pytest.mark.parametrize(("name", "counts"), [
    ("tracefs.txt", {"allocations": 143, "frees": 57, "blocks left at the end": 86,
                     "frees of pages allocated before the trace": 61}),
    ("trace-cmd.txt", {"allocations": 241, "frees": 44, "blocks left at the end": 197})])
def test_a_real_trace_replays_without_a_leak(guest: Guest, name: str, counts: dict[str, int]
                                             ) -> None:
    made = import_trace((TRACES / name).read_text())
    assert made.counts == counts
    transcript = Transcript(transcript_text(made, name))
    assert transcript.options == memory_option(made) == "memory=64M"
    assert transcript.replay(guest) == len(transcript.steps)
    assert guest.leaks() == []


def test_the_command_makes_a_transcript_that_plots(tmp_path: Path) -> None:
    out = tmp_path / "real.t"
    assert main(["import", str(TRACES / "tracefs.txt"), "-o", str(out)]) == 0
    assert main(["replay", str(out)]) == 0
    pytest.importorskip("matplotlib")
    assert main(["plot", str(out), "-o", str(tmp_path / "real.svg")]) == 0
    (tmp_path / "none.txt").write_text("nothing\n")
    assert main(["import", str(tmp_path / "none.txt")]) == 2
