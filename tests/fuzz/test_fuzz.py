# SPDX-License-Identifier: MIT
"""`pfnlab fuzz` itself: it runs what the table tells, repeats, finds, shrinks, and its transcripts
show again what it found."""
from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from pfnlab import Guest, errors, wire
from pfnlab.cli import main
from pfnlab.fuzz import Figures, Life, Limit, campaign, live, new_life
from pfnlab.fuzz_choices import Dice, Habits, undone_by, usable_pages
from pfnlab.fuzz_lines import LARGE, MOOD, MUCH, NOT_FUZZED, Lines
from pfnlab.fuzz_machine import machine_campaign
from pfnlab.memory_map import MemoryMap
from pfnlab.model import Pages
from pfnlab.model_heap import Heap
from pfnlab.replica import WINDOW, Exchange, Replica
from pfnlab.request import Request
from pfnlab.table import Argument, Command
from pfnlab.transcript import Mismatch, Run, Step, Transcript
from pfnlab.values import PAGE_SIZE

MAP = MemoryMap([("low", 1 << 24), ("rest", 1 << 52)], [(0x100000, 0x800000, "usable")])

MOST = 8000                       # commands, until a difference must be found


def lines_of(guest: Guest, count: int = 12000, **more: Any) -> list[str]:
    """So many lines."""
    lines, dice = Lines(guest.table, MAP, WINDOW, **more), Dice(random.Random(1))
    return [lines.line(dice) for _ in range(count)]


@pytest.mark.only("native")
def test_every_command_and_every_argument_of_the_table_comes(guest: Guest) -> None:
    said = lines_of(guest, 24000)
    for command in guest.table.commands.values():
        if command.kind == "session" or command.name in NOT_FUZZED:
            continue
        mine = [line.split() for line in said if line.split()[0] == command.name]
        assert mine, command.name
        for key in (a.name for a in command.arguments if a.role == "key"):
            assert any(word.startswith(f"{key}=") for words in mine for word in words), key


@pytest.mark.only("native")
def test_a_value_is_a_number_or_a_word(guest: Guest) -> None:
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    said = [lines.line(dice, guest.table.commands["cpu"]).split()[2] for _ in range(50)]
    assert any(map(str.isdigit, said)) and not all(map(str.isdigit, said))


@pytest.mark.only("native")
def test_a_command_that_is_new_in_the_table_is_fuzzed(guest: Guest) -> None:
    new = Command("vmalloc", "mutator", (Argument("arg", "size", "size"),
                                         Argument("key", "align", "align")), "address", "New")
    table = replace(guest.table, commands={**guest.table.commands, "vmalloc": new})
    lines, dice = Lines(table, MAP, WINDOW), Dice(random.Random(1))
    said = [lines.line(dice) for _ in range(2000)]
    assert any(line.startswith("vmalloc ") and " align=" in line for line in said)


@pytest.mark.only("native")
def test_a_line_comes_many_times_in_a_row_with_other_addresses(guest: Guest) -> None:
    longest: dict[str, int] = {}
    for same, row in groupby(lines_of(guest)):
        longest[same] = max(longest.get(same, 0), len(list(row)))
    assert max(n for line, n in longest.items() if line.startswith("malloc ")) > 8
    names = [(name, len(list(row))) for name, row in groupby(
        line.split()[0] for line in lines_of(guest))]
    assert max(n for name, n in names if name == "free") > 8


