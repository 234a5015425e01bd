"""One training in several processes that were started from outside: by torchrun, by srun, or by a command on each node.

Every process composes its own configuration, and the time in the name of the run's folder differs between them. The
others therefore take the folder of rank 0, before Hydra creates one of their own. Processes that Lightning starts get
it on their command line. This module imports torch only if there are several processes.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from gan.core.errors import UserError, one_line

PATIENCE = timedelta(minutes=5)  # for rank 0 to start
_FOLDER = "gan/output_dir"
_stores: list[Any] = []  # rank 0 serves the others as long as it lives


@dataclass(frozen=True)
class Group:
    """The processes of one training, as one of them sees them.

    Attributes:
        launcher: what started them.
        rank: number of this process, from 0. With a command on each node, number of the node.
        size: number of processes; None if it is not known.
        address: host of rank 0.
        port: port of rank 0.
    """

    launcher: str
    rank: int
    size: int | None
    address: str
    port: int


def is_helper() -> bool:
    """Whether this process is one of several and not rank 0, which speaks for all."""
    ranks = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    return any(os.environ.get(rank, "0") != "0" for rank in ranks)


def find_group() -> Group | None:
    """The group of this process; None for a single process and for one that Lightning started.

    Raises:
        UserError: NODE_RANK is set without the address of rank 0.
    """
    known = os.environ
    if "TORCHELASTIC_RUN_ID" in known:
        rank, size = int(known["RANK"]), int(known["WORLD_SIZE"])
        return Group("torchrun", rank, size, known["MASTER_ADDR"], int(known["MASTER_PORT"])) if size > 1 else None
    if int(known.get("SLURM_NTASKS", "1")) > 1 and known.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        from lightning_fabric.plugins.environments import SLURMEnvironment

        slurm = SLURMEnvironment(auto_requeue=False)
        return Group("srun", slurm.global_rank(), slurm.world_size(), slurm.main_address, slurm.main_port)
    if "NODE_RANK" in known and "LOCAL_RANK" not in known:
        if missing := {"MASTER_ADDR", "MASTER_PORT"} - known.keys():
            raise UserError(
                f"NODE_RANK is set without {min(missing)}; set both MASTER_ADDR and MASTER_PORT to rank 0's."
            )
        return Group("NODE_RANK", int(known["NODE_RANK"]), None, known["MASTER_ADDR"], int(known["MASTER_PORT"]))
    return None


def publish_folder(folder: Path) -> None:
    """Rank 0 gives the run's folder to the other processes; a single process does nothing."""
    if (group := find_group()) is not None and group.rank == 0:
        _connect(group).set(_FOLDER, str(folder.resolve()))


def join_run(argv: Sequence[str]) -> list[str]:
    """The command line of this process, which writes into rank 0's folder: waits for it where necessary.

    Raises:
        UserError: rank 0 gave no folder in time.
    """
    group = find_group()
    if group is None or group.rank == 0:
        return list(argv)
    try:
        folder = _connect(group).get(_FOLDER).decode()
    except RuntimeError as error:  # of torch.distributed
        raise UserError(
            f"rank {group.rank} got no folder from rank 0 at {group.address}:{group.port}: {one_line(error)[:200]}."
        ) from error
    quoted = folder.replace("'", "\\'")
    log = f"hydra.job.name=train_process_{group.rank}"
    return [f"hydra.run.dir='{quoted}'", "hydra.output_subdir=null", log, *argv]


def check_size(num_processes: int) -> None:
    """Raises UserError if the Trainer expects another number of processes than were started."""
    if (group := find_group()) is not None and group.size not in (None, num_processes):
        raise UserError(
            f"trainer.devices: {group.launcher} started {group.size} processes and the Trainer expects "
            f"{num_processes}; give trainer.devices=PER_NODE and, for several nodes, +trainer.num_nodes=NODES."
        )


def _connect(group: Group) -> Any:
    """A connection to the store of rank 0, or of torchrun, at the address that the training uses later."""
    from torch.distributed import TCPStore

    serves = group.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = TCPStore(
        group.address, group.port, is_master=serves, timeout=PATIENCE, wait_for_workers=False, multi_tenant=True
    )
    _stores.append(store)
    return store
