"""A package of the user: classes and configuration files outside this repository."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import gan
from gan.app.command_line import CONF, check, options_last, resumed
from gan.app.help import list_choices
from gan.app.search_path import config_files
from gan.core.errors import UserError
from gan.runs.folder import RunFolder
from gan.runs.trust import packages
from tests.conftest import REPOSITORY

PACKAGE = {
    "__init__.py": "",
    "parts.py": """
from gan.data.digits import Digits
from gan.losses.adversarial import NonSaturating
from gan.metrics import Frechet
from gan.networks import mlp


class Loss(NonSaturating):
    def __init__(self, margin: float = 0.0) -> None:
        super().__init__()
        self.margin = margin


class Generator(mlp.Generator):
    def __init__(self, depth: int, **options) -> None:
        super().__init__(**options)
        self.depth = depth


class Data(Digits):
    pass


class Distance(Frechet):
    pass
""",
    "conf/__init__.py": "",
    "conf/loss/mine.yaml": "_target_: my_gan.parts.Loss\nmargin: 1.0\n",
    "conf/model/mine.yaml": """
defaults: [mlp]
generator:
  _target_: my_gan.parts.Generator
  depth: 2
  hidden: [16]
discriminator:
  hidden: [16]
""",
    "conf/data/mine.yaml": "# @package _global_\ndefaults: [digits]\ndata:\n  _target_: my_gan.parts.Data\n",
    "conf/metrics/mine.yaml": "mine:\n  _target_: my_gan.parts.Distance\n",
    "conf/experiment/mine.yaml": """
# @package _global_
defaults:
  - override /loss: mine
  - override /model: mine
  - override /data: mine
  - override /metrics: mine
loss:
  margin: 3.0
