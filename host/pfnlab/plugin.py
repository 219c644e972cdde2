# SPDX-License-Identifier: MIT
"""The pytest plugin: guests as fixtures, transcripts as tests, reports that show what happened."""
from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pfnlab import errors, plugin_report, plugin_transcripts
from pfnlab.guest import Guest
from pfnlab.memory_map import map_of
from pfnlab.plugin_report import SEED, use
from pfnlab.pool import Pool
from pfnlab.spec import Spec, architectures, project_root
from pfnlab.transcript import Run, Transcript, read_transcript

_pool_key = pytest.StashKey[Pool]()
_second_key = pytest.StashKey[Pool]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """The options of this plugin, and its other parts."""
    for part in (plugin_report, plugin_transcripts):
        pluginmanager.register(part, part.__name__)
    group = parser.getgroup("pfnlab")
    group.addoption("--guest", "--arch", action="append", default=[], metavar="GUEST", dest="guest",
                    help="run on this guest (repeatable; default: every architecture there is), "
                         "as in native, 'x86_64?memory=1G&boot=iso', unix:PATH")
    group.addoption("--memory", metavar="SIZE", help="memory of the guests")
    group.addoption("--seed", type=int, metavar="N", help="of the fixture seed (default: another "
                                                          "one for each run)")
    group.addoption("--snapshot", action="store_true",
                    help="guests in QEMU that cannot be reset go back to a snapshot")


def pytest_configure(config: pytest.Config) -> None:
    """Markers, and where the guests of this run are kept."""
    config.stash[_pool_key] = Pool()
    config.stash[_second_key] = Pool(2)
    seed = config.getoption("seed")
    workers = getattr(config, "workerinput", {})
    config.stash[SEED] = workers.get("pfnlab_seed", random.randrange(1 << 32)) \
        if seed is None else seed
    for line in (
            "arch(*names): run on guests of these architectures", "only(*names): as arch",
            "options(text): the guest needs these options",
            "engine(*names): skip where the guest runs another page engine",
            "needs(*commands): skip where the guest has not all of these commands",
            "expect_panic(kind=, at=): the guest panics so; no panic is a failure"):
        config.addinivalue_line("markers", line)
    for spec in map(Spec, config.getoption("guest")):
        if not spec.scheme and spec.arch not in architectures():
            raise pytest.UsageError(f"no such architecture: {spec.arch}; there is: "
                                    f"{' '.join(architectures())}")


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, with which a run is the same again."""
    return f"pfnlab: --seed {config.stash[SEED]}, guests {' '.join(guest_names(config))}"


class _Workers:
    """All workers of a run have one seed."""

    @pytest.hookimpl(optionalhook=True)  # type: ignore[misc]
    def pytest_configure_node(self, node: Any) -> None:
        """Hand it to a worker that starts."""
        node.workerinput["pfnlab_seed"] = node.config.stash[SEED]


pytest_configure_node = _Workers().pytest_configure_node


def pytest_unconfigure(config: pytest.Config) -> None:
    """No guest outlives the run."""
    config.stash[_pool_key].close()
    config.stash[_second_key].close()


def guest_names(config: pytest.Config) -> list[str]:
    """The guests of this run, native first."""
    names: list[str] = config.getoption("guest") or architectures()
    memory = config.getoption("memory")
    return [Spec(n).with_option("memory", memory).name if memory else n for n in names]


def with_options(name: str, options: str) -> str:
    """The guest's name with more options behind it."""
    return Spec(name).with_options(options).name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a guest runs once on each."""
    if "guest_name" not in metafunc.fixturenames:
        return
    marks = metafunc.definition.iter_markers
    only = [m.args for kind in ("arch", "only") for m in marks(kind)]
    options = "&".join(m.args[0] for m in marks("options"))
    names = [with_options(n, options) for n in guest_names(metafunc.config)
             if Spec(n).scheme or all(Spec(n).arch in o for o in only)]
    wanted, there = (" ".join(words) for words in (sum(only, ()), guest_names(metafunc.config)))
    nobody: Any = pytest.param("nobody", marks=pytest.mark.skip(
        reason=f"it is for {wanted}, this run has {there}"))
    metafunc.parametrize("guest_name", names or [nobody], scope="session", ids=names or ["nobody"])


def acquire(config: pytest.Config, name: str) -> Guest:
    """A guest of that name in its first state: the one that runs, or a new one; skips what the
    second emulator of a machine does not offer."""
    spec = Spec(name)
    if config.getoption("snapshot") and spec.arch and not spec.native and "emulator=" not in name:
        name = spec.with_option("snapshots", "").name
    try:
        return config.stash[_pool_key].acquire(name)
    except errors.GuestRefused as refused:
        if "emulator=" not in name:
            raise
        pytest.skip(str(refused))


def check_marks(node: pytest.Item, guest: Guest) -> None:
    """Skip what this guest cannot show."""
    for mark in node.iter_markers("needs"):
        missing = [name for name in mark.args if guest.table.find(name) is None]
        if missing:
            pytest.skip(f"{guest.name} has no command {', '.join(missing)}")
    for mark in node.iter_markers("engine"):
        if (engine := guest.info().fields["engine"]) not in mark.args:
            pytest.skip(f"{guest.name} runs the engine {engine}")
    for kind in ("arch", "only"):
        for mark in node.iter_markers(kind):
            if guest.arch not in mark.args:
                pytest.skip(f"it is for {' '.join(mark.args)}, {guest.name} is {guest.arch}")


@pytest.fixture
def guest(request: pytest.FixtureRequest, guest_name: str) -> Guest:
    """A clean guest: nothing allocated, the machine's own map. Shared between tests."""
    found = acquire(request.config, guest_name)
    check_marks(request.node, found)
    use(request.node, found)
    return found


