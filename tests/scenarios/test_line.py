# SPDX-License-Identifier: MIT
"""The naked line: what may arrive on it, and what is said to that."""
from __future__ import annotations

import time

import pytest

from pfnlab import Guest, wire
from tests.scenarios.support import Wire

LONG = 1023


def crc(text: str) -> bytes:
    """A request as a strict session takes it."""
    return wire.seal(text)


# ---- lines ----

@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_line_ends_with_lf_cr_or_both(line: Wire, end: bytes) -> None:
    assert line.talk(b"> echo 5" + end + b"> echo 6" + end) == ["= 5", "= 6"]


def test_empty_lines_are_ignored(line: Wire) -> None:
    assert line.talk(b"\n\r\n\n> echo 5\n\n") == ["= 5"]


def test_a_tag_is_mirrored(line: Wire) -> None:
    assert line.talk(b">17 echo 5\n") == ["=17 5"]
    assert line.talk(b">18 nonsense\n")[0].startswith("?18 call.command")
    assert all(row.startswith((":19 ", "=19 ")) for row in line.talk(b">19 areas\n"))


def test_a_checksum_is_mirrored(line: Wire, guest: Guest) -> None:
    line.talk(b"")
    guest.link.raw(crc(">5 echo 7"))
    guest.link.raw(b">6 echo 8\n")
    answers = []
    while len(answers) < 2:
        data = line.link.take(line._deadline())
        assert data is not None
        if data[:1] in b"=?":
            answers.append(wire.parse(data))
    assert [(a.raw, a.sealed) for a in answers if a] == [("=5 7", True), ("=6 8", False)]


def test_a_wrong_checksum_is_refused(line: Wire) -> None:
    assert line.talk(b">5 echo 7 *0000\n")[0].startswith("? link.crc")


def test_the_longest_line_runs(line: Wire) -> None:
    text = b"> echo 5" + b" " * (LONG - 8)
    assert line.talk(text + b"\n") == ["= 5"]


@pytest.mark.parametrize("surplus", [1, 2, 500, 5000])
def test_a_longer_line_is_one_error_and_its_rest_is_not_run(line: Wire, surplus: int) -> None:
    text = b"> echo 5" + b" " * (LONG - 8) + b"\x20" * (surplus - 1) + b"6"
    answers = line.talk(text + b"\n> echo 7\n")
    assert len(answers) == 2
    assert answers[0].startswith("? link.long")
    assert answers[1] == "= 7"


@pytest.mark.parametrize("byte", [b"\0", b"\x01", b"\x1b", b"\x7f", b"\x80", b"\xff", b"\xc3\xa4"])
def test_a_byte_that_is_not_printable_spoils_its_line_only(line: Wire, byte: bytes) -> None:
    answers = line.talk(b"> echo " + byte + b"5\n> echo 7\n")
    assert [a.split(" ;")[0].split(" last")[0] for a in answers] == ["? link.byte", "= 7"]


def test_a_tab_is_a_blank(line: Wire) -> None:
    assert line.talk(b">\techo\t5\n") == ["= 5"]


def test_half_a_line_runs_only_with_its_end(line: Wire) -> None:
    line.link.raw(b"> ec")
    assert line.talk(b"ho 5\n") == ["= 5"]


def test_an_interrupt_drops_half_a_line(line: Wire) -> None:
    line.link.raw(b"> alloc_pa")
    assert line.talk(b"\x03\n> echo 5\n") == ["= 5"]


def test_an_interrupt_stops_nothing_that_comes_after_it(line: Wire) -> None:
    stress = b"> stress 2000\n"
    assert line.talk(b"\x03" * 40 + b"\n" + 3 * stress) == 3 * ["= 2000 fails=0"]


def test_an_interrupt_may_be_sent_with_what_it_stops(line: Wire) -> None:
    answers = line.talk(b"> echo 1\n> stress 4T\n\x03> stress 2000\n")
    assert answers[0] == "= 1" and answers[2] == "= 2000 fails=0"
    assert answers[1].startswith("? stop.interrupted")


def test_an_interrupt_stops_what_has_run_for_a_while(line: Wire) -> None:
    """After a fault, too, which takes a way back of its own to where interrupts are on."""
    line.link.raw(b"> peek 0xfffffffffffffff8\n> stress 4T\n")
    time.sleep(0.2)
    answers = line.talk(b"\x03")
    assert [words.split()[1] for words in answers] == ["fault.address", "stop.interrupted"]


@pytest.mark.parametrize("answer", [b"= 5", b"=7 0x1000", b"? mem.none", b": row", b"% boot",
                                    b"; text", b"= 5 *0000"])
def test_an_answer_is_never_answered(line: Wire, answer: bytes) -> None:
    assert line.talk(answer + b"\n") == []


@pytest.mark.parametrize("text", [b">", b"> ", b">5", b">x echo 5", b">-1 echo 5", b">0 echo 5",
                                  b">4294967296 echo 5", b">05 echo 5", b">>5 echo 5", b">5  "])
def test_what_has_the_form_of_no_request_is_refused(line: Wire, text: bytes) -> None:
    answers = line.talk(text + b"\n")
    assert len(answers) == 1
    assert "link.form" in answers[0]


