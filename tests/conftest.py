"""What every test run shares: the mode it runs in, and seeds that a failure tells.

A test that draws its own random numbers takes them from the `seed` fixture. The run's seed stands
in the header; `pytest --seed N` repeats it. Hypothesis prints what repeats its failure itself.
"""

from __future__ import annotations

import os
import resource
import secrets

import hypothesis
import pytest

from portcullis import _build

hypothesis.settings.register_profile("portcullis", deadline=None, print_blob=True)
hypothesis.settings.load_profile("portcullis")

# Files that take longest for one worker begin first: one that begins last keeps the others
# waiting. The rest stand in the order they are found in.
LONGEST = (
    "simulation/test_simulation.py",
    "gateway/test_ouch_server.py",
    "gateway/test_worst_times.py",
    "gateway/test_killed_anywhere.py",
    "gateway/test_power_loss.py",
    "tools/conform/test_moldudp64.py",
    "tools/test_bench.py",
    "engine/test_matcher.py",
    "gateway/test_full_journal.py",
    "tools/conform/test_mutations.py",
    "tools/conform/test_corpora.py",
    "simulation/test_broken_rules.py",
)

# Files that a test may have open, where the system allows that many.
FILES_MAX = 4096


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="repeat the random choices of an earlier run")
    parser.addoption(
        "--thorough",
        action="store_true",
        help="all 1,000,000 messages of the simulation, and a SIGKILL at each operation on a file;"
        " else a quarter of both. What .ci/run asks for",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A test of a thousand sessions has a thousand sockets, and many systems give 1,024 files.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if config.option.seed is None:
        config.option.seed = secrets.randbits(32)
    missing = _build.missing_extensions()
    if not _build.is_pure() and (stale := _build.stale_report()):
        raise pytest.UsageError("\n".join(["stale build, run `make build`:", *stale]))
    if _build.is_pure() and 0 < len(missing) < len(_build.HOT_MODULES) and _build.mode() != "pure":
        raise pytest.UsageError("half a build, run `make build`; missing: " + ", ".join(missing))


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: a test waits much, for processes and sockets."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the longest files first. Stable: a file's tests keep their order."""
    root = config.rootpath / "tests"
    rank = {root / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"mode: {_build.mode()}", f"seed: {config.option.seed} (--seed repeats it)"]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """This run's seed, printed where the test fails."""
    number: int = request.config.option.seed
    print(f"seed: {number} (pytest --seed {number} repeats it)")
    return number
