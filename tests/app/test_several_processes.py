"""One training in several processes: started by torchrun, by Slurm, or by a command on each of two nodes."""

import json
import os
import re
import socket
import sys
from datetime import timedelta
from subprocess import PIPE, STDOUT, Popen

import pytest

from gan.app.several_processes import check_size, find_group, is_helper, join_run, publish_folder
from gan.core.errors import UserError
from gan.runs.checkpoint import read
from tests.conftest import REPOSITORY

TRAIN = [sys.executable, str(REPOSITORY / "train.py")]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
SMALL = ["model.generator.hidden=[32]", "model.discriminator.hidden=[32]", "trainer=cpu", "trainer.max_steps=10"]
WORDS = [*SMALL, "k=2", "optim/schedule=constant", "~callbacks.sample_grids"]
for player in ("generator", "discriminator"):  # Adam would amplify rounding errors of gradients near zero
    WORDS += [f"optim.{player}._target_=torch.optim.SGD", f"~optim.{player}.betas", f"optim.{player}.lr=0.1"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def start(folder, command, **environment):
    return Popen(command, cwd=folder, env=ENVIRONMENT | environment, stdout=PIPE, stderr=STDOUT, text=True)


def finish(processes, expected=0):
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [expected] * len(processes), "\n".join(outputs)
    return outputs


def two_nodes(launcher, folder, *words):
    """Starts one process on each of two nodes, which are two loopback addresses of this machine."""
    port, words = free_port(), [*words, "trainer.devices=1", "+trainer.num_nodes=2"]
    for node in (0, 1):
        if launcher == "torchrun":
            agent = ["--nnodes=2", f"--node_rank={node}", "--nproc_per_node=1", f"--local_addr=127.0.0.{node + 1}"]
            agent += ["--master_addr=127.0.0.1", f"--master_port={port}"]
            yield start(folder, [sys.executable, "-m", "torch.distributed.run", *agent, *TRAIN[1:], *words])
        elif launcher == "srun":
            own = {"SLURM_PROCID": f"{node}", "SLURM_NODEID": f"{node}", "SLURM_LOCALID": "0", "SLURM_JOB_ID": "77"}
            shared = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2"}
            hosts = {"SLURM_NODELIST": "127.0.0.1,127.0.0.2", "SLURM_JOB_NAME": "train", "MASTER_PORT": port}
            yield start(folder, [*TRAIN, *words], **own, **shared, **hosts)
        else:
            yield start(folder, [*TRAIN, *words], NODE_RANK=f"{node}", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """The weights of one process with twice the batch size."""
    folder = tmp_path_factory.mktemp("one")
    finish([start(folder, [*TRAIN, *WORDS, "data.batch_size=64", "output_dir=run"])])
    return read(folder / "run" / "checkpoints" / "last.ckpt")["state_dict"]


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("launcher", ["torchrun", "srun", "a command on each node"])
def test_two_nodes_share_a_folder_and_equal_one_process(tmp_path, one_process, launcher):
    """The folder has the time in its name, and each process starts at another time."""
    first, second = finish(list(two_nodes(launcher, tmp_path, *WORDS, "data.batch_size=32")))
    (run,) = tmp_path.glob("outputs/runs/*/*")
    assert "2 × cpu" in first
    assert f"checkpoint     {run.relative_to(tmp_path)}" in first
    assert "checkpoint" not in second
    assert {".hydra", "train.log", "train_process_1.log", "checkpoints"} <= {path.name for path in run.iterdir()}
    weights = read(run / "checkpoints" / "last.ckpt")["state_dict"]
    for name in one_process:
        assert (weights[name] - one_process[name]).abs().max() <= 2e-6, name


@pytest.mark.slow
@pytest.mark.processes
def test_wrong_number_of_processes_is_refused_in_one_line(tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port", free_port()]
    (output,) = finish([start(tmp_path, [*launcher, *TRAIN[1:], *SMALL, "output_dir=run"])], expected=1)
    message = "error: trainer.devices: torchrun started 2 processes and the Trainer expects 1; give trainer.devices="
    assert output.count(message) == 1
    assert not (tmp_path / "run" / "checkpoints").exists()


COUNTER = '''
import json
from pathlib import Path

import torch.distributed as dist
from pytorch_lightning.callbacks import Callback


class Counter(Callback):
    """Records the number of elements of every all-reduce within the training steps."""

    def __init__(self, folder):
        self.folder, self.steps = Path(folder), []

    def on_train_start(self, trainer, pl_module):
        reduce = dist.all_reduce

        def counted(tensor, *args, **kwargs):
            self.steps[-1].append(tensor.numel() if tensor.dtype.is_floating_point else 0)
            return reduce(tensor, *args, **kwargs)

        pl_module.all_reduce, dist.all_reduce = reduce, counted

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.steps.append([])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append([])  # of the callbacks

    def on_train_end(self, trainer, pl_module):
        dist.all_reduce = pl_module.all_reduce
        sizes = {name: sum(p.numel() for p in pl_module.parameters_of(name)) for name in pl_module.player_names}
        text = json.dumps({"sizes": sizes, "steps": self.steps[::2]})
        (self.folder / f"rank{trainer.global_rank}.json").write_text(text)
'''


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("penalty", ["none", "[r1,gradient_penalty]"])
def test_each_update_sends_only_its_players_gradient_in_one_all_reduce(tmp_path, penalty):
    """D takes a step on every batch, G on every second one and then two. A penalty has no all-reduce of its own."""
    (tmp_path / "counting.py").write_text(COUNTER, encoding="utf-8")
    words = [*SMALL, "k=2", "g_steps=2", f"penalty={penalty}", "trainer=ddp", "trainer.accelerator=cpu"]
    counter = ["+callbacks.counter._target_=counting.Counter", f"+callbacks.counter.folder={tmp_path}"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    finish([start(tmp_path, [*TRAIN, *words, *counter, "output_dir=run"], PYTHONPATH=path)])
    for rank in (0, 1):
        found = json.loads((tmp_path / f"rank{rank}.json").read_text(encoding="utf-8"))
        discriminator, generator = found["sizes"]["discriminator"], found["sizes"]["generator"]
        assert discriminator != generator
        # In the last two steps the curves end, which the callbacks reduce.
        assert found["steps"][:8] == 4 * [[discriminator], [discriminator, generator, generator]]


TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "host", "MASTER_PORT": "1234"}
SLURM = {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_ID": "12345", "SLURM_NODELIST": "node[7-8]"}


@pytest.mark.parametrize(
    ("environment", "expected", "helper"),
    [
        ({}, None, False),
        ({"LOCAL_RANK": "1"}, None, True),  # Lightning started it, with the folder on its command line
        ({"LOCAL_RANK": "1", "NODE_RANK": "1"}, None, True),
        (TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0"}, ("torchrun", 0, 2, "host", 1234), False),
        (TORCHRUN | {"RANK": "1", "LOCAL_RANK": "0"}, ("torchrun", 1, 2, "host", 1234), True),
        (TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}, None, False),
        (SLURM | {"SLURM_PROCID": "3"}, ("srun", 3, 4, "node7", 17345), True),
        (SLURM | {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, None, False),
        (SLURM | {"SLURM_PROCID": "0", "SLURM_JOB_NAME": "interactive"}, None, False),
        ({"NODE_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "5"}, ("NODE_RANK", 1, None, "a", 5), True),
    ],
)
def test_group_is_found_in_the_environment(monkeypatch, environment, expected, helper):
    for key in list(os.environ):
        if re.match("SLURM_|TORCHELASTIC_|MASTER_|(NODE_|LOCAL_|WORLD_)?(RANK|SIZE)$", key):
            monkeypatch.delenv(key)
    for key in ("MASTER_ADDR", "MASTER_PORT"):  # Lightning sets them for Slurm
        monkeypatch.setenv(key, "")
        monkeypatch.delenv(key)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    group = find_group()
    assert (group and (group.launcher, group.rank, group.size, group.address, group.port)) == expected
    assert is_helper() is helper
    if expected is None:
        assert join_run(["k=2"]) == ["k=2"]
        publish_folder(REPOSITORY)
        check_size(3)


def test_other_ranks_get_the_folder_of_rank_0(monkeypatch, tmp_path):
    """Both ranks in one process; the folder has characters that Hydra's grammar treats specially."""
    folder = tmp_path / "it's, a=run"
    for key, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "NODE_RANK": "0"}.items():
        monkeypatch.setenv(key, value)
    publish_folder(folder)
    monkeypatch.setenv("NODE_RANK", "1")
    first, *others = join_run(["k=2"])
    from hydra.core.override_parser.overrides_parser import OverridesParser

    assert OverridesParser.create().parse_override(first).value() == str(folder)
    assert others == ["hydra.output_subdir=null", "hydra.job.name=train_process_1", "k=2"]


def test_missing_address_and_silent_rank_0_are_reported(monkeypatch):
    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(UserError, match="NODE_RANK is set without MASTER_PORT"):
        find_group()
    monkeypatch.setenv("MASTER_PORT", free_port())
    monkeypatch.setattr("gan.app.several_processes.PATIENCE", timedelta(seconds=1))
    with pytest.raises(UserError, match=r"^rank 1 got no folder from rank 0 at 127.0.0.1:\d+: "):
        join_run(["k=2"])
