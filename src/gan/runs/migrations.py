"""Migrates files of older versions to current names: class paths, configuration keys, checkpoint entries, overrides.

A checkpoint contains its format number. Format 0, from before there was a number, is converted with the tables below.
Format 1 lacks the symptoms in `ADDED`; format 2 is the current one. A change of names adds a table and increases the
number.
"""

import re

from gan.core.containers import flatten
from gan.core.errors import UserError

FORMAT = 2

#: dotted paths of modules and classes in format 0; the longest matching entry is used
MOVED = {
    "gan.callbacks": "gan.training",
    "gan.callbacks.Pictures": "gan.training.SampleGrids",
    "gan.callbacks.Portraits": "gan.training.Snapshots",
    "gan.features": "gan.metrics.features",
    "gan.latents": "gan.networks.latents",
    "gan.losses.Minimax": "gan.losses.adversarial.Minimax",
    "gan.losses.NonSaturating": "gan.losses.adversarial.NonSaturating",
    "gan.optimizers": "gan.optim.optimizers",
    "gan.penalties": "gan.losses.penalties",
    "gan.schedules": "gan.optim.schedules",
    "gan.symptoms": "gan.training.symptoms",
}
#: keys of format 0, as patterns for full dotted keys
RENAMED = {
    r"callbacks\.pictures(.*)": r"callbacks.sample_grids\1",
    r"callbacks\.portraits(.*)": r"callbacks.snapshots\1",
    r"callbacks\.diagnosis\.looks_to_clear": r"callbacks.diagnosis.checks_to_clear",
    r"callbacks\.diagnosis\.symptoms\.(\w+)\.looks": r"callbacks.diagnosis.symptoms.\1.checks",
    r"penalty\.(weight|_target_)": r"penalty.r1.\1",  # format 0 allowed one penalty, of one kind
}
#: symptoms that formats 0 and 1 lack
ADDED = {
    "margin_reached": {"_target_": "gan.training.symptoms.MarginReached", "share": 0.98, "checks": 3},
    "order_reversed": {"_target_": "gan.training.symptoms.OrderReversed", "share": 0.3, "checks": 3},
}


def migrate_checkpoint(checkpoint: dict, source: str) -> dict:
    """Converts a checkpoint of any known format to the current format.

    Args:
        checkpoint: as read from the file; changed in place.
        source: name of the file in messages.

    Raises:
        UserError: the format is unknown.
    """
    found = checkpoint.get("format", 0)
    if found not in range(FORMAT + 1):
        raise UserError(
            f"{source} has format {found}, this version reads formats 0 to {FORMAT}: use the version that wrote it."
        )
    if found == 0:
        if "minibatch" in checkpoint:
            checkpoint["iteration"] = checkpoint.pop("minibatch")
        if "hyper_parameters" in checkpoint:
            checkpoint["hyper_parameters"] = migrate_config(checkpoint["hyper_parameters"])
        history = checkpoint.get("diagnosis", {}).get("history", {})
        for observations in history.values():
            for one in observations:
                one["iteration"] = one.pop("minibatch")
    if found < 2:
        callbacks = checkpoint.get("hyper_parameters", {}).get("callbacks") or {}
        symptoms = (callbacks.get("diagnosis") or {}).get("symptoms")
        if symptoms:
            for name, added in ADDED.items():
                symptoms.setdefault(name, dict(added))
    checkpoint["format"] = FORMAT
    return checkpoint


def migrate_config(config: dict) -> dict:
    """Converts a configuration of format 0, as plain containers, to the current keys and class paths."""
    migrated: dict = {}
    for key, value in flatten(config).items():
        *parents, name = migrate_key(key).split(".")
        node = migrated
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = migrate_path(str(value)) if name == "_target_" else value
    for term in migrated.get("penalty", {}).values():
        term.setdefault("every", 1)
    if "method" not in migrated and "optim" in migrated:
        migrated["method"] = {
            "_target_": "gan.methods.gan.GAN",
            "k": migrated["k"],
            "g_steps": migrated["g_steps"],
            "simultaneous": migrated["optim"]["simultaneous"],
        }
    return migrated


def migrate_path(path: str) -> str:
    """The current dotted path of a class of format 0."""
    for old in sorted(MOVED, key=len, reverse=True):
        if path == old or path.startswith(f"{old}."):
            return MOVED[old] + path.removeprefix(old)
    return path


def migrate_key(key: str) -> str:
    """The current dotted key for a key of format 0."""
    for pattern, new in RENAMED.items():
        if re.fullmatch(pattern, key):
            return re.sub(pattern, new, key, count=1)
    return key


def migrate_override(word: str) -> str:
    """Converts a recorded override such as ``callbacks.pictures.count=9`` to the current keys and class paths."""
    match = re.fullmatch(r"(\+\+|\+|~)?([\w.@/]+)(=.*)?", word, re.DOTALL)
    if match is None:
        return word
    sign, key, value = match[1] or "", migrate_key(match[2]), match[3] or ""
    if key.endswith("._target_"):
        value = "=" + migrate_path(value.removeprefix("="))
    return f"{sign}{key}{value}"
