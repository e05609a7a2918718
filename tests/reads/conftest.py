"""The simulated chromosome, written once a worker."""

import pytest

from tests.reads.simulate import write_fasta


@pytest.fixture(scope="session")
def genome(tmp_path_factory):
    """Return the FASTA of the simulated GRCh38 chromosome 19, and its M5."""
    path = tmp_path_factory.mktemp("genome") / "GRCh38.fa"
    return path, write_fasta(path, "GRCh38")