@pytest.fixture
def fresh_guest(request: pytest.FixtureRequest, guest_name: str
                ) -> Iterator[Callable[..., Guest]]:
    """Starts a guest for this test alone: fresh_guest(), fresh_guest("kpool=1M")."""
    mine: list[Guest] = []

    def start(options: str = "", **keys: Any) -> Guest:
        mine.append(Guest(with_options(guest_name, options), **keys))
        use(request.node, mine[-1])
        check_marks(request.node, mine[-1])
        return mine[-1]
    yield start
    for one in mine:
        one.close()


@pytest.fixture(scope="session")
def _session_guest(request: pytest.FixtureRequest, guest_name: str) -> Iterator[Guest]:
    one = Guest(guest_name)
    yield one
    one.close()


@pytest.fixture
def guest_session(request: pytest.FixtureRequest, _session_guest: Guest) -> Guest:
    """One guest for all tests that ask for it, each of which finds what the last one left."""
    use(request.node, _session_guest)
    return _session_guest


class TwoGuests(tuple[Guest, Guest]):
    """Two clean guests on the same map."""

    def same(self, name: str, *args: Any, **keys: Any) -> Any:
        """Run a command on both: its result, or the error that both raise. AssertionError: they do
        not answer the same."""
        ends: list[Any] = []
        for one in self:
            try:
                ends.append(one.call(name, *args, **keys))
            except errors.GuestError as error:
                ends.append(error)
        told = [f"? {end.code} {end.fields}" if isinstance(end, errors.GuestError) else repr(end)
                for end in ends]
        assert told[0] == told[1], (f"{name}: {self[0].name} says {told[0]}, "
                                    f"{self[1].name} says {told[1]}")
        if isinstance(ends[0], errors.GuestError):
            raise ends[0]
        return ends[0]


@pytest.fixture
def two_guests(request: pytest.FixtureRequest, guest_name: str) -> TwoGuests:
    """This guest beside a native one, both clean and on this one's map: two_guests.same("free", 0).
    """
    mine = acquire(request.config, guest_name)
    check_marks(request.node, mine)
    other = request.config.stash[_second_key].acquire(Spec(guest_name).natively)
    common = map_of(mine)
    for one in (mine, other):
        common.inject(one)
        use(request.node, one)
    return TwoGuests((mine, other))


@pytest.fixture
def transcript(request: pytest.FixtureRequest, guest: Guest) -> Callable[[str], Run]:
    """Replays a transcript on the guest, a text or a file beside the test: transcript("setup.t").
    The requests that it made are in `done`, by their tags."""
    def play(text: str) -> Run:
        one = read_transcript(request.path.parent / text) if text.endswith(".t") else \
            Transcript(text)
        run = Run(guest)
        for step in one.steps:
            run.compare(step, run.wait(run.submit(step)))
        return run
    return play


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number for what is random in a test: --seed, or another one for each run."""
    return request.config.stash[SEED]


@pytest.fixture
def console(guest_name: str) -> Iterator[Any]:
    """run-guest.sh on a terminal, as a person sees it, at the prompt: a pexpect.spawn."""
    pexpect = pytest.importorskip("pexpect")
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
