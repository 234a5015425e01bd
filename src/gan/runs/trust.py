"""Which classes a checkpoint, a run's folder or an exported file may name: an allow-list by role.

Hydra builds whatever a ``_target_`` names, and calling an arbitrary function runs code. So each part of a foreign
configuration must be a class of this program (or of torch and Lightning, where a role says so) with the base class of
its role. Classes of the user's own packages need ``trust=PACKAGE`` on the command line; no file can say it.
"""

import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from gan.core.errors import UserError
from gan.runs.foreign import shorten


@dataclass(frozen=True)
class Role:
    """What may stand at a key.

    Attributes:
        base: dotted paths of the classes from which it must derive; empty for any class of ``packages``.
        packages: where the class must be defined.
    """

    base: tuple[str, ...]
    packages: tuple[str, ...] = ("gan",)

    def __str__(self) -> str:
        """Such as ``Loss of gan``; ``text or number`` where nothing may be built."""
        kinds = " or ".join(path.rpartition(".")[2] for path in self.base) or "class"
        return f"{kinds} of {' or '.join(self.packages)}" if self.packages else "text or number"


_CALLBACK = Role(("pytorch_lightning.Callback",), ("gan", "pytorch_lightning.callbacks"))
_SCHEDULE = Role(("gan.optim.schedules.Schedule",))
#: roles by the full dotted key, without indices of lists; the first that matches
ROLES = {
    r"method": Role(("gan.methods.base.Method",)),
    r"model\.\w+": Role(("gan.networks.base.Network",)),
    r"model\.\w+\..+": Role(("torch.nn.Module", "gan.networks.normalization.Normalization"), ("gan", "torch.nn")),
    r"conditioning\.\w+": Role(("gan.networks.base.Network",)),
    r"conditioning\.\w+\.normalization": Role(("gan.networks.normalization.Normalization",)),
    r"view\.\w+": Role(("gan.networks.conditioning.Wrapper",)),
    r"view\.\w+\.normalization": Role(("gan.networks.normalization.Normalization",)),
    r"loss(\.\w+)?": Role(("gan.losses.base.Loss",)),
    r"(penalty|auxiliary)\.\w+": Role(("gan.losses.base.Term",)),
    r"(penalty|auxiliary)\.\w+\.weight": _SCHEDULE,
    r"likelihood": Role(("gan.losses.likelihoods.Likelihood",)),
    r"constraint\.\w+": Role((), ("gan.optim.constraints",)),
    r"history": Role(("gan.methods.history.History",)),
    r"lookahead": Role(("gan.methods.lookahead.Lookahead",)),
    r"latent": Role(("gan.networks.latents.Latent",)),
    r"optim\.schedule\.\w+|optim\.momentum": _SCHEDULE,
    r"optim\.\w+": Role(("torch.optim.Optimizer",), ("gan.optim", "torch.optim")),
    r"data": Role(("gan.data.base.Source",)),
    r"((callbacks\.\w+)\.)?features": Role(("gan.metrics.features.base.FeatureExtractor",)),
    r"((callbacks\.\w+)\.)?metrics\.\w+": Role(("gan.metrics.base.Metric",)),
    r"figures\.\w+": Role(("gan.figures.base.Figure",)),
    r"callbacks\.\w+": _CALLBACK,
    r"callbacks\.\w+\.symptoms\.\w+": Role(("gan.training.symptoms.Symptom",)),
    r"logger\.\w+": Role(("pytorch_lightning.loggers.Logger",), ("gan", "pytorch_lightning.loggers")),
}
#: libraries that nobody vouches for as a whole, in addition to Python's
OTHERS = {"gan", "hydra", "numpy", "omegaconf", "pytorch_lightning", "torch"}


