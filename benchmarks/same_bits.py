"""Checks whether two commits train to the same bits: ``python -m benchmarks.same_bits OLD [NEW]``.

Each preset trains some iterations in a checkout of each commit, in a process of its own. If its data needs a download,
it uses scikit-learn's digits at the preset's image size. Then the tensors of both checkpoints are compared, whatever
their names: a refactoring may rename a layer but must not change a bit. Hashes hold for one machine only, so
both commits run on this one. NEW is the working tree unless given.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks import endings
from benchmarks.timing import REPOSITORY, environment
from gan.app.command_line import CONF


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gan_same_bits_") as place:
        old = checkout(options.old, Path(place) / "old")
        new = checkout(options.new, Path(place) / "new") if options.new else REPOSITORY
        try:
            names = options.presets or presets()
            here = [{path.stem for path in (tree / "conf" / "experiment").glob("*.yaml")} for tree in (old, new)]
            both = [name for name in names if name in here[0] & here[1]]
            if left := sorted(set(names) - set(both)):
                print(f"only in one of them: {', '.join(left)}", flush=True)
            different = [preset for preset in both if not report(preset, old, new, options)]
        finally:
            for folder in {old, new} - {REPOSITORY}:
                git("worktree", "remove", "--force", str(folder))
    sys.exit(f"error: other bits in {', '.join(different)}" if different else 0)


def parser() -> argparse.ArgumentParser:
    """The command-line options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.same_bits", description=__doc__.partition("\n")[0])
    made.add_argument("old", help="a commit")
    made.add_argument("new", nargs="?", help="another commit; the working tree by default")
    made.add_argument("--presets", nargs="+", help="names in conf/experiment/; all but the second stages by default")
    made.add_argument("--iterations", type=int, default=50, help="batches of each preset; at least one update of G")
    made.add_argument("--option", action="append", default=[], help="a further option for train.py, repeatable")
    return made


def presets() -> list[str]:
    """Every preset that needs no earlier run."""
    names = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
    return [name for name in names if not OmegaConf.missing_keys(configuration(name))]


def configuration(preset: str, *options: str):
    """The composed configuration of a preset."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose("train", [f"experiment={preset}", "output_dir=nowhere", *options])


def report(preset: str, old: Path, new: Path, options: argparse.Namespace) -> bool:
    """Trains a preset in both folders and prints a line; returns whether the bits are the same."""
    with tempfile.TemporaryDirectory(prefix="gan_same_bits_") as place:
        words = [*command(preset, options.iterations), *options.option]
        before, after = (train(tree, words, Path(place) / name) for name, tree in (("old", old), ("new", new)))
    same = before == after
    digest = hashlib.sha256("".join(sorted(after.elements())).encode()).hexdigest()[:16]
    shared = (before & after).total()
    verdict = "same" if same else f"DIFFERENT: {shared} of {before.total()} and {after.total()} tensors agree"
    print(f"{preset:40} {digest}  {verdict}", flush=True)
    return same


def command(preset: str, iterations: int) -> list[str]:
    """Options for train.py: the preset, shortened, with data that needs no download."""
    cfg = configuration(preset)
    words = [
        f"experiment={preset}",
        f"trainer.max_steps={max(iterations, cfg.k)}",
        "trainer.max_epochs=-1",
        "trainer=cpu",
    ]
    if "root" in cfg.data:
        words += ["data=digits", f"data.image_size={cfg.data.image_size}"]
    return [*words, "metrics=none", "figures=none", "features=pixels"]


def train(tree: Path, words: Sequence[str], folder: Path) -> Counter[str]:
    """Runs a checkout's train.py; returns the hashes of the tensors in its last checkpoint with their counts."""
    done = subprocess.run(
        [sys.executable, str(tree / "train.py"), *words, f"output_dir={folder}"],
        cwd=folder.parent,
        env=environment(tree),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"error: {tree}: train.py {' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    saved = torch.load(folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    return Counter(map(hash_of, saved["state_dict"].values()))


def hash_of(tensor: torch.Tensor) -> str:
    """SHA-256 of a tensor's dtype, shape and bytes."""
    content = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
    return hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode() + content).hexdigest()


def checkout(commit: str, folder: Path) -> Path:
    """A worktree of the commit in ``folder``."""
    git("worktree", "add", "--detach", str(folder), commit)
    return folder


def git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: git {' '.join(words)}: {done.stderr.strip()}")


if __name__ == "__main__":
    endings.run(main)
