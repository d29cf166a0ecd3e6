"""What every test run shares: the mode it runs in, and seeds that a failure tells.

A test that draws its own random numbers takes them from the `seed` fixture. The run's seed stands
in the header; `pytest --seed N` repeats it. Hypothesis prints what repeats its failure itself.
"""

from __future__ import annotations

import secrets

import hypothesis
import pytest

from portcullis import _build

hypothesis.settings.register_profile("portcullis", deadline=None, print_blob=True)
hypothesis.settings.load_profile("portcullis")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="repeat the random choices of an earlier run")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:
        config.option.seed = secrets.randbits(32)
    missing = _build.missing_extensions()
    if not _build.is_pure() and (stale := _build.stale_report()):
        raise pytest.UsageError("\n".join(["stale build, run `make build`:", *stale]))
    if _build.is_pure() and 0 < len(missing) < len(_build.HOT_MODULES) and _build.mode() != "pure":
        raise pytest.UsageError("half a build, run `make build`; missing: " + ", ".join(missing))


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"mode: {_build.mode()}", f"seed: {config.option.seed} (--seed repeats it)"]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """This run's seed, printed where the test fails."""
    number: int = request.config.option.seed
    print(f"seed: {number} (pytest --seed {number} repeats it)")
    return number
