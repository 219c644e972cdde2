# SPDX-License-Identifier: MIT
"""The pages beside the code say what the guest says."""
from __future__ import annotations

import binascii
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "build/native/pfnlab"
SPECIFICATION = (ROOT / "protocol/PROTOCOL.md").read_text()
EXAMPLE = re.findall(r"^    (->|<-) (.*)$", SPECIFICATION, re.MULTILINE)
SEALED = re.compile(r"^(?:    (?:[-<>]{2} )?)([>=?:%].*) \*([0-9a-f]{4})$", re.MULTILINE)
VECTOR = re.compile(r"^\| (?:`(.+)`|\(none\)) \| `([0-9a-f]{4})` \|$", re.MULTILINE)
DAMAGED = "frXe"                  # the one request whose checksum is wrong on purpose


def answer(requests: str) -> list[str]:
    """What the native guest answers, line by line."""
    done = subprocess.run([GUEST], input=requests.encode(), capture_output=True, check=True,
                          timeout=60)
    return done.stdout.decode("ascii").split("\r\n")


def checksum(text: str) -> str:
    """As section 4 of the specification says."""
    return f"{binascii.crc_hqx(text.encode(), 0xffff):04x}"


def test_commands_md_is_fresh() -> None:
    page = subprocess.run([sys.executable, ROOT / "protocol/commands_doc.py",
                           ROOT / "kernel/errors.def"], input="\n".join(answer("> help\n")),
                          capture_output=True, text=True, check=True).stdout
    assert page == (ROOT / "protocol/COMMANDS.md").read_text(), "stale: run `make doc`"


@pytest.mark.parametrize(("text", "crc"), VECTOR.findall(SPECIFICATION))
def test_checksum_vectors_of_the_specification(text: str, crc: str) -> None:
    assert checksum(text) == crc


def test_every_sealed_line_of_the_specification_has_its_checksum() -> None:
    sealed = [(text, crc) for text, crc in SEALED.findall(SPECIFICATION) if DAMAGED not in text]
    assert len(sealed) > 30
    assert [(text, checksum(text)) for text, _ in sealed] == sealed


@pytest.mark.parametrize("name", ["protocol/PROTOCOL.md", "README.md"])
def test_the_number_of_the_table_is_that_of_the_day(name: str, tmp_path: Path) -> None:
    page = (ROOT / name).read_text()
    copy = tmp_path / "page.md"
    copy.write_text(re.sub(r"(?<= schema=)0x[0-9a-f]{4}( \*[0-9a-f]{4})?$",
                           lambda found: "0x0000" + (" *0000" if found[1] else ""), page,
                           flags=re.MULTILINE))
    assert copy.read_text() != page
    subprocess.run([sys.executable, ROOT / "protocol/schema_doc.py", copy],
                   input="\n".join(answer("> help\n")), text=True, check=True)
    assert copy.read_text() == page, "stale: run `make doc`"


def test_the_worked_example_happens_as_it_is_written() -> None:
    requests = "\x03\n" + "".join(line + "\n" for way, line in EXAMPLE if way == "->")
    expected = [line for way, line in EXAMPLE if way == "<-"]
    said = [line for line in answer(requests) if line[:1] in tuple("=?:%")]
    assert len(expected) > 20
    assert [line for line in said if not line.startswith("% boot")] == expected


def test_schema_is_the_checksum_of_the_help_rows() -> None:
    lines = answer("> help\n> sync 1\n")
    rows = "".join(line + "\n" for line in lines if line.startswith(": "))
    assert any(line.endswith(f" schema=0x{checksum(rows)}") for line in lines)


def test_the_table_of_scenarios_is_true() -> None:
    place = ROOT / "tests/scenarios"
    page = (place / "README.md").read_text()
    told = [name for name in re.findall(r"`(\S+\.(?:t|py))`", page) if "*" not in name]
    assert [name for name in told if not (place / name).exists()] == []
    rows = dict(re.findall(r"^\| (S\d\d) \|.*\| (.*) \|$", page, re.M))
    assert list(rows) == [f"S{number:02}" for number in range(1, 46)]
    for path in place.glob("S*.t"):
        assert f"`{path.name}`" in rows[path.name[:3]]
    assert all(f"`{name}-" in files for name, files in rows.items())
