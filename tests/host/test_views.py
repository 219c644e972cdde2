# SPDX-License-Identifier: MIT
"""Pictures of memory, the page in a real browser, the live view."""
from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pfnlab import Guest, load, sampling
from pfnlab.cli import main
from pfnlab.layout import COLUMNS, grids
from pfnlab.sampling import Piece
from pfnlab.transcript import Transcript

pytestmark = pytest.mark.only("native")

SESSION = """; with memory=64M
>1 alloc_pages 4 area=low
>2 alloc_pages_area lowest 8
>3 alloc_page area=lowest
>4 free $2
>5 reserve 12M 16
>6 alloc_pages 2 at=16M
>7 free $1
"""
MAPPED = SESSION + ">8 vmalloc 8K guard=back\n>9 vmalloc 4K\n>10 vfree $9\n"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.t"
    path.write_text(SESSION)
    return path


def samples_of(guest: Guest) -> list[sampling.Sample]:
    """Of the session."""
    return sampling.sample_run(guest, Transcript(SESSION))


@pytest.mark.options("memory=64M")
def test_samples_tell_what_the_session_did(guest: Guest) -> None:
    guest.alloc_page(at=0x1000)        # so that tags of the line are not those of the file
    guest.free(0x1000)
    samples = samples_of(guest)
    assert [one.step for one in samples] == list(range(8))
    last = {area.name: area for area in samples[-1].areas}
    assert last["low"].allocated == 4 and last["lowest"].allocated == 1
    assert last["lowest"].reserved == 16
    owners = {piece.first: piece.owner for piece in samples[-1].pieces or [] if piece.owner}
    assert owners[16 << 8] == 6 and set(owners.values()) == {3, 6}
    first = {area.name: area for area in samples[0].areas}
    assert first["lowest"].largest == 1 << 11 and 0 < first["lowest"].fragmentation < 1


def test_samples_of_another_map_have_no_place_in_the_picture(guest: Guest) -> None:
    text = ">1 alloc_page\n>2 map_begin\n>3 map_add 1M 64K\n>4 map_commit\n>5 alloc_pages 2\n"
    samples = sampling.sample_run(guest, Transcript(text))
    assert [one.step for one in samples] == [4, 5]
    assert {piece.first for one in samples for piece in one.pieces or []} == {256, 260}
    early = ">1 map_begin\n>2 map_add 1M 64K\n>3 map_commit stage=early\n"
    assert sampling.sample_run(guest, Transcript(early)) == []


@pytest.mark.options("memory=64M")
def test_samples_tell_what_the_window_holds(guest: Guest) -> None:
    samples = sampling.sample_run(guest, Transcript(MAPPED))
    frames = [[(piece.pages, piece.state, piece.owner, piece.kind) for piece in one.pieces or []
               if piece.area == sampling.WINDOW] for one in samples]
    block, guard, free = (2, "allocated", 8, "vmalloc"), (1, "guard", 0, ""), (1, "free", 0, "")
    assert frames[7:] == [[(4, "free", 0, "")], [block, guard, free],
                          [block, guard, (1, "allocated", 9, "vmalloc")], [block, guard, free]]
    grid = grids(samples[0].pieces or [])[-1]
    assert (grid.name, grid.pages) == (sampling.WINDOW, 4)


def test_a_grid_has_every_page_once_and_no_holes() -> None:
    pieces = [Piece(100, 50, "free", True, 0, "a"), Piece(150, 100, "free", False, 0, "a"),
              Piece(1000, 7, "reserved", True, 0, "a"), Piece(2000, 10 ** 6, "free", True, 0, "b")]
    small, large = grids(pieces)
    assert (small.spans, small.unit, small.pages) == ([(100, 150), (1000, 7)], 1, 157)
    assert [small.frame(cell) for cell in (0, 149, 150, 156)] == [100, 249, 1000, 1006]
    assert large.cells <= COLUMNS * 40 < 2 * large.cells


def pixels(path: Path) -> Any:
    """A PNG's."""
    image = pytest.importorskip("matplotlib.image")
    return (image.imread(str(path))[..., :3] * 255).round().astype(int)


def has_color(image: Any, color: str) -> bool:
    """Is it in there, over a whole block?"""
    rgb = [int(color[i:i + 2], 16) for i in (1, 3, 5)]
    return bool((abs(image - rgb).max(axis=2) <= 1).sum() > 20)


def test_a_map_shows_states_and_owners(session: Path, tmp_path: Path) -> None:
    picture = pytest.importorskip("pfnlab.picture")
    path = tmp_path / "map.png"
    assert main(["map", str(session), "-o", str(path)]) == 0
    image = pixels(path)
    for color in (picture.FRESH, picture.FREE, picture.RESERVED, *picture.OWNERS[:2]):
        assert has_color(image, color), color
    assert not has_color(image, picture.OWNERS[2])     # request 1 is freed again
    assert not has_color(image, picture.GUARD)         # nothing is in the window
    assert main(["map", str(session), "--upto", "3", "-o", str(path)]) == 0
    assert has_color(pixels(path), picture.OWNERS[2])
    session.write_text(MAPPED)
    assert main(["map", str(session), "-o", str(path)]) == 0
    assert has_color(pixels(path), picture.GUARD)


