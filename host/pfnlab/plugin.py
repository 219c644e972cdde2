# SPDX-License-Identifier: MIT
"""The pytest plugin: guests as fixtures, transcripts as tests, reports that show what happened."""
from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import]
import pytest

from pfnlab import errors, report
from pfnlab.guest import Guest
from pfnlab.transcript import Mismatch, Transcript
from pfnlab.spec import Spec, project_root

POOL_SIZE = 4                     # guests that a run keeps; they hold memory

_pool_key = pytest.StashKey[dict[str, Guest]]()
_used_key = pytest.StashKey[list[Guest]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this plugin."""
    group = parser.getgroup("pfnlab")
    group.addoption("--guest", "--arch", action="append", default=[], metavar="NAME", dest="guest",
                    help="run on this guest (repeatable; default: every architecture there is), "
                         "as in native or 'x86_64?memory=1G&boot=iso'")
    group.addoption("--memory", metavar="SIZE", help="memory of the guests")


def pytest_configure(config: pytest.Config) -> None:
    """Markers, and where the guests of this run are kept."""
    pool: dict[str, Guest] = {}
    config.stash[_pool_key] = pool
    config.addinivalue_line("markers", "only(*arches): run on guests of these architectures")
    config.addinivalue_line("markers", "options(text): the guest needs these options")


def pytest_unconfigure(config: pytest.Config) -> None:
    """No guest outlives the run."""
    for guest in config.stash[_pool_key].values():
        guest.close()


def guest_names(config: pytest.Config) -> list[str]:
    """The guests of this run, native first."""
    names: list[str] = config.getoption("guest")
    if not names:
        there = sorted(p.parent.name for p in project_root().glob("arch/*/arch.mk"))
        names = sorted(there, key=lambda name: bool(name != "native"))
    memory = config.getoption("memory")
    return [Spec(n).with_option("memory", memory).name if memory else n for n in names]


def with_options(name: str, options: str) -> str:
    """The guest's name with more options behind it."""
    return f"{name}{'&' if '?' in name else '?'}{options}" if options else name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a guest runs once on each."""
    if "guest_name" not in metafunc.fixturenames:
        return
    only = [m.args for m in metafunc.definition.iter_markers("only")]
    options = "&".join(m.args[0] for m in metafunc.definition.iter_markers("options"))
    names = [n for n in guest_names(metafunc.config) if all(Spec(n).arch in o for o in only)]
    metafunc.parametrize("guest_name", [with_options(n, options) for n in names], scope="session",
                         ids=[with_options(n, options) for n in names])


def acquire(config: pytest.Config, name: str) -> Guest:
    """A guest of that name in its first state: the one that runs, or a new one."""
    pool = config.stash[_pool_key]
    guest = pool.pop(name, None)
    if guest is not None:
        pool[name] = guest            # the one used last is ended last
    if guest is not None and not guest.dead:
        try:
            guest.link.drain()
            guest.call("map_machine")
            guest.call("trace", 0)
            return guest
        except errors.PfnlabError:
            pass
    if guest is not None:
        pool.pop(name).kill()
    while len(pool) >= POOL_SIZE:
        pool.pop(next(iter(pool))).close()
    pool[name] = start(name)
    return pool[name]


def start(name: str) -> Guest:
    """A new guest of that name; skips what the second emulator of a machine does not offer."""
    try:
        return Guest(name)
    except errors.GuestRefused as refused:
        if "emulator=" not in name:
            raise
        pytest.skip(str(refused))


@pytest.fixture
def guest(request: pytest.FixtureRequest, guest_name: str) -> Iterator[Guest]:
    """A clean guest: nothing allocated, the machine's own map. Shared between tests."""
    found = acquire(request.config, guest_name)
    request.node.stash[_used_key] = [found]
    yield found


@pytest.fixture
def fresh_guest(request: pytest.FixtureRequest, guest_name: str
                ) -> Iterator[Callable[..., Guest]]:
    """Starts a guest for this test alone: fresh_guest(), fresh_guest("kpool=1M")."""
    mine: list[Guest] = []
    request.node.stash[_used_key] = mine

    def start(options: str = "", **keys: Any) -> Guest:
        mine.append(Guest(with_options(guest_name, options), **keys))
        return mine[-1]
    yield start
    for one in mine:
        one.close()


@pytest.fixture
def console(guest_name: str) -> Iterator[Any]:
    """run-guest.sh on a terminal, as a person sees it, at the prompt: a pexpect.spawn."""
    spec = Spec(guest_name)
    argv = [str(project_root() / "run-guest.sh"), spec.arch, *spec.arguments()]
    child = pexpect.spawn(argv[0], argv[1:], timeout=60, encoding="ascii", codec_errors="replace",
                          dimensions=(50, 200), echo=False)
    child.delaybeforesend = None
    try:
        child.expect("\r+\n> ")
        yield child
    finally:
        child.close(force=True)


# ---- reports ----

def _command_line(item: pytest.Item) -> str:
    option = item.config.option
    words = [sys.executable, "-m", "pytest"]
    for plugin in option.plugins:
        words += ["-p", plugin] if plugin.startswith("pfnlab") else []
    for name in option.guest:
        words += ["--guest", name]
    words += ["--memory", option.memory] if option.memory else []
    words.append("::".join([os.path.relpath(item.path), *_inner(item.nodeid)]))
    places = os.environ.get("PYTHONPATH")
    return (f"PYTHONPATH={shlex.quote(places)} " if places else "") + shlex.join(words)


def _inner(nodeid: str) -> list[str]:
    return nodeid.partition("::")[2].split("::")


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Generator[None, Any, None]:
    """Show the guest behind a failure."""
    outcome = yield
    result = outcome.get_result()
    if result.when == "teardown" or not result.failed:
        return
    silent = call.excinfo is not None and call.excinfo.errisinstance(errors.GuestSilent)
    for one in item.stash.get(_used_key, []):
        result.sections += report.sections(one, silent)
        if silent:
            one.kill()
    result.sections.append(("run it again", _command_line(item)))


# ---- transcripts ----

def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Files *.t are tests."""
    if file_path.suffix != ".t":
        return None
    collector: pytest.Collector = TranscriptFile.from_parent(parent, path=file_path)
    return collector


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All transcripts of a guest in a row: one start serves them, however many guests there are."""
    places = [i for i, item in enumerate(items) if isinstance(item, TranscriptItem)]
    transcripts = [item for item in items if isinstance(item, TranscriptItem)]
    transcripts.sort(key=lambda item: item.guest_name)
    for place, item in zip(places, transcripts):
        items[place] = item


class TranscriptFile(pytest.File):
    """A transcript: one test for each guest."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests."""
        transcript = Transcript(self.path.read_text("ascii"), str(self.path))
        names = guest_names(self.config)
        names += [name for name in transcript.also if Spec(name).arch in names]
        for name in names:
            full = with_options(name, transcript.options)
            yield TranscriptItem.from_parent(self, name=f"{self.path.stem}[{full}]",
                                             guest_name=full, transcript=transcript)


class TranscriptItem(pytest.Item):
    """A transcript on a guest."""

    def __init__(self, *, guest_name: str, transcript: Transcript, **keys: Any) -> None:
        super().__init__(**keys)
        self.guest_name = guest_name
        self.transcript = transcript

    def runtest(self) -> None:
        """Replay it."""
        guest = acquire(self.config, self.guest_name)
        self.stash[_used_key] = [guest]
        self.transcript.replay(guest)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException],
                     style: Any = None) -> Any:
        """Expected and answered, nothing of this program."""
        if isinstance(excinfo.value, Mismatch):
            return f"{self.path}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is."""
        return self.path, 0, self.name
