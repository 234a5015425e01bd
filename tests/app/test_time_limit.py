"""``trainer.max_time``: each command has the whole time, and a chain of commands ends as one without a limit."""

import shlex

import pytest
import torch

from gan.app.ending import TIMEOUT
from gan.app.train import run
from gan.core.errors import Stopped, UserError
from gan.runs import outcome
from gan.runs.checkpoint import read
from gan.runs.identity import setting
from gan.runs.time_limit import TimeLimit
from tests.test_resume import assert_same_bits, scalars

COMMON = ["trainer.max_epochs=3", "data.batch_size=128", "callbacks.monitor.every_n_batches=4", "ema.decay=0.99"]
TOTAL = 30  # batches


class BatchLimit(TimeLimit):
    """A limit whose seconds are batches, so that the test does not depend on the machine's speed."""

    batches = 0

    def on_train_batch_end(self, *args, **kwargs):
        self.batches += 1
        super().on_train_batch_end(*args, **kwargs)

    def time_elapsed(self, stage=None):
        return self.batches


@pytest.fixture(autouse=True)
def seconds_are_batches(monkeypatch):
    monkeypatch.setattr("gan.runs.trainer.TimeLimit", BatchLimit)


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.parametrize(
    "limit", [7, pytest.param(10, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)]
)
def test_chain_of_limited_runs_ends_with_the_bits_of_one_run(configure, tmp_path, limit):
    run(configure(*COMMON, folder="whole"))
    words, points = [*COMMON, f"trainer.max_time=00:00:00:{limit:02d}"], {}
    for link in range(-(-TOTAL // limit)):
        done = min(TOTAL, (link + 1) * limit)
        path = tmp_path / f"{link - 1}" / "checkpoints" / "last.ckpt"
        cfg = configure(*words, *([f"ckpt_path={path}"] if link else []), folder=str(link))
        if done == TOTAL:
            run(cfg)
        else:
            with pytest.raises(Stopped) as stopped:
                run(cfg)
            assert stopped.value.exit_code == TIMEOUT == 124
            assert str(stopped.value) == (
                f"stopped after iteration {done} by trainer.max_time with everything saved; resume with: "
                f"python train.py ckpt_path={tmp_path / str(link) / 'checkpoints' / 'last.ckpt'}"
            )
        assert outcome.read(tmp_path / str(link)).finished == (done == TOTAL)
        for name, found in scalars(tmp_path / str(link)).items() if limit > 1 else ():
            points.setdefault(name, []).extend(found)
    assert_same_bits(weights(tmp_path / "whole"), weights(tmp_path / str(link)))
    for name, expected in scalars(tmp_path / "whole").items() if limit > 1 else ():
        assert points[name] == expected


def test_other_jobs_of_a_sweep_run_on(command, tmp_path):
    small = ["model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "logger=none", "hydra.sweep.dir=S"]
    words = ["-m", *small, "trainer.max_steps=3,9", "trainer.max_time=00:00:00:05", "objective=null"]
    status, output = command("train.py", tmp_path, *words, "trainer=cpu")
    assert status == 1
    assert "S/1/checkpoints/last.ckpt; the same sweep, started again, resumes it" in output
    assert [outcome.read(tmp_path / "S" / job).finished for job in "01"] == [True, False]


def test_command_ends_with_the_line_of_ctrl_c(command, tmp_path):
    words = ["trainer.max_time=00:00:00:02", "trainer.max_steps=5", "logger=none", "output_dir=run", "trainer=cpu"]
    status, output = command("train.py", tmp_path, *words)
    assert status == 124
    assert output.rstrip().endswith("resume with: python train.py ckpt_path=run/checkpoints/last.ckpt")


def pasted(output):
    """The words after "python train.py" of a printed command, as a shell reads them."""
    (line,) = (line for line in output.splitlines() if "; resume with: " in line)
    python, script, *words = shlex.split(line.partition("; resume with: ")[2])
    assert (python, script) == ("python", "train.py")
    return words


SHORT = ["trainer.max_time=00:00:00:02", "trainer.max_steps=5", "logger=none", "trainer=cpu"]


def test_printed_command_can_be_pasted_for_a_folder_of_any_name(command, tmp_path):
    name = "it's lr=0.1, k=[2]"
    quoted = name.replace("'", "\\'")
    status, output = command("train.py", tmp_path, *SHORT, "k=2", f"output_dir='{quoted}'")
    assert status == 124
    status, output = command("train.py", tmp_path, *pasted(output), "trainer.max_time=null", "output_dir=rest")
    assert status == 0, output
    assert read(tmp_path / "rest" / "checkpoints" / "last.ckpt")["iteration"] == 5
    assert read(tmp_path / "rest" / "checkpoints" / "last.ckpt")["hyper_parameters"]["k"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["loss._target_=mine.parts.Loss"], ["loss._target_=mine.parts.Loss"]),
        (["--config-dir", "conf", "loss=mine"], ["--config-dir=conf"]),
    ],
)
def test_printed_command_names_the_users_own_classes_and_files(command, tmp_path, monkeypatch, words, kept):
    """A run's folder cannot vouch for them. A resumed run that is stopped again keeps them too, and `trust=`."""
    monkeypatch.syspath_prepend(tmp_path)
    for file, text in {
        "mine/__init__.py": "",
        "mine/parts.py": "from gan.losses.adversarial import NonSaturating\n\nclass Loss(NonSaturating):\n    pass\n",
        "conf/loss/mine.yaml": "_target_: mine.parts.Loss\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    status, output = command("train.py", tmp_path, *words, *SHORT, "output_dir=0")
    assert status == 124, output
    first = pasted(output)
    assert first == ["ckpt_path=0/checkpoints/last.ckpt", *kept]
    status, output = command("train.py", tmp_path, *first, "trust=mine", "output_dir=1")
    assert status == 124, output
    second = pasted(output)
    own = [word for word in kept if not word.startswith("--")]
    assert second == ["ckpt_path=1/checkpoints/last.ckpt", *own, "trust=mine", *(w for w in kept if w not in own)]
    status, output = command("train.py", tmp_path, *second, "trainer.max_time=null", "output_dir=2")
    assert status == 0, output
    saved = read(tmp_path / "2" / "checkpoints" / "last.ckpt")
    assert (saved["iteration"], saved["hyper_parameters"]["loss"]["_target_"]) == (5, "mine.parts.Loss")


def test_limit_without_a_checkpoint_is_an_error(configure):
    with pytest.raises(UserError, match=r"iteration 2 by trainer.max_time without a checkpoint"):
        run(configure("trainer.max_time=00:00:00:02", "callbacks.checkpoint=null", "logger=none"))


@pytest.mark.parametrize("wrong", ["5", "'1:00:00'", "00:00:00:00", "{hours: 0}", "{ours: 1}"])
def test_wrong_times_are_refused(configure, wrong):
    with pytest.raises(UserError, match=r"trainer.max_time must be a positive time DD:HH:MM:SS, such as 00:12:00:00"):
        run(configure(f"trainer.max_time={wrong}"))


def test_keywords_of_a_time_are_accepted():
    assert TimeLimit({"minutes": 2, "seconds": 3}).time_remaining() == 123


def test_limit_is_no_part_of_a_setting(configure):
    assert setting(configure("trainer.max_time=00:00:00:07")) == setting(configure())
