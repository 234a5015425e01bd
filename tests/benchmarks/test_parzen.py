"""The direct formulas agree with the metrics, and the record is complete; no speed is asserted."""

import json

import pytest
import torch

from benchmarks.parzen import direct_log_density, main
from gan.metrics.parzen import log_density


@pytest.mark.parametrize("block", [1, 4, 100])
def test_direct_log_density_agrees_for_every_block_size(block):
    generator = torch.Generator().manual_seed(0)
    samples, points = (torch.rand(n, 12, dtype=torch.float64, generator=generator) for n in (30, 9))
    sigmas = torch.logspace(-1, 0, 4, dtype=torch.float64)
    direct = direct_log_density(samples, points, sigmas, block)
    assert torch.allclose(direct, log_density(samples, points, sigmas), rtol=0, atol=1e-9)


def test_record_has_differences_and_times(tmp_path, capsys):
    path = tmp_path / "record.json"
    words = "--points 40 --samples 60 --dimensions 20 --sigmas 3 --share 7 --rounds 2"
    main([*words.split(), "--features", "5", "--neighbours", "50", "--neighbour-share", "20", "--json", str(path)])
    record = json.loads(path.read_text(encoding="utf-8"))
    densities, (neighbours,) = record["densities"], record["neighbours"]
    assert densities["largest_difference_in_nats"] < 1e-9
    assert densities["direct_points"] == 7
    assert max(neighbours["largest_difference"].values()) < 1e-6
    assert neighbours["times_faster"].keys() == neighbours["seconds"].keys() == neighbours["direct_seconds"].keys()
    assert record["machine"]["cores"] >= 1
    assert "largest difference" in capsys.readouterr().out