def test_a_row_may_be_typed_back(line: Wire) -> None:
    block = line.talk(b"> alloc_pages 2\n")[0].split()[1]
    assert line.talk(f"> free {block}\n".encode()) == ["= 4"]


# ---- the strict session ----

def test_a_line_runs_if_its_tag_is_the_next(line: Wire) -> None:
    last = line.begin_strict()
    assert line.talk(crc(f">{last + 1} echo 5")) == [f"={last + 1} 5"]


@pytest.mark.parametrize("step", [2, 3, 100, -1])
def test_any_other_tag_is_refused_and_nothing_runs(line: Wire, step: int) -> None:
    last = line.begin_strict()
    line.talk(crc(f">{last + 1} echo 1") + crc(f">{last + 2} echo 1"))
    last += 2
    answers = line.talk(crc(f">{last + step} alloc_page"))
    assert answers[0].startswith(f"?{last + step} link.seq last={last}")
    assert len(answers) == 1


def test_a_line_without_checksum_is_refused_in_it(line: Wire) -> None:
    last = line.begin_strict()
    assert line.talk(f">{last + 1} alloc_page\n".encode())[0].startswith(f"? link.crc last={last}")


def test_a_damaged_line_tells_what_ran_last_and_runs_not(line: Wire) -> None:
    last = line.begin_strict()
    damaged = crc(f">{last + 1} alloc_page").replace(b"page", b"paga")
    assert line.talk(damaged)[0].startswith(f"? link.crc last={last}")
    assert line.talk(crc(f">{last + 1} echo 5")) == [f"={last + 1} 5"]


def test_the_last_mutator_is_answered_again_from_memory(line: Wire) -> None:
    last = line.begin_strict()
    request = crc(f">{last + 1} alloc_page")
    first, second = line.talk(request), line.talk(request)
    assert first == second
    assert line.talk(crc(f">{last + 2} alloc_page"))[0].split()[1] != first[0].split()[1]


def test_a_mutator_that_answers_without_a_number_is_not_run_twice(line: Wire) -> None:
    last = line.begin_strict()
    line.talk(crc(f">{last + 1} reserve 0x400000 2"))
    request = crc(f">{last + 2} unreserve 0x400000 1")
    assert line.talk(request) == line.talk(request) == [f"={last + 2}"]


def test_the_last_query_is_asked_again(line: Wire) -> None:
    last = line.begin_strict()
    request = crc(f">{last + 1} areas")
    assert line.talk(request) == line.talk(request)
    assert len(line.talk(request)) > 1


def test_another_request_under_the_last_tag_is_refused(line: Wire) -> None:
    last = line.begin_strict()
    line.talk(crc(f">{last + 1} alloc_page"))
    assert "link.seq" in line.talk(crc(f">{last + 1} alloc_pages 3"))[0]


def test_again_repeats_the_final_of_an_earlier_mutator(line: Wire) -> None:
    last = line.begin_strict()
    first = line.talk(crc(f">{last + 1} alloc_page"))[0]
    line.talk(crc(f">{last + 2} echo 1"))
    again = line.talk(crc(f">{last + 3} again {last + 1}"))[0]
    assert again == first.replace(f"={last + 1}", f"={last + 3}")


def test_a_sync_without_checksum_ends_the_strict_session(line: Wire) -> None:
    line.begin_strict()
    line.strict = False
    assert line.talk(b">0 sync 99\n")[0].startswith("=0 99 proto=1")
    assert line.talk(b"> echo 5\n") == ["= 5"]


def test_sync_tells_who_is_there(line: Wire, guest: Guest, guest_name: str) -> None:
    fields = wire.parse(line.talk(b">0 sync 77\n")[0].encode())
    assert fields is not None
    told = fields.row().fields
    assert told["proto"] == 1
    assert told["arch"] == guest_name.partition("?")[0]
    assert (told["page"], told["line"], told["rx"]) == (4096, LONG, 4096)
    assert {"slots", "vars", "last", "schema"} <= set(told)


def test_the_schema_is_the_checksum_of_the_rows_of_help(line: Wire, guest: Guest) -> None:
    rows = [row for row in line.talk(b"> help\n") if row.startswith(":")]
    data = "".join(row + "\n" for row in rows).encode()
    assert guest.link.hello["schema"] == int(wire.checksum(data), 16)


def test_a_whole_credit_window_may_be_under_way(line: Wire, guest: Guest) -> None:
    window = guest.link.limit("rx", 0)
    burst = b""
    while len(burst) + 80 < window:
        burst += b"> echo 5\n"
    count = burst.count(b"\n")
    assert line.talk(burst) == ["= 5"] * count


def test_binary_garbage_leaves_a_line_that_works(line: Wire) -> None:
    garbage = bytes((i * 167 + 13) % 256 for i in range(3000)).replace(b"\n", b"\1")
    line.link.raw(b">" + garbage.replace(b"\r", b"\1").replace(b"\x03", b"\1"))
    answers = line.talk(b"\x03\n> echo 5\n")
    assert answers[-1] == "= 5"