def test_what_is_never_used_is_left_out_of_time(guest: Guest) -> None:
    from pfnlab.layout import MARGIN, clipped, used_grids
    frames = [one.pieces or [] for one in samples_of(guest)]
    grids_used = {grid.name: grid for grid in used_grids(frames)}
    assert set(grids_used) == {"lowest", "low"}        # nothing happens in realmode
    low = grids_used["low"]
    assert low.pages < 16 + 4 + 4 * MARGIN
    for pieces in frames:                              # of what is shown every page is there once
        parts = sorted((begin, piece.pages) for begin, piece in clipped(pieces, low))
        assert [begin for begin, _ in parts] == [
            sum(pages for _, pages in parts[:n]) for n in range(len(parts))]
        assert sum(pages for _, pages in parts) == low.pages
    assert used_grids([frames[0]]) == []


def test_a_transcript_that_frees_all_is_shown_at_its_fullest(session: Path, tmp_path: Path) -> None:
    picture = pytest.importorskip("pfnlab.picture")
    session.write_text("; with memory=64M\n>1 alloc_pages 6\n>2 free $1\n>3 check\n")
    path = tmp_path / "map.png"
    assert main(["map", str(session), "-o", str(path)]) == 0
    assert has_color(pixels(path), picture.OWNERS[0])
    assert main(["map", str(session), "--upto", "3", "-o", str(path)]) == 0
    assert not has_color(pixels(path), picture.OWNERS[0])
    assert main(["plot", str(session), "-o", str(path.with_suffix(".html"))]) == 0
    assert '"start":1,' in path.with_suffix(".html").read_text()


@pytest.mark.parametrize("what", ["history", "fragmentation", "largest"])
def test_plots_are_svg_with_the_names_of_the_areas(session: Path, tmp_path: Path, what: str
                                                   ) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "plot.svg"
    assert main(["plot", str(session), "--what", what, "-o", str(path)]) == 0
    text = path.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert {"lowest", "low"} <= {name for name in re.findall(r"<!-- (\w+)", text)}


@pytest.mark.parametrize("words", [["map", "-o", "x.gif"], ["plot", "/nowhere.t", "-o", "x.png"]])
def test_what_cannot_be_drawn_is_refused(words: list[str]) -> None:
    assert main(words) == 2


def test_a_map_without_a_picture_is_letters(session: Path, capsys: Any) -> None:
    assert main(["map", str(session)]) == 0
    assert "# allocated  R reserved" in capsys.readouterr().out


# ---- the page ----

@pytest.fixture
def browser() -> Iterator[Any]:
    """A real one, without a window."""
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("no chromium-driver")
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1600",
                 "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(service=Service(driver), options=options)
    yield started
    started.quit()


def test_the_page_steps_through_time_and_tells_whose_a_page_is(session: Path, tmp_path: Path,
                                                               browser: Any) -> None:
    path = tmp_path / "page.html"
    session.write_text(MAPPED)
    assert main(["plot", str(session), "-o", str(path)]) == 0
    text = path.read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)     # all in one file
    browser.get(path.as_uri())
    assert browser.execute_script("return document.body.dataset.ready") == "yes"

    def find(name: str) -> Any:
        return browser.find_element("id", name)

    def told_at(cell: int, area: str = "low") -> str:
        browser.execute_script("""
            const canvas = arguments[0], box = canvas.getBoundingClientRect();
            canvas.dispatchEvent(new MouseEvent("mousemove", {
                clientX: box.left + (arguments[1] + 0.5) * box.width / 128,
                clientY: box.top + 1}));""", find(f"map-{area}"), cell)
        return str(find("told").text)
    assert "2 pages, vmalloc, request 8: vmalloc 8K guard=back" in told_at(1, sampling.WINDOW)
    assert told_at(2, sampling.WINDOW).endswith("1 page, guard of a range")
    for _ in range(3):
        find("back").click()
    assert find("caption").text == "after request 7: free $1"
    assert told_at(1, sampling.WINDOW).endswith("4 pages, free")
    assert told_at(0) == "0x0000000001000000 4 pages, allocated, request 6: alloc_pages 2 at=16M"
    assert "page, free" in told_at(5) or "pages, free" in told_at(5)
    find("back").click()
    find("back").click()
    assert find("caption").text == "after request 5: reserve 12M 16"
    assert "allocated" not in told_at(0)
    ink = browser.execute_script(
        "return Array.from(document.getElementById('map-lowest').getContext('2d')"
        ".getImageData(4, 4, 1, 1).data)")
    assert ink[3] == 255
    assert len(browser.find_elements("css selector", "figure svg")) == 3
    assert len(browser.find_elements("css selector", "tbody tr")) == 3
    assert browser.get_log("browser") == []


def test_text_in_a_transcript_cannot_break_the_page(tmp_path: Path, browser: Any) -> None:
    evil = tmp_path / "evil.t"
    evil.write_text(">1 mark </script><script>document.title='broken'</script>\n>2 alloc_page\n")
    path = tmp_path / "page.html"
    assert main(["plot", str(evil), "-o", str(path)]) == 0
    browser.get(path.as_uri())
    assert browser.execute_script("return document.body.dataset.ready") == "yes"
    assert browser.title == "evil.t"


# ---- the live view ----

def test_top_shows_map_areas_events_and_the_line(guest: Guest) -> None:
    rich = pytest.importorskip("rich.console")
    from pfnlab import top
    console = rich.Console(file=io.StringIO(), width=130, height=40)
    shown = top.Top(guest, console)
    shown.run(load.transcript_load(guest, Transcript(SESSION)))
    text = console.file.getvalue()
    for part in ("lowest", "free blocks by order", "alloc ", "(4)", "reserve ", "round trip", "#"):
        assert part in text, part
