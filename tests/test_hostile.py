"""Checkpoints, run folders and exported files made to run code or to exhaust memory: each ends in one line."""

import copy
import json
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

import gan
from gan.app import ranking
from gan.core.errors import UserError
from gan.runs import build, outcome
from gan.runs.checkpoint import AtomicCheckpointIO
from gan.runs.exported import load_generator
from gan.runs.folder import RunFolder
from tests.conftest import composed, small

SECRET = "hunter2-of-the-user"


class Payload:
    """An object whose unpickling writes the canary."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return exec, (f"open({str(self.canary)!r}, 'w').close()",)


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    """The entries of a run's checkpoint."""
    cfg = small(tmp_path_factory.mktemp("genuine") / "run", "penalty=r1", "logger=tensorboard")
    module = build.module(cfg)
    return {"iteration": 0, "hyper_parameters": dict(module.hparams), "state_dict": module.state_dict()}


@pytest.fixture
def attack(tmp_path, monkeypatch):
    """A folder with an attacker's files; fails if one of them has run."""
    canary, folder = tmp_path / "canary", tmp_path / "attack"
    folder.mkdir()
    code = f"open({str(canary)!r}, 'w').close()"
    (folder / "evil.py").write_text(f"{code}\nclass Loss: pass\n", encoding="utf-8")
    (folder / "gan_evil.py").write_text(f"{code}\n", encoding="utf-8")
    (folder / "hubconf.py").write_text(f"{code}\ndef loss(): pass\n", encoding="utf-8")
    (folder / "object.pkl").write_bytes(pickle.dumps(Payload(canary)))
    joblib.dump(Payload(canary), folder / "object.joblib")
    np.save(folder / "object.npy", np.array([Payload(canary)], dtype=object), allow_pickle=True)
    (folder / "loss").mkdir()
    (folder / "loss" / "evil.yaml").write_text("_target_: evil.Loss\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("SECRET", SECRET)
    yield {"code": code, "folder": folder, "canary": canary, "shell": f"touch {canary}"}
    assert not canary.exists()
    assert not {"evil", "gan_evil"} & set(sys.modules)


def run_folder(parent, checkpoint, words=(), **records):
    folder = parent / "run"
    AtomicCheckpointIO().save_checkpoint(checkpoint, folder / "checkpoints" / "last.ckpt")
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "overrides.yaml").write_text(json.dumps(list(words)), encoding="utf-8")
    for name, text in records.items():
        (folder / ".hydra" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def refusal(call, *arguments, **options):
    with pytest.raises(UserError) as error:
        call(*arguments, **options)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 600
    assert SECRET not in message
    return message


# Configurations of a checkpoint: the dotted key, and the part that stands there.

PARTS = {
    "hub": (
        "loss",
        lambda a: {"_target_": "torch.hub.load", "repo_or_dir": str(a["folder"]), "model": "loss", "source": "local"},
    ),
    "torch.load": (
        "features",
        lambda a: {"_target_": "torch.load", "f": str(a["folder"] / "object.pkl"), "weights_only": False},
    ),
    "numpy.load": (
        "data",
        lambda a: {"_target_": "numpy.load", "file": str(a["folder"] / "object.npy"), "allow_pickle": True},
    ),
    "joblib.load": ("latent", lambda a: {"_target_": "joblib.load", "filename": str(a["folder"] / "object.joblib")}),
    "sympify": ("penalty.x", lambda a: {"_target_": "sympy.sympify", "a": a["code"]}),
    "os.system": ("loss", lambda a: {"_target_": "os.system", "command": a["shell"]}),
    "subprocess": (
        "constraint.discriminator",
        lambda a: {"_target_": "subprocess.run", "args": ["sh", "-c", a["shell"]]},
    ),
    "exec": ("loss", lambda a: {"_target_": "builtins.exec", "_args_": [a["code"]]}),
    "alias of a module of gan": ("loss", lambda a: {"_target_": "gan.core.files.os.system", "command": a["shell"]}),
    "alias in the application": (
        "method",
        lambda a: {"_target_": "gan.app.command_line.os.system", "command": a["shell"]},
    ),
    "alias below torch": ("optim.generator", lambda a: {"_target_": "torch.optim.optimizer.functools.partial"}),
    "partial": ("loss", lambda a: {"_target_": "os.system", "_partial_": True, "command": a["shell"]}),
    "convert": ("loss", lambda a: {"_target_": "os.system", "_convert_": "object", "command": a["shell"]}),
    "instantiate": (
        "loss",
        lambda a: {
            "_target_": "hydra.utils.instantiate",
            "_recursive_": False,
            "config": {"_target_": "os.system", "command": a["shell"]},
        },
    ),
    "nested argument": (
        "loss",
        lambda a: {"_target_": "gan.losses.adversarial.Minimax", "x": {"_target_": "os.system", "command": a["shell"]}},
    ),
    "nested in a list": ("model.generator.hidden", lambda a: [{"_target_": "os.system", "command": a["shell"]}]),
    "nested in the trainer": ("trainer.profiler", lambda a: {"_target_": "os.system", "command": a["shell"]}),
    "write_text": ("loss", lambda a: {"_target_": "pathlib.Path.write_text", "self": str(a["canary"]), "data": "x"}),
    "module of the attacker": ("loss", lambda a: {"_target_": "evil.Loss"}),
    "name like gan": ("loss", lambda a: {"_target_": "gan_evil.Loss"}),
    "function of gan": ("loss", lambda a: {"_target_": "gan.core.files.write_whole", "path": str(a["canary"])}),
    "method of a class": ("loss", lambda a: {"_target_": "gan.figures.snapshot1d.Snapshot.load", "path": "x"}),
    "class of another role": ("loss", lambda a: {"_target_": "gan.data.folder.Folder", "root": "/"}),
    "callback as a loss": ("loss", lambda a: {"_target_": "pytorch_lightning.callbacks.LambdaCallback"}),
    "trainer as a method": ("method", lambda a: {"_target_": "pytorch_lightning.Trainer", "default_root_dir": "/"}),
    "scheduler as an optimizer": ("optim.generator", lambda a: {"_target_": "torch.optim.lr_scheduler.LambdaLR"}),
    "function of torch.nn": ("model.generator.x", lambda a: {"_target_": "torch.nn.utils.parametrize.os.system"}),
    "a target that is a list": ("loss", lambda a: {"_target_": ["os.system"], "command": a["shell"]}),
    "a target of dots": ("loss", lambda a: {"_target_": "..os.system", "command": a["shell"]}),
    "a dunder": ("loss", lambda a: {"_target_": "gan.__builtins__.exec", "_args_": [a["code"]]}),
    "environment": ("data.root", lambda a: "${oc.env:SECRET}"),
    "decoder": ("seed", lambda a: "${oc.decode:${oc.env:SECRET}}"),
    "resolver with a computed name": ("data.root", lambda a: "${${x}:SECRET}"),
    "layer of 10^9": ("model.generator.hidden", lambda a: [10**9]),
    "layer of 10^30": ("model.generator.hidden", lambda a: [10**30]),
    "9,000 layers": ("model.generator.hidden", lambda a: [32] * 9_000),
    "more layers than weights": ("model.generator.hidden", lambda a: [60_000, 60_000]),
    "latent of 10^12": ("latent.dim", lambda a: 10**12),
    "image of 10^12": ("model.generator.image_shape", lambda a: [1, 10**6, 10**6]),
    "data of 10^12": ("data.image_size", lambda a: 10**6),
    "examples of 10^12": ("data.examples", lambda a: 10**12),
    "batches of 10^12": ("data.batch_size", lambda a: 10**12),
    "many values": ("loss.x", lambda a: [0] * 200_000),
}


@pytest.mark.parametrize("name", PARTS)
def test_checkpoint_with_a_foreign_part_is_refused(name, genuine, attack, tmp_path):
    key, part = PARTS[name]
    checkpoint = copy.deepcopy(genuine)
    *parents, last = key.split(".")
    node = checkpoint["hyper_parameters"]
    node["trust"] = ["evil", "os"]  # counts only on the command line
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = part(attack)
    folder = run_folder(tmp_path, checkpoint)
    message = refusal(lambda: gan.open_run(folder, device="cpu").module)
    assert message.startswith(f"checkpoint={folder}")


@pytest.mark.parametrize("name", ["joblib.load", "sympify", "module of the attacker"])
def test_trust_in_a_library_does_not_allow_its_functions(name, genuine, attack, tmp_path):
    checkpoint = copy.deepcopy(genuine)
    key, part = PARTS[name]
    group, _, inner = key.partition(".")
    checkpoint["hyper_parameters"][group] = {inner: part(attack)} if inner else part(attack)
    folder = run_folder(tmp_path, checkpoint)
    refusal(gan.open_run, folder, trust=["joblib", "sympy", "evi"])


@pytest.mark.parametrize("target", ["mine.os.system", "mine.system", "mine.touch", "mine.Loss.touch", "mine.Path"])
def test_trusted_package_offers_only_its_own_classes(target, genuine, attack, tmp_path):
    code = "import os\nfrom os import system\nfrom pathlib import Path\n\ndef touch(**_):\n    Path(CANARY).touch()\n"
    code += "class Loss:\n    touch = staticmethod(touch)\n"
    (attack["folder"] / "mine.py").write_text(code.replace("CANARY", repr(str(attack["canary"]))), encoding="utf-8")
    checkpoint = copy.deepcopy(genuine)
    checkpoint["hyper_parameters"]["loss"] = {"_target_": target, "command": attack["shell"]}
    assert "is no Loss of mine" in refusal(gan.open_run, run_folder(tmp_path, checkpoint), trust="mine")


def test_configuration_that_holds_itself_is_refused(genuine, attack, tmp_path):
    checkpoint = copy.deepcopy(genuine)
    layers = [1] * 10
    for _ in range(12):  # 10¹² values in 200 bytes of a pickle
        layers = [layers] * 10
    checkpoint["hyper_parameters"]["model"]["generator"]["hidden"] = layers
    assert "more than 10,000 values" in refusal(gan.open_run, run_folder(tmp_path, checkpoint))
    shutil.rmtree(tmp_path / "run")
    checkpoint["hyper_parameters"]["model"] = checkpoint["hyper_parameters"]
    assert "levels" in refusal(gan.open_run, run_folder(tmp_path, checkpoint))


# Checkpoint files


def rewritten(path, compression=zipfile.ZIP_STORED, **contents):
    """Writes the archive of a checkpoint again, with other contents of some entries."""
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, content in entries.items():
            new.writestr(name, contents.get(Path(name).name.replace(".", "_"), content))


def replaced_tensor(checkpoint, tensor):
    name = next(iter(checkpoint["state_dict"]))
    return checkpoint | {"state_dict": checkpoint["state_dict"] | {name: tensor}}


ENTRIES = {
    "object": lambda c, a: c | {"x": Payload(a["canary"])},
    "object in the configuration": lambda c, a: c | {"hyper_parameters": Payload(a["canary"])},
    "tensor in the configuration": lambda c, a: c | {"hyper_parameters": {"model": torch.zeros(1)}},
    "list as a configuration": lambda c, a: c | {"hyper_parameters": []},
    "weights of 4 TB without values": lambda c, a: replaced_tensor(c, torch.zeros(1).expand(10**12)),
    "weights on meta": lambda c, a: replaced_tensor(c, torch.empty(10**12, device="meta")),
    "sparse weights": lambda c, a: replaced_tensor(c, torch.zeros(3, 3).to_sparse()),
    "text as weights": lambda c, a: c | {"state_dict": {"generator": "x"}},
    "text as iteration": lambda c, a: c | {"iteration": "1"},
    "format of another type": lambda c, a: c | {"diagnosis": [1], "format": {}},
}


@pytest.mark.parametrize("name", ENTRIES)
def test_checkpoint_with_foreign_entries_is_refused(name, genuine, attack, tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(ENTRIES[name](dict(genuine), attack), folder / "checkpoints" / "last.ckpt")
    refusal(lambda: gan.open_run(folder, device="cpu").module)


def test_compressed_checkpoint_is_refused_before_it_is_expanded(genuine, attack, tmp_path):
    folder = run_folder(tmp_path, replaced_tensor(genuine, torch.zeros(10**7)))
    path = folder / "checkpoints" / "last.ckpt"
    rewritten(path, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    assert "is compressed" in refusal(gan.open_run, folder)


def test_plain_pickle_is_refused(attack, tmp_path):
    for name in ("object.pkl", "object.joblib"):
        folder = tmp_path / name
        (folder / "checkpoints").mkdir(parents=True)
        shutil.copy(attack["folder"] / name, folder / "checkpoints" / "last.ckpt")
        assert "not a readable checkpoint" in refusal(gan.open_run, folder)


def test_each_flipped_bit_of_the_weights_is_noticed(genuine, tmp_path):
    path = run_folder(tmp_path, genuine) / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    weights = next(iter(genuine["state_dict"].values())).numpy().tobytes()
    start = whole.index(weights[:64])
    for position in range(start, start + len(weights), len(weights) // 10):
        changed = bytearray(whole)
        changed[position] ^= 4
        path.write_bytes(changed)
        assert "is damaged (wrong checksum of " in refusal(gan.open_run, tmp_path / "run")
    path.write_bytes(whole)
    assert gan.open_run(tmp_path / "run").module.iteration == 0


# Records of a run's folder, which a resumed run replays


WORDS = {
    "pickled job": lambda a: [f"--experimental-rerun={a['folder'] / 'object.pkl'}"],
    "config folder": lambda a: [f"--config-dir={a['folder']}", "loss=evil"],
    "short option": lambda a: ["-cd", str(a["folder"])],
    "search path": lambda a: [f"hydra.searchpath=['{a['folder']}']", "loss=evil"],
    "search path in a package": lambda a: ["hydra.searchpath=[pkg://evil]"],
    "hydra's callback": lambda a: ["+hydra.callbacks.x={_target_: evil.Loss}"],
    "hydra's launcher": lambda a: ["hydra.launcher._target_=evil.Loss"],
    "hydra's launcher by choice": lambda a: ["hydra/launcher=joblib"],
    "hydra's sweeper": lambda a: ["++hydra.sweeper._target_=evil.Loss"],
    "hydra's logging": lambda a: ["++hydra.job_logging.handlers.file={(): os.system}"],
    "environment variable": lambda a: ["+hydra.job.env_set.LD_PRELOAD=/tmp/evil.so"],
    "hydra's folder": lambda a: [f"hydra.output_subdir={a['folder']}"],
    "callback": lambda a: ["callbacks.progress._target_=evil.Loss"],
    "new callback": lambda a: [f"+callbacks.x={{_target_: os.system, command: '{a['shell']}'}}"],
    "logger": lambda a: [f"+logger.x={{_target_: subprocess.run, args: [sh, -c, '{a['shell']}']}}"],
    "loss": lambda a: ["loss._target_=evil.Loss"],
    "layers": lambda a: ["model.generator.hidden=[{_target_: evil.Loss}]"],
    "target by interpolation": lambda a: ["+loss.x=evil.Loss", "loss._target_=${loss.x}"],
    "function of torch": lambda a: [f"loss={{_target_: torch.hub.load, repo_or_dir: '{a['folder']}'}}"],
    "trust": lambda a: ["trust=evil", "loss._target_=evil.Loss"],
    "trust as a new key": lambda a: ["+trust=[evil]", "loss._target_=evil.Loss"],
    "secret": lambda a: ["+data.root=${oc.env:SECRET}"],
    "decoded secret": lambda a: ["seed=${oc.decode:${oc.env:SECRET}}"],
    "secret by a computed name": lambda a: ["+data.x=oc.env", "+data.root=${${data.x}:SECRET}"],
    "interpolations of interpolations": lambda a: [
        f"+data.x{n}=${{data.x{n + 1}}}${{data.x{n + 1}}}" for n in range(40)
    ],
    "checkpoints elsewhere": lambda a: [f"callbacks.checkpoint.folder={a['folder']}"],
    "checkpoints above": lambda a: ["callbacks.checkpoint.folder=${output_dir}/../.."],
    "checkpoints by an interpolation": lambda a: ["callbacks.checkpoint.folder=${output_dir}/${data.root}"],
    "grids in the repository": lambda a: ["callbacks.sample_grids.folder=.git/hooks"],
    "logger to another machine": lambda a: [
        "+logger.x={_target_: pytorch_lightning.loggers.MLFlowLogger, tracking_uri: 'http://evil'}"
    ],
    "logger elsewhere": lambda a: ["logger=tensorboard", f"logger.tensorboard.save_dir={a['folder']}"],
    "logger's name": lambda a: ["logger=tensorboard", "logger.tensorboard.name=../../evil"],
    "sweep": lambda a: ["seed=range(1,100000000)"],
    "several values": lambda a: ["loss=minimax,nonsaturating"],
    "choice above conf": lambda a: [f"loss=../../{a['folder'].name}/loss/evil"],
    "group above conf": lambda a: ["../loss=evil"],
    "deep brackets": lambda a: [f"seed={'[' * 20_000}"],
    "no override": lambda a: ["rm -rf /"],
    "numbers": lambda a: [1, 2],
    "layer of 10^9": lambda a: ["model.generator.hidden=[1000000000]"],
}


@pytest.mark.parametrize("name", WORDS)
def test_record_that_would_run_or_read_something_is_not_replayed(name, genuine, attack, tmp_path):
    folder = run_folder(tmp_path, genuine, WORDS[name](attack))
    before = set(tmp_path.rglob("*"))
    refusal(gan.train, f"ckpt_path={folder}/checkpoints/last.ckpt", "trainer=cpu", folder=tmp_path / "new")
    assert {path for path in tmp_path.rglob("*") if path.suffix in (".ckpt", ".png")} <= before


def hydras_record(provider="main", schema="file", path="/", name="train"):
    """Hydra's record of a run with one source of configuration files."""
    sources = [{"provider": provider, "schema": schema, "path": path}]
    return json.dumps({"hydra": {"job": {"config_name": name}, "runtime": {"cwd": "/", "config_sources": sources}}})


ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
RECORDS = {
    "an object in YAML": lambda a: {"overrides": f"!!python/object/apply:os.system ['{a['shell']}']"},
    "no YAML": lambda a: {"overrides": "- [\n"},
    "no text": lambda a: {"overrides": "\x00\x01"},
    "a mapping": lambda a: {"overrides": "k: 2"},
    "deep YAML": lambda a: {"overrides": "[" * 100_000},
    "many aliases": lambda a: {"overrides": ALIASES},
    "a large file": lambda a: {"overrides": "- k=2\n" * 300_000},
    "config folder": lambda a: {"hydra": hydras_record("command-line", path=str(a["folder"]))},
    "search path": lambda a: {"hydra": hydras_record("hydra.searchpath in command-line", path=str(a["folder"]))},
    "package": lambda a: {"hydra": hydras_record("hydra.searchpath in command-line", "pkg", "evil")},
    "primary file above conf": lambda a: {"hydra": hydras_record(name="../../evil")},
    "secret as a folder": lambda a: {"hydra": hydras_record("command-line", path="${oc.env:SECRET}")},
    "another record": lambda a: {"hydra": "x: 1"},
}


@pytest.mark.parametrize("name", RECORDS)
def test_foreign_record_is_refused(name, genuine, attack, tmp_path):
    folder = run_folder(tmp_path, genuine, **RECORDS[name](attack))
    refusal(gan.train, f"ckpt_path={folder}/checkpoints/last.ckpt", "trainer=cpu", folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


BOMB = "x0: 1\n" + "".join(f"x{n}: ['${{x{n - 1}}}', '${{x{n - 1}}}']\n" for n in range(1, 60))


@pytest.mark.parametrize("text", ["a: ${a}", "a: ${b.c}", "- 1", BOMB])
def test_settings_without_an_end_are_refused(text, genuine, attack, tmp_path):
    folder = run_folder(tmp_path, genuine, config=text)
    refusal(lambda: RunFolder(folder).settings)


def test_settings_follow_no_resolvers(genuine, attack, tmp_path):
    text = "method: {a: '${oc.env:SECRET}', b: '${method.c}', c: '${oc.${method.d}:SECRET}', d: env, e: 'x${method.d}'}"
    settings = RunFolder(run_folder(tmp_path, genuine, config=text)).settings["method"]
    expected = {"a": "${oc.env:SECRET}", "b": "${oc.${method.d}:SECRET}", "c": "${oc.${method.d}:SECRET}"}
    assert settings == expected | {"d": "env", "e": "xenv"}


def test_settings_are_those_of_omegaconf(genuine, tmp_path):
    cfg = composed("model=dcgan", "data.image_size=32", "loss=relativistic", "figures=[interpolation]")
    folder = run_folder(tmp_path, genuine, config=OmegaConf.to_yaml(cfg))
    cfg.output_dir = str(folder)
    assert RunFolder(folder).settings == OmegaConf.to_container(cfg, resolve=True)


def test_ranking_of_a_sweep_follows_no_resolvers(genuine, attack, tmp_path):
    run_folder(tmp_path / "sweep", genuine, ["data.root=${oc.env:SECRET}"]).rename(tmp_path / "sweep" / "0")
    outcome.write(tmp_path / "sweep" / "0", [1.0], names=["x"], better=["lower"])
    assert ranking.rank(tmp_path / "sweep").settings[0].overrides == ("data.root=${oc.env:SECRET}",)


@pytest.mark.parametrize("link", ["figures", "samples_ema.npz", "figures/grid_ema.png"])
def test_link_out_of_the_run_folder_is_not_written_through(link, genuine, tmp_path):
    folder = run_folder(tmp_path, genuine)
    (folder / link).parent.mkdir(exist_ok=True)
    (folder / link).symlink_to(tmp_path / "precious")
    assert "is a link out of the run's folder" in refusal(gan.open_run, folder)


# Exported files


def exported(path, genuine, change):
    """Writes an exported file; ``change`` gets its configuration, weights and metadata."""
    config, about = copy.deepcopy(genuine["hyper_parameters"]), {}
    state = genuine["state_dict"].items()
    weights = {key.removeprefix("generator."): w for key, w in state if key.startswith("generator.")}
    change(config, weights, about)
    save_file(weights, path, {"config": json.dumps(config)} | about)
    return path


EXPORTS = {
    "generator": lambda config, weights, about, a: config["model"].update(
        generator={"_target_": "os.system", "command": a["shell"]}
    ),
    "latent": lambda config, weights, about, a: config.update(
        latent={"_target_": "torch.hub.load", "repo_or_dir": str(a["folder"]), "source": "local", "model": "loss"}
    ),
    "nested": lambda config, weights, about, a: config["model"]["generator"].update(
        hidden=[{"_target_": "evil.Loss", "_partial_": True}]
    ),
    "resolver": lambda config, weights, about, a: config["latent"].update(dim="${oc.env:SECRET}"),
    "huge layer": lambda config, weights, about, a: config["model"]["generator"].update(hidden=[10**11]),
    "other weights": lambda config, weights, about, a: weights.clear() or weights.update(x=torch.zeros(1)),
    "no JSON": lambda config, weights, about, a: about.update(config="{"),
    "deep JSON": lambda config, weights, about, a: about.update(config="[" * 100_000),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exported_file_with_a_foreign_part_is_refused(name, genuine, attack, tmp_path):
    path = exported(tmp_path / "g.safetensors", genuine, lambda *parts: EXPORTS[name](*parts, attack))
    assert refusal(load_generator, path).startswith(str(path))


def test_genuine_export_is_read(genuine, tmp_path):
    generator, latent = load_generator(exported(tmp_path / "g.safetensors", genuine, lambda *parts: None))
    assert latent.dim == 8
    assert all(torch.equal(w, genuine["state_dict"][f"generator.{key}"]) for key, w in generator.state_dict().items())


def test_names_in_a_message_are_printable(genuine, tmp_path):
    checkpoint = copy.deepcopy(genuine)
    checkpoint["hyper_parameters"]["loss"] = {"x\n\x1b[2J": {"_target_": "os.system"}}
    assert "loss.x??[2J=os.system is no " in refusal(gan.open_run, run_folder(tmp_path, checkpoint))


def test_other_files_are_no_exported_generators(attack, tmp_path):
    (tmp_path / "huge.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    for path in (attack["folder"] / "object.pkl", tmp_path / "huge.safetensors", tmp_path / "missing", tmp_path):
        assert str(path) in refusal(load_generator, path)