""",
}


def written(folder, files=PACKAGE):
    for name, text in files.items():
        path = folder / "my_gan" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return folder / "my_gan" / "conf"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    written(folder)
    return folder


@pytest.fixture
def conf(root, monkeypatch):
    """The configuration folder of an importable package."""
    monkeypatch.syspath_prepend(root)
    return root / "my_gan" / "conf"


def refusal(*arguments, **options):
    with pytest.raises(UserError) as error:
        check(arguments, "train", **options)
    assert "\n" not in str(error.value)
    return str(error.value)


WAYS = {
    "--config-dir": lambda conf: ([], str(conf)),
    "file": lambda conf: ([f"hydra.searchpath=[file://{conf}]"], None),
    "folder": lambda conf: ([f"hydra.searchpath=['{conf}']"], None),
    "pkg": lambda conf: (["hydra.searchpath=[pkg://my_gan.conf]"], None),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_own_choices_and_their_keys_are_accepted(conf, way):
    path, folder = way(conf)
    check([*path, "experiment=mine", "model.generator.depth=3", "loss.margin=2"], "train", config_dir=folder)
    check([*path, "loss=mine,minimax", "seed=1,2"], "train", sweep=True, config_dir=folder)
    check([*path, "metrics=[mine,kernel]", "metrics.kernel.subsets=9"], "evaluate", config_dir=folder)
    message = refusal(*path, "experiment=mnie", config_dir=folder)
    assert message.startswith("experiment=mnie: no such choice. Did you mean 'mine'? There are: ")
    message = refusal(*path, "experiment=mine", "model.generator.dept=3", config_dir=folder)
    assert message.startswith("model.generator.dept: model.generator has no key 'dept'. Did you mean 'depth'?")
    assert refusal("experiment=mine").startswith("experiment=mine: no such choice.")


def test_own_config_group_is_accepted(tmp_path):
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "first.yaml").write_text("x: 1\n", encoding="utf-8")
    check(["+extra=first", "extra.x=2"], "train", config_dir=str(tmp_path))
    assert "extra.y: extra has no key 'y'" in refusal("+extra=first", "extra.y=2", config_dir=str(tmp_path))
    assert "extra=frist: no such choice. Did you mean 'first'?" in refusal("+extra=frist", config_dir=str(tmp_path))


def test_own_choices_are_listed_in_help(conf, tmp_path, command):
    for script, groups in (("train.py", ["experiment", "loss"]), ("evaluate.py", ["metrics"])):
        status, output = command(script, tmp_path, "--help", "--config-dir", str(conf))
        assert status == 0
        for group in groups:
            choices = re.search(rf"^ *{group}:\n((?: +\S.*\n)+)", output, re.MULTILINE)[1]
            assert "mine" in re.findall(r"\w+", choices), group
    with config_files("train", str(conf)):
        assert "mine" in list_choices("model")


def test_missing_config_folder_is_named_in_the_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my_conf").mkdir()
    assert refusal(config_dir="my_cnof") == (
        f"--config-dir my_cnof: no such folder ({tmp_path}/my_cnof). Did you mean 'my_conf'?"
    )
    assert refusal(config_dir="no/folder") == f"--config-dir no/folder: no such folder ({tmp_path}/no/folder)."
    assert refusal("hydra.searchpath=[file://gone]") == (
        f"hydra.searchpath: file://gone: no such folder ({tmp_path}/gone)."
    )
    assert "pkg://no_package.conf: no such package" in refusal("hydra.searchpath=[pkg://no_package.conf]")
    assert "gone://here is neither a folder nor" in refusal("hydra.searchpath=[gone://here]")
    assert "write hydra.searchpath=[FOLDER,…]" in refusal("+hydra.searchpath=[my_conf]")
    assert "given 2 times" in refusal("hydra.searchpath=[my_conf]", "hydra.searchpath=[.]")


def test_shadowed_config_file_is_refused(tmp_path):
    """``conf/`` comes first in Hydra's search path: a changed copy of one of its files would have no effect."""
    for name in ("model/mlp.yaml", "loss/minimax.yaml"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(CONF / name, tmp_path / name)
    check(["loss=minimax"], "train", config_dir=str(tmp_path))  # the same
    (tmp_path / "loss" / "minimax.yaml").write_text("_target_: my.Loss\n", encoding="utf-8")
    assert refusal("loss=minimax", config_dir=str(tmp_path)) == (
        f"loss/minimax.yaml in {tmp_path} would not be read: {CONF} comes first and has a file of this name too; "
        "give yours another name."
    )
    check([], "train", config_dir=str(tmp_path))  # not chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_target_: [\n", "mine.yaml"),
        ("defaults:\n  - nothing\n", "In 'loss/mine': Could not load 'loss/nothing'"),
        ("# @package _global_\nhydra:\n  searchpath: [x]\n", "hydra.searchpath is only supported from the primary"),
        ("defaults: {a: b}\nc: d\n", "loss/mine"),
        ("x: ${\n", "loss/mine.yaml: no viable alternative at input '${'"),
    ],
)
def test_invalid_config_file_gives_a_one_line_error(tmp_path, text, message, command):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(text, encoding="utf-8")
    status, output = command("train.py", tmp_path, "--config-dir", str(tmp_path), "loss=mine")
    assert status == 1
    assert message in output
    assert output.count("\n") == 1
    assert output.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["loss"]


def test_hydra_flags_may_stand_anywhere():
    argv = ["-m", "loss=mine", "--config-dir", "model", "k=1,2", "-cn=own"]
    assert options_last(argv) == ["loss=mine", "k=1,2", "-m", "--config-dir", "model", "-cn=own"]
    assert options_last([]) == []
    with pytest.raises(UserError, match=r"--confg-dir.*Did you mean '--config-dir'\?"):
        options_last(["k=1", "--confg-dir", "x"])


TRAINING = ["trainer.max_steps=3", "trainer=cpu", "logger=none"]


@pytest.fixture(scope="module")
def original(root, tmp_path_factory):
    """A folder for a run of the package's experiment, with two folders of configuration files.

    ``--config-dir`` names the first one relative to the folder where the run starts; the search path names the second.
    """
    folder = tmp_path_factory.mktemp("runs")
    other = {"optim/own.yaml": "defaults: [adam]\ngradient_clip: 9.0\n"}
    for name, text in other.items():
        path = folder / "it's one's own" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(root / "my_gan" / "conf", folder / "my_conf")
    return folder


