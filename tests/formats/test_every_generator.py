"""Every generator of the configuration: the files of each format compute its images, or one line says why not."""

import json
import re

import pytest
import torch

from gan.core.errors import UserError
from gan.data.base import ImageData
from gan.formats.base import Format
from gan.formats.explorer import Explorer
from gan.formats.hub import Safetensors
from gan.formats.onnx_file import Onnx
from gan.networks.sampling import sample
from gan.runs.instantiate import part
from tests.conftest import composed
from tests.formats.browser import evaluate
from tests.formats.cases import CASES, rounded, small_run
from tests.test_conf import choices

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case[:2]))


@pytest.mark.parametrize("name", choices("format"))
def test_every_format_builds(name):
    assert isinstance(part(composed(f"format={name}", name="export"), "format"), Format)


@each_case
def test_reader_of_the_model_card_computes_the_samples(case, tmp_path, monkeypatch, capsys):
    run = small_run(case, tmp_path)
    for name, content in Safetensors().files(run, "raw").items():
        (tmp_path / name).write_bytes(content)
    code, *_ = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    space = {}
    exec(code, space)
    z, labels = run.sampler.latents(5, seed=3)
    assert torch.allclose(space["generator"](z, labels), run.sampler.sample("raw", z, labels), atol=1e-6)
    assert float(capsys.readouterr().out.split()[-1]) < 1e-6


@pytest.mark.slow
@each_case
def test_onnx_computes_the_samples_of_any_number_of_latents(case, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    run = small_run(case, tmp_path)
    session = onnxruntime.InferenceSession(Onnx().files(run, "raw")["model.onnx"])
    for count in (1, 5):
        z, labels = run.sampler.latents(count, seed=3)
        given = {"z": z.numpy(), "labels": labels.numpy()}
        (images,) = session.run(["images"], {entry.name: given[entry.name] for entry in session.get_inputs()})
        assert torch.allclose(torch.from_numpy(images), run.sampler.sample("raw", z, labels), atol=1e-5)


@pytest.mark.processes
def test_page_computes_the_samples(tmp_path):
    cases, models, expected, latents = [], [], [], []
    for case in CASES:
        run = small_run(case, tmp_path)
        if not isinstance(run.data, ImageData):
            with pytest.raises(UserError, match="format=html shows images"):
                Explorer().files(run, "raw")
            continue
        page = Explorer(latents=4).files(run, "raw")["explorer.html"].decode()
        cases.append(case)
        models.append(re.search(r'id="model">(.*?)</script>', page, re.DOTALL)[1])
        z, labels = run.sampler.latents(3, seed=3)
        latents.append([z.tolist(), labels.tolist()])
        expected.append(sample(rounded(run.sampler.generator("raw")), z, labels).flatten(1))
    network = re.search(r"<script>(\n\"use strict\".*?)</script>", page, re.DOTALL)[0]
    script = f"""
        const models = [{",".join(models)}], latents = {json.dumps(latents)};
        return models.map((model, i) => {{
            const generate = createGenerator(model);
            return latents[i][0].map((z, k) => [...generate(z, latents[i][1][k])]);
        }});"""
    images = evaluate(network, script, tmp_path)
    for case, some, right in zip(cases, images, expected, strict=True):
        assert right.std() > 0.02, f"{case}: the images would hide mistakes"
        assert torch.allclose(torch.tensor(some, dtype=torch.float32), right, atol=1e-5), case
