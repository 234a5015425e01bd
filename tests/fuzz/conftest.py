"""The size of a run of the fuzzer, limits of memory and time for each example, and a table of what was tried."""

import os
import resource
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.data.conftest import small_root  # noqa: F401
from tests.data.test_cifar10 import small_root as cifar_root  # noqa: F401
from tests.fuzz.tiny import FIGURES, SEED, SIZE, Hung, is_short, make_tiny_data

SECONDS = 600  # of an example, on any machine; a longer one hangs
MEMORY = 6 * 2**30  # bytes that an example may add

settings.register_profile(
    "fuzz",
    max_examples=8 if is_short() else SIZE,
    derandomize=is_short(),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def limits():
    """Turns a hang and an allocation of more memory than the machine has into errors of the test."""

    def hang(*_):
        raise Hung(f"no end after {SECONDS} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEMORY, hard))
    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def tiny_data(tmp_path, monkeypatch):
    """Some dozens of images in place of each data set; returns the folder of images."""
    return make_tiny_data(tmp_path, monkeypatch)


def pytest_terminal_summary(terminalreporter):
    """Prints how often each thing was tried, and how it ended."""
    if FIGURES and not is_short():
        terminalreporter.section(f"fuzzer, FUZZ={SIZE} FUZZ_SEED={SEED}")
        kinds = Counter(kind for kind, _ in FIGURES)
        for kind in kinds:
            total = sum(count for (of, _), count in FIGURES.items() if of == kind)
            terminalreporter.write_line(f"{kind}: {total:,}")
            ends = {end: count for (of, end), count in FIGURES.items() if of == kind}
            for end, count in sorted(ends.items(), key=lambda pair: -pair[1]):
                terminalreporter.write_line(f"  {count:6,}  {end}")