def packages(trust: object) -> tuple[str, ...]:
    """The value of ``trust=`` as package names: ``my_gan`` or ``[my_gan,other.part]``.

    Raises:
        UserError: not names of packages, or a package that is not the user's own, such as ``os`` or ``torch``.
    """
    names = [] if trust is None else [trust] if isinstance(trust, str) else trust
    if not isinstance(names, Collection) or not all(isinstance(n, str) and re.fullmatch(r"[\w.]+", n) for n in names):
        raise UserError(f"trust={trust}: give the names of your own packages, such as trust=my_gan.")
    for name in names:
        if name in OTHERS or name.partition(".")[0] in sys.stdlib_module_names:
            raise UserError(f"trust={name} is no package of your own; its functions may run any code.")
    return tuple(names)


def targets(config: object, key: str = "") -> Iterator[tuple[str, object]]:
    """The dotted key and the value of each ``_target_`` in plain containers; indices of lists are left out."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield key, config["_target_"]
        for name, inner in config.items():
            if name != "_target_":
                yield from targets(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(config, list):
        for inner in config:
            yield from targets(inner, key)


def check_targets(
    config: dict, source: str, trust: Collection[str] = (), accepted: Collection[tuple[str, str]] = ()
) -> None:
    """Raises UserError for the first ``_target_`` that may not be built.

    Args:
        config: a configuration as plain containers.
        source: where it was read, for the message.
        trust: packages and modules whose classes of the right role are allowed, and single classes.
        accepted: pairs (role, target) that are not foreign, such as those of the user's command line.
    """
    for key, target in targets(config):
        if (role_of(key), target) not in accepted:
            check_target(key, target, source, trust)


def is_trusted(config: dict, trust: Collection[str] = ()) -> bool:
    """Whether every ``_target_`` may be built."""
    try:
        check_targets(config, "", trust)
    except UserError:
        return False
    return True


def accept(config: object) -> frozenset[tuple[str | None, str]]:
    """The pairs (role, target) of a trusted configuration, for :func:`check_targets`."""
    return frozenset((role_of(key), target) for key, target in targets(config) if isinstance(target, str))


def role_of(key: str) -> str | None:
    """The pattern in ``ROLES`` for a key; None if nothing may be built there."""
    return next((pattern for pattern in ROLES if re.fullmatch(pattern, key)), None)


def check_target(key: str, target: object, source: str, trust: Collection[str] = ()) -> None:
    """Raises UserError unless ``target`` may be built at ``key``; imports no module outside the allowed packages."""
    if not isinstance(target, str) or not re.fullmatch(r"[^\W\d_]\w*(\.\w+)+", target):
        raise UserError(f"{source}: {shorten(key)} is {shorten(target)}: expected the dotted path of a class.")
    if target in trust:
        return
    role = ROLES.get(role_of(key) or "", Role((), ()))
    if _below(target, trust):
        role = Role(role.base, tuple(trust))
    if _below(target, role.packages) and _has_role(_find(target), role):
        return
    top = target.partition(".")[0]
    if not _below(target, trust) and top not in OTHERS | sys.stdlib_module_names:
        raise UserError(
            f"{source}: {shorten(key)}={shorten(target)} is not a class of this repository, so it is not built; if you "
            f"trust this code, add trust={shorten(top)}."
        )
    if _below(target, trust):
        advice = f"Python must find it; for a class without this base give trust={shorten(target)}"
    else:
        advice = "do not use this file"
    raise UserError(f"{source}: {shorten(key)}={shorten(target)} is no {role}, so it is not built; {advice}.")


def _has_role(found: object, role: Role) -> bool:
    """Whether this is a class with a base class of the role, and is defined where the role says."""
    bases: Any = tuple(map(_find, role.base)) or (object,)
    return isinstance(found, type) and issubclass(found, bases) and _defined_in(found, role.packages)


def _below(path: str, packages: Collection[str]) -> bool:
    return any(path == package or path.startswith(f"{package}.") for package in packages)


def _find(path: str) -> object:
    """The object with this name in this module; None if there is none. No other attribute is followed."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def _defined_in(found: type, packages: Collection[str]) -> bool:
    """Whether a class is defined in one of these packages, wherever its name was looked up."""
    return _below(f"{found.__module__}.{found.__qualname__}", packages)