@pytest.fixture
def trained(original, conf, command):
    if not (original / "run").exists():
        words = ["experiment=mine", "optim=own", *TRAINING, "output_dir=run"]
        path = ["--config-dir", "my_conf", "hydra.searchpath=[\"it's one's own\"]"]
        status, output = command("train.py", original, *path[:2], *words, path[2], "model.generator.depth=5")
        assert status == 0, output
        assert "frechet_distance" in output
    return original / "run"


def checkpoint(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def test_own_experiment_trains_with_its_settings(trained):
    saved = checkpoint(trained)["hyper_parameters"]
    assert saved["loss"] == {"_target_": "my_gan.parts.Loss", "margin": 3.0}
    assert saved["model"]["generator"]["depth"] == 5
    assert saved["model"]["generator"]["slope"] == 0.2  # conf/model/mlp.yaml
    assert saved["data"]["_target_"] == "my_gan.parts.Data"
    assert saved["optim"]["gradient_clip"] == 9.0


def refused_additions(words):
    """The options that the error of a resume asks for."""
    with pytest.raises(UserError, match="had configuration files of its own, which are read only if you name") as error:
        resumed(words)
    return shlex.split(str(error.value).partition("add: ")[2])


def test_resumed_run_reads_its_config_folders_if_the_user_names_them(trained, tmp_path, command):
    last = trained / "checkpoints" / "last.ckpt"
    further = [f"ckpt_path={last}", "trainer.max_steps=5"]
    named = refused_additions(further)
    path = f"hydra.searchpath=['file://{trained.parent}/it\\'s one\\'s own']"
    assert named == [f"--config-dir={trained.parent}/my_conf", path]
    assert refused_additions([*further, "trust=my_gan"]) == named  # the folders lie outside the package
    status, output = command("train.py", tmp_path, *further, "output_dir=second", *named)
    assert status == 0, output
    assert "3 batches" not in output
    before, after = checkpoint(trained), checkpoint(tmp_path / "second")
    assert after["iteration"] == 5
    for key in ("loss", "model", "data", "optim"):
        assert after["hyper_parameters"][key] == before["hyper_parameters"][key]
    # The second run names them, too.
    assert refused_additions([f"ckpt_path={tmp_path}/second/checkpoints/last.ckpt"]) == named
    recorded = OmegaConf.load(tmp_path / "second" / ".hydra" / "hydra.yaml").hydra.searchpath
    assert recorded == [f"file://{trained.parent}/it's one's own"]


def test_trusted_package_vouches_for_the_config_files_inside_it(root, conf, tmp_path, command):
    for path in ([f"--config-dir={conf}"], ["hydra.searchpath=[pkg://my_gan.conf]"]):
        name = f"run{len(path[0])}"
        status, output = command("train.py", tmp_path, *path, "loss=mine", *TRAINING, f"output_dir={name}")
        assert status == 0, output
        words = [f"ckpt_path={name}/checkpoints/last.ckpt", "trainer.max_steps=5", f"output_dir={name}_rest"]
        assert refused_additions(words) == [
            word.replace("[pkg://my_gan.conf]", "['pkg://my_gan.conf']") for word in path
        ]
        status, output = command("train.py", tmp_path, *words, "trust=my_gan")
        assert status == 0, output
        assert checkpoint(tmp_path / f"{name}_rest")["hyper_parameters"]["loss"]["margin"] == 1.0
        assert "trust" not in (tmp_path / f"{name}_rest" / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")


def test_own_class_without_a_file_needs_trust_on_resume(conf, tmp_path, command):
    words = ["loss._target_=my_gan.parts.Loss", "+loss.margin=2", *TRAINING]
    status, output = command("train.py", tmp_path, *words, "output_dir=run")
    assert status == 0, output
    further = ["ckpt_path=run/checkpoints/last.ckpt", "trainer.max_steps=5", "output_dir=rest"]
    status, output = command("train.py", tmp_path, *further)
    assert status == 1
    assert output.count("\n") == 1
    assert output.endswith(
        "/run/.hydra/overrides.yaml: loss=my_gan.parts.Loss is not a class of this repository, so it is not built; "
        "if you trust this code, add trust=my_gan.\n"
    )
    for own in ("trust=my_gan", "trust=[other,my_gan.parts]", "loss._target_=my_gan.parts.Loss"):
        shutil.rmtree(tmp_path / "rest", ignore_errors=True)
        status, output = command("train.py", tmp_path, *further, own)
        assert status == 0, output
        assert checkpoint(tmp_path / "rest")["iteration"] == 5


def test_trust_from_python(conf, tmp_path):
    words = ["loss._target_=my_gan.parts.Loss", *TRAINING]
    run = gan.train(*words, folder=tmp_path / "run")
    assert run.module.loss.margin == 0.0  # what the caller has named needs no trust
    resume = (f"ckpt_path={tmp_path}/run/checkpoints/last.ckpt", "trainer.max_steps=5")
    with pytest.raises(UserError, match="add trust=my_gan"):
        gan.train(*resume, folder=tmp_path / "rest")
    assert gan.train(*resume, folder=tmp_path / "rest", trust="my_gan").iteration == 5
    with pytest.raises(UserError, match="add trust=my_gan"):
        gan.open_run(tmp_path / "run")
    assert gan.open_run(tmp_path / "run", trust=["my_gan"]).module.loss.margin == 0.0


@pytest.mark.parametrize("name", ["os", "subprocess.run", "torch", "my gan", ""])
def test_trust_takes_only_packages_of_the_user(name):
    with pytest.raises(UserError, match=r"^trust="):
        packages([name])


def test_given_config_folder_replaces_the_recorded_ones(trained, conf):
    word = f"ckpt_path={trained / 'checkpoints' / 'last.ckpt'}"
    for given in (["--config-dir", str(conf)], ["-cd", str(conf)], [f"hydra.searchpath=[{conf}]"]):
        assert resumed([*given, word])[-1] == word
        assert [w for w in resumed([*given, word]) if "searchpath" in w] == [w for w in given if "searchpath" in w]


def test_missing_recorded_config_folder_is_named_in_the_error(trained, tmp_path, command):
    moved = shutil.copytree(trained, tmp_path / "run")
    record = moved / ".hydra" / "hydra.yaml"
    record.write_text(record.read_text(encoding="utf-8").replace("/my_conf", "/gone"), encoding="utf-8")
    word = f"ckpt_path={moved / 'checkpoints' / 'last.ckpt'}"
    status, output = command("train.py", tmp_path, word)
    assert status == 1
    assert output == (
        f"error: {trained.parent}/gone is gone, where the run in {moved} had configuration files from; "
        "give the folder that has them now: --config-dir FOLDER\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("script", ["evaluate.py", "sample.py"])
def test_evaluate_and_sample_need_only_the_trusted_package(trained, tmp_path, command, script):
    """They need no configuration files: the run's configuration is in its checkpoint."""
    words = {"evaluate.py": ["metrics=frechet", "num_samples=20"], "sample.py": [f"folder={tmp_path}"]}
    run = shutil.copytree(trained, tmp_path / "run")
    status, output = command(script, tmp_path, f"run={run}", *words[script])
    assert status == 1
    assert output.endswith("if you trust this code, add trust=my_gan.\n")
    status, output = command(script, tmp_path, f"run={run}", *words[script], "trust=my_gan")
    assert status == 0, output
    assert "frechet_distance" in output or (tmp_path / "grid_ema.png").is_file()


def test_own_metric_is_evaluated_on_a_finished_run(trained, conf, tmp_path, command):
    run = shutil.copytree(trained, tmp_path / "run")
    status, output = command(
        "evaluate.py",
        tmp_path,
        "metrics=mine",
        "--config-dir",
        str(conf),
        f"run={run}",
        "num_samples=20",
        "trust=my_gan",
    )
    assert status == 0, output
    assert "frechet_distance" in output


def test_own_primary_config_is_read_on_resume(conf, tmp_path, command):
    """``--config-name`` may name the user's primary configuration file; a resumed run needs it too."""
    folder = shutil.copytree(conf, tmp_path / "own conf")
    (folder / "mine.yaml").write_text("defaults: [train, _self_]\nk: 2\nloss:\n  _target_: my_gan.parts.Loss\n")
    path = ["--config-name", "mine", "--config-dir", "own conf"]
    status, output = command("train.py", tmp_path, *path, "model=mine", *TRAINING, "output_dir=first")
    assert status == 0, output
    words = ["ckpt_path=first/checkpoints/last.ckpt", "trainer.max_steps=5", "output_dir=second"]
    words += refused_additions([f"ckpt_path={tmp_path}/first/checkpoints/last.ckpt"])
    status, output = command("train.py", tmp_path, *words)
    assert status == 0, output
    saved = checkpoint(tmp_path / "second")["hyper_parameters"]
    assert saved["k"] == 2
    assert saved["loss"] == {"_target_": "my_gan.parts.Loss"}


PRINTED = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8").partition("## Without a YAML file")[2]
COMMANDS = re.search(r"^```sh\n(.*?)^```", PRINTED, re.MULTILINE | re.DOTALL)[1].replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("line", COMMANDS)
def test_printed_object_without_a_file_works_in_a_default_epoch(line, tmp_path, command):
    python, script, *printed = shlex.split(line)
    assert (python, script) == ("python", "train.py")
    words = ["model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "trainer=cpu", "recipe.epochs=2"]
    status, output = command(script, tmp_path, *words, *printed, "output_dir=run")
    assert status == 0, output
    assert checkpoint(tmp_path / "run")["iteration"] == 2 * (1397 // 64)
    if "LearningRateMonitor" in line:
        saved = checkpoint(tmp_path / "run")["hyper_parameters"]["optim"]["generator"]
        curves = RunFolder(tmp_path / "run").curves()
        momentum = [value for _, value in curves["lr-Adam-momentum"]]
        assert momentum == pytest.approx([saved["betas"][0]] * 2)  # one point an epoch
    else:
        assert len(list((tmp_path / "run").rglob("metrics.csv"))) == 1


@pytest.mark.processes
@pytest.mark.slow
def test_commands_run_with_own_package_in_new_processes(tmp_path):
    conf = written(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "OMP_NUM_THREADS": "1"}

    def run_script(script, *arguments, expected=0):
        words = [sys.executable, str(REPOSITORY / script), *arguments]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=180, check=False, cwd=tmp_path, env=environment
        )
        assert done.returncode == expected, done.stderr
        return done.stdout + done.stderr

    run_script("train.py", "--config-dir", "my_gan/conf", "experiment=mine", *TRAINING, "output_dir=run")
    further = ("ckpt_path=run/checkpoints/last.ckpt", "trainer.max_steps=5")
    assert "trust" not in run_script("train.py", *further, "output_dir=second", "trust=my_gan")
    assert checkpoint(tmp_path / "second")["hyper_parameters"]["loss"]["margin"] == 3.0
    run_script("train.py", "-m", "hydra.searchpath=[pkg://my_gan.conf]", "loss=mine,minimax", *TRAINING)
    (conf / "experiment" / "mine.yaml").rename(tmp_path / "kept.yaml")
    conf.rename(tmp_path / "elsewhere")
    output = run_script("train.py", *further, "output_dir=third", "trust=my_gan", expected=1)
    assert output.startswith(f"error: {conf} is gone")
    assert output.count("\n") == 1
    assert not (tmp_path / "third").exists()
    assert "frechet_distance" in run_script(
        "evaluate.py", "run=second", "metrics=frechet", "num_samples=20", "trust=my_gan"
    )
    run_script("sample.py", "run=second", "trust=my_gan")