@pytest.mark.only("native")
def test_few_commands_come_for_a_while_with_those_that_they_have_to_do_with(guest: Guest) -> None:
    habits: Habits = {("unreserve", "page"): ["reserve"]}
    lines, dice = Lines(guest.table, MAP, WINDOW, habits=habits), Dice(random.Random(1))
    lines.narrow_down(dice)
    moods = []
    for _ in range(240):
        begins, names = lines.tag, set()
        while lines.tag < begins + MOOD:
            names.add(lines.line(dice).split()[0])
        moods.append(names)
    few = [names for names in moods if len(names) < len(lines.commands) // 4]
    one, both = ([names for names in few if how(("reserve" in names, "unreserve" in names))]
                 for how in (any, all))
    assert 40 < len(few) < 200 and len(both) > len(one) // 3 > 0


@pytest.mark.only("native")
def test_what_lives_is_taken_where_many_others_would_do_as_well(guest: Guest) -> None:
    did = [name for name, command in guest.table.commands.items() if command.result == "address"]
    lines = Lines(guest.table, MAP, WINDOW, habits={("fill", "address"): did})
    alloc_page, fill = (guest.table.commands[name] for name in ("alloc_page", "fill"))
    dice = Dice(random.Random(1))
    lines.line(dice, alloc_page)
    assert sum("$1" in lines.line(dice, fill) for _ in range(200)) > 120


@pytest.mark.only("native")
def test_where_something_was_done_is_looked_at_again(guest: Guest) -> None:
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    place = f"{MAP.ranges[0][0] + 77 * PAGE_SIZE:#x}"
    reserve = guest.table.commands["reserve"]
    while f" {place} " not in lines.line(dice, reserve):
        lines.gone(lines.tag)             # it was refused: no place to go back to
    lines.live.clear()
    refused = [lines.line(dice, reserve) for _ in range(50)]
    lines.worked(lines.tag - 50)
    again = [lines.line(dice, reserve) for _ in range(200)]
    assert sum(place in line for line in again) > 4 * sum(place in line for line in refused) + 5


@pytest.mark.only("native")
def test_a_share_of_what_is_inside_a_result_or_behind_is_told_by_it(guest: Guest) -> None:
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    lines.line(dice, guest.table.commands["malloc"])
    at, size = WINDOW[0], lines.live[1].size
    lines.placed(1, at)
    said = [lines.line(dice, guest.table.commands["poke"]).split()[1] for _ in range(1000)]
    behind = [int(word.removeprefix("$1+")) for word in said if word.startswith("$1+")]
    by_address = {int(word, 16) - at for word in said if re.fullmatch("0x[0-9a-f]+", word)}
    assert 10 < len(behind) < 100 and min(by_address) < 0 <= min(behind)
    assert size <= max(behind) < size + PAGE_SIZE and len(set(behind)) > 5


@pytest.mark.only("native")
def test_what_was_reserved_is_free_before_and_given_back_whole(guest: Guest) -> None:
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    reserve, unreserve = (guest.table.commands[name] for name in ("reserve", "unreserve"))
    base, size, _ = MAP.ranges[0]
    for tag, words in enumerate((lines.line(dice, reserve).split() for _ in range(40)), 1):
        at = int(words[1], 16) if words[1].startswith("0x") and len(words[1]) > 2 else 0
        if base <= at < base + size:
            lines.placed(tag, at)
        else:
            lines.gone(tag)
    taken = {f"${tag}": -(-result.size // PAGE_SIZE) for tag, result in lines.live.items()}
    assert len(taken) > 25
    ends = [lines.line(dice, unreserve).split() for _ in range(20)]
    assert sum(words[1] in taken for words in ends) > 12
    assert sum(taken.get(words[1]) == int(words[2]) for words in ends) > 8
    assert {f"${tag}" for tag in lines.live} == taken.keys() - {words[1] for words in ends}


@pytest.mark.only("native")
def test_a_size_goes_up_to_the_next_result(guest: Guest) -> None:
    habits: Habits = {("realloc", "address"): ["malloc"]}
    lines, dice = Lines(guest.table, MAP, WINDOW, habits=habits), Dice(random.Random(1))
    malloc, realloc = (guest.table.commands[name] for name in ("malloc", "realloc"))
    gap, exactly = 77 * PAGE_SIZE, 0
    for _ in range(200):
        lines.live.clear()
        for at in (WINDOW[0], WINDOW[0] + gap):
            lines.line(dice, malloc)
            lines.placed(lines.tag, at)
        first = next(iter(lines.live))
        exactly += lines.line(dice, realloc).startswith(f"realloc ${first} {gap}")
    assert exactly > 5


@pytest.mark.only("native")
def test_whole_blocks_are_reserved_and_places_are_next_to_large_multiples(guest: Guest) -> None:
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    blocks = []
    for _ in range(400):
        words = lines.line(dice, guest.table.commands["reserve"]).split()
        lines.live.clear()
        if all(re.fullmatch("0x[0-9a-f]+|[0-9]+", word) for word in words[1:3]):
            pages = int(words[2])
            blocks.append(pages >= 64 and pages & (pages - 1) == 0
                          and int(words[1], 0) % (pages * PAGE_SIZE) == 0)
    assert sum(blocks) > 20
    edge = sum(lines._address(dice) + 2 * PAGE_SIZE & -4 * PAGE_SIZE in (0x400000, 0x600000)
               for _ in range(1000))
    assert edge > 20


@pytest.mark.only("native")
def test_a_share_of_sizes_is_all_up_to_an_edge_of_the_map_or_a_result(guest: Guest) -> None:
    """To the byte, unless that is very much."""
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    malloc, edge = guest.table.commands["malloc"], MAP.ranges[0][0]
    for at in (edge - 3 * PAGE_SIZE, edge + 5 * PAGE_SIZE):
        lines.line(dice, malloc)
        lines.placed(lines.tag, at)
    lines._at = edge - 3 * PAGE_SIZE
    assert 110 < sum(lines._size(dice) == 3 * PAGE_SIZE for _ in range(1000)) < 250
    lines._at = edge
    assert 110 < sum(lines._size(dice) == 5 * PAGE_SIZE for _ in range(1000)) < 250
    lines._at = edge - MUCH - PAGE_SIZE
    lines.live.clear()
    assert max(lines._size(dice) for _ in range(1000)) < MUCH


@pytest.mark.only("native")
def test_a_share_of_alignments_is_large_and_few_are_larger_than_memory(guest: Guest) -> None:
    lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(1))
    said = [lines.line(dice, guest.table.commands["vmemalign"]).split()[1] for _ in range(2000)]
    aligns = [int(word) for word in said if word.isdigit() and not int(word) & int(word) - 1]
    assert len(aligns) > 1900
    assert 50 < sum(1 << 12 < align <= 1 << LARGE for align in aligns) < 200
    assert 5 < sum(align > 1 << LARGE for align in aligns) < 60


def test_usable_pages_are_those_of_no_reserved_range() -> None:
    ranges = [(0x1000, 0x5000, "usable"), (0x2800, 0x2000, "reserved"),
              (0x10800, 0x20000, "usable")]
    assert usable_pages(MemoryMap([], ranges)) == [(0x11000, 31), (0x1000, 1), (0x5000, 1)]
    assert usable_pages(MemoryMap([], [(0x800, 0x10, "usable")])) == [(0, 1)]


@pytest.mark.only("native")
def test_little_is_undone_before_it_is_done(guest: Guest) -> None:
    assert undone_by([*guest.table.commands.values()]) == {"unreserve": "reserve"}
    first = []
    for seed in range(60):
        lines, dice = Lines(guest.table, MAP, WINDOW), Dice(random.Random(seed))
        names = (lines.line(dice).split()[0] for _ in range(5000))
        first.append(next(name for name in names if name in ("reserve", "unreserve")))
    assert first.count("unreserve") < 15


@pytest.mark.only("native")
def test_behind_what_was_asked_for_with_a_flag_is_written_before_it_is_freed(guest: Guest) -> None:
    habits: Habits = {(name, "address"): ["malloc"] for name in ("poke", "free")}
    written = 0
    for seed in range(240):
        lines, dice = Lines(guest.table, MAP, WINDOW, habits=habits), Dice(random.Random(seed))
        while "redzone=1" not in lines.line(dice, guest.table.commands["malloc"]):
            lines.gone(lines.tag)
        tag, end = lines.tag, WINDOW[0] + lines.live[lines.tag].size
        lines.placed(tag, WINDOW[0])
        said = [lines.line(dice) for _ in range(60) if tag in lines.live]
        near = [f"poke {at}" for more in range(16)
                for at in (f"{end + more:#x}", f"${tag}+{end + more - WINDOW[0]}")]
        written += any(line.startswith(one + " ") for line in said for one in near)
    assert written > 40


def test_a_life_is_answered_as_the_model_says(guest: Guest) -> None:
    figures = Figures()
    for number in range(4 if guest.arch == "native" else 1):
        life = new_life(guest, random.Random(f"8/{number}"))
        assert live(guest, life, figures, 400 if guest.arch == "native" else 150) is None
    assert figures.answers["="] > figures.commands // 4     # most of it is no nonsense


@pytest.mark.only("native")
def test_memory_becomes_full_in_some_lives_and_they_go_on(guest: Guest) -> None:
    lives = [new_life(guest, random.Random(f"few/{i}")) for i in range(60)]
    small = [one for one in lives if one.memory_map.usable < 24 * 11 * PAGE_SIZE]
    assert 5 < len(small) < 30
    figures = Figures()
    assert all(live(guest, one, figures) is None for one in small[:4])
    assert figures.answers["mem.none"] > 40 and figures.answers["="] > figures.commands // 4


@pytest.mark.only("native")
def test_a_reply_that_the_line_lost_is_no_difference(guest: Guest,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(run: Run, request: Request) -> Request:
        if right(run, request).kind == "query":
            lost.append(request)
            raise errors.LinkLost(request.text())
        return request
    right, lost, figures = Run.wait, [], Figures()
    monkeypatch.setattr(Run, "wait", wait)
    assert live(guest, new_life(guest, random.Random("7/0")), figures, 100) is None
    assert lost and figures.commands > 50


@pytest.mark.only("native")
@pytest.mark.parametrize("late", [False, True])
def test_a_difference_before_an_end_is_what_is_told(guest: Guest, late: bool,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the end is noticed by waiting for a reply, or by a line that nobody takes."""
    def submit(run: Run, step: Step) -> Request:
        if late and step.text == "alloc_page pin":
            guest.transport.wait(20)
        return right(run, step)
    right = Run.submit
    monkeypatch.setattr(Run, "submit", submit)
    monkeypatch.setattr(Life, "make", lambda life, count: map(
        life.add, ["alloc_page", "free 0x1000 77", "panic", "alloc_page pin"]))
    monkeypatch.setattr(Replica, "follow", lambda replica, exchange: (
        "= 5" if exchange.text.startswith("free") else None))
    told = live(guest, new_life(guest, random.Random("7/0")), Figures(), 4)
    assert told is not None and told.endswith("the model says = 5")


@pytest.mark.only("native")
def test_a_seed_repeats_a_campaign(guest: Guest) -> None:
    first, second = (new_life(guest, random.Random("3/0")) for _ in range(2))
    assert [s.text for s in first.make(100)] == [s.text for s in second.make(100)]


@pytest.mark.only("native")
@pytest.mark.parametrize("how", [campaign, machine_campaign])
def test_a_difference_becomes_a_short_transcript_that_shows_it(
        guest: Guest, how: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def wrong(pages: Pages, first: int, count: int | None = None) -> int:
        return right(pages, first, count) + 1
    right = Pages.free
    monkeypatch.setattr(Pages, "free", wrong)
    figures = how("native", 2, Limit(commands=MOST), tmp_path)
    assert len(figures.found) == 1
    transcript = Transcript(Path(figures.found[0]).read_text())
    requests = [step for step in transcript.steps if not step.text.startswith("map_")]
    assert len(requests) <= 3
    with pytest.raises(Mismatch):
        transcript.replay(guest)


@pytest.mark.only("native")
def test_success_without_a_word_where_the_model_refuses_is_a_difference(guest: Guest) -> None:
    model = new_life(guest, random.Random("3/0")).model
    final = wire.parse(b"=1")
    assert final is not None
    told = model.follow(Exchange(1, "unreserve 0x1 1", final, []))
    assert told is not None and "mem.unaligned" in told


@pytest.mark.only("native")
def test_a_difference_that_no_reply_shows_is_seen_in_a_dump(
        guest: Guest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A block keeps a page if exactly one is too many."""
    def wrong(heap: Heap, place: Any, size: int) -> bool:
        return size == heap.blocks[place].size - PAGE_SIZE or right(heap, place, size)
    right = Heap._resized
    monkeypatch.setattr(Heap, "_resized", wrong)
    figures = campaign("native", 4, Limit(commands=4 * MOST), tmp_path)
    assert len(figures.found) == 1
    transcript = Transcript(Path(figures.found[0]).read_text())
    assert len([step for step in transcript.steps if not step.text.startswith("map_")]) <= 3
    with pytest.raises(Mismatch):
        transcript.replay(guest)


def test_the_verb_tells_its_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["fuzz", "native", "--fast", "--commands", "400", "--seed", "4", "-o", str(tmp_path)]
    assert main(words) == 0
    assert "seed 4" in capsys.readouterr().out


def test_the_verb_twins_needs_two_guests(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["twins", "native"]) == 2
    assert main(["twins", "native", "native?engine=tree", "--commands", "300", "--seed", "1"]) == 0
    assert "all replies were equal" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--time", "1x"], ["--time", "-1"], ["--seed", "x"],
                                   ["--commands", "many"]])
def test_nonsense_is_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fuzz", *words])
    assert caught.value.code == 2


@pytest.mark.parametrize("verb", [["fuzz", "native", "--fast"], ["twins", "native", "native"]])
def test_a_place_for_what_is_found_is_made_beforehand(verb: list[str], tmp_path: Path) -> None:
    """Not after hours, when there is something that could be lost."""
    (tmp_path / "file").touch()
    assert main([*verb, "--commands", "1", "-o", str(tmp_path / "file/found")]) == 2
    assert main([*verb, "--commands", "1", "-o", str(tmp_path / "new/found")]) == 0
    assert (tmp_path / "new/found").is_dir()


@pytest.mark.parametrize("verb", [["fuzz", "native"], ["twins", "native", "native"]])
def test_a_map_that_would_not_be_used_is_refused(verb: list[str], capsys: Any) -> None:
    assert main(["--map", "laptop", *verb, "--commands", "1"]) == 2
    assert "no --map" in capsys.readouterr().err
