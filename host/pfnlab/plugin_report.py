# SPDX-License-Identifier: MIT
"""The pytest plugin's part that tells of failures: on the terminal, in JUnit's file, in TAP, and in
files beside."""
from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from _pytest.junitxml import xml_key

from pfnlab import debugger, errors, report
from pfnlab.bench import commit
from pfnlab.guest import Guest
from pfnlab.qmp import MonitorError
from pfnlab.tap import TapFile


@dataclass
class Used:
    """A guest that a test uses, and the tag of the first request that is the test's."""

    guest: Guest
    first_tag: int


SEED = pytest.StashKey[int]()      # in the configuration: that of the run
_used_key = pytest.StashKey[list[Used]]()


def used_by(node: pytest.Item) -> list[Used]:
    """The guests that a test has used so far."""
    nothing: list[Used] = []
    return node.stash.get(_used_key, nothing)


def use(node: pytest.Item, guest: Guest) -> None:
    """The test's report shall tell of this guest."""
    node.stash[_used_key] = [*used_by(node), Used(guest, guest.link.next_tag)]
    node.user_properties += [
        ("pfnlab_guest", guest.name), ("pfnlab_schema", f"{guest.link.limit('schema', 0):#06x}"),
        ("pfnlab_started", shlex.join(guest.transport.argv))]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this part."""
    group = parser.getgroup("pfnlab")
    group.addoption("--artifacts", metavar="DIR",
                    help="where failed tests leave their transcripts, logs and maps (default: "
                         "pytest's temporary directory)")
    group.addoption("--gdb-on-fail", action="store_true",
                    help="wait at a failure, the guest stopped as it is, and tell how to attach "
                         "gdb")
    group.addoption("--tap", metavar="FILE", help="write the results as TAP version 13")


def pytest_configure(config: pytest.Config) -> None:
    """TAP is written where the results come together."""
    if config.getoption("tap") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(TapFile(Path(config.getoption("tap"))), "pfnlab-tap")


def pytest_sessionstart(session: pytest.Session) -> None:
    """In JUnit's file, what the run was of."""
    if xml_key in session.config.stash:
        for name, value in (("seed", session.config.stash[SEED]), ("commit", commit())):
            session.config.stash[xml_key].add_global_property(f"pfnlab_{name}", str(value))


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Generator[None, Any, None]:
    """Show the guest behind a failure; a panic that was expected is none."""
    outcome = yield
    result = outcome.get_result()
    if result.when == "call":
        _expected_panic(item, call, result)
    if result.when == "teardown" or not result.failed:
        return
    error = call.excinfo.value if call.excinfo is not None else None
    for number, used in enumerate(used_by(item)):
        _tell(item, result, error, used, number)
    _section(result, "run it again", command_line(item))


def _expected_panic(item: pytest.Item, call: pytest.CallInfo[None], result: Any) -> None:
    mark = item.get_closest_marker("expect_panic")
    if mark is None or result.skipped:
        return
    named = dict(zip(("kind", "at"), mark.args)) | mark.kwargs
    wanted = [f"{key}={value}" for key, value in named.items()]
    panic = next((used.guest.link.reason for used in used_by(item)
                  if isinstance(used.guest.link.reason, errors.GuestPanic)), None)
    raised = call.excinfo.value if call.excinfo is not None else None
    if panic is not None and isinstance(raised, (errors.GuestPanic, type(None))) and all(
            re.search(rf"\b{re.escape(word)}", str(panic)) for word in wanted):
        result.outcome, result.longrepr = "passed", None
    elif panic is not None or raised is None:
        result.outcome = "failed"
        result.longrepr = (f"{' '.join(['a panic', *wanted])} was expected; "
                           + (str(panic) if panic else "there was none"))


def _tell(item: pytest.Item, result: Any, error: BaseException | None, used: Used,
          number: int) -> None:
    """A guest's report: into the failure itself, so that JUnit has it, and into files."""
    if item.config.getoption("gdb_on_fail"):
        _wait_for_debugger(item, used.guest, error)
    full = report.full_report(used.guest, error, used.first_tag)
    if isinstance(error, errors.GuestSilent):
        used.guest.kill()
    directory = _directory(item, number)
    report.write_files(full, directory)
    _section(result, "what happened", full.reason)
    for title, text in full.sections:
        _section(result, title, text)
    files = "\n".join(sorted(str(path) for path in directory.iterdir()))
    _section(result, "files", files)
    _section(result, "replay: here, natively under sanitizers, under gdb",
             report.command_lines(used.guest, directory, _program("pfnlab")))


def _section(result: Any, title: str, text: str) -> None:
    if hasattr(result.longrepr, "addsection"):
        result.longrepr.addsection(title, text, "-")
    else:
        result.longrepr = f"{result.longrepr}\n{f' {title} ':-^80}\n{text}"


def _directory(item: pytest.Item, number: int) -> Path:
    """A place of the failed test's own."""
    name = re.sub(r"[^\w.-]+", "-", item.nodeid.replace("::", "-"))[-120:].strip("-")
    name += f"-{number}" if number else ""
    chosen = item.config.getoption("artifacts")
    if chosen:
        return Path(chosen).resolve() / name
    factory: Any = getattr(item.config, "_tmp_path_factory")
    return Path(factory.getbasetemp()) / "pfnlab" / name


def _wait_for_debugger(item: pytest.Item, guest: Guest, error: BaseException | None) -> None:
    """Hold everything, as --pdb does: gdb on the guest as it is, or until Enter or the end of the
    input."""
    manager: Any = item.config.pluginmanager.getplugin("capturemanager")
    if manager is not None:
        manager.suspend(in_=True)
    try:
        print(f"\npfnlab: {item.nodeid}: {report.reason_of(error, guest)}", flush=True)
        if guest.dead:
            debugger.pause("the guest is gone")
            return
        try:
            debugger.hold(guest.open_to_debugger())
            guest.close_to_debugger()
        except MonitorError as trouble:
            debugger.pause(str(trouble))
    finally:
        if manager is not None:
            manager.resume()


def command_line(item: pytest.Item) -> str:
    """What runs this one test again."""
    option = item.config.option
    words = []
    for plugin in option.plugins:
        words += ["-p", plugin] if plugin.startswith("pfnlab") else []
    for name in option.guest:
        words += ["--guest", name]
    words += ["--memory", option.memory] if option.memory else []
    if option.seed is not None or "seed" in getattr(item, "fixturenames", ()):
        words += ["--seed", str(item.config.stash[SEED])]
    words.append("::".join([os.path.relpath(item.path), *item.nodeid.partition("::")[2].split("::")]
                           ))
    return f"{_program('pytest')} {shlex.join(words)}"


def _program(module: str) -> str:
    places = os.environ.get("PYTHONPATH")
    front = f"PYTHONPATH={shlex.quote(places)} " if places else ""
    return f"{front}{shlex.quote(sys.executable)} -m {module}"
