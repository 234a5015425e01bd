"""A search space, written in Hydra's grammar of overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep, Transformer
from omegaconf import DictConfig, OmegaConf

from gan.core.errors import UserError, one_line

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Value = str | int | float | bool


@dataclass(frozen=True)
class Space:
    """The overrides of all trials, and the distributions of those that differ.

    Attributes:
        fixed: overrides as written.
        swept: the distribution of each key; the key as written, such as ``k`` or ``+trainer.max_time``.
    """

    fixed: list[str]
    swept: dict[str, BaseDistribution]

    def suggest(self, trial: Trial) -> list[str]:
        """The trial's values as overrides; those that a restarted search finds in the study stay as they are."""
        return [f"{key}={as_text(_suggest(trial, key, distribution))}" for key, distribution in self.swept.items()]

    def defaults(self, config: DictConfig) -> dict[str, Value]:
        """The configuration's own value of each parameter, as the study stores it.

        Args:
            config: the sweep's configuration, composed without the parameters.

        Raises:
            UserError: a parameter has no value there, or one that the search does not allow.
        """
        return {key: _default(config, key, distribution) for key, distribution in self.swept.items()}

    def lines(self) -> list[str]:
        """One text for each override and parameter, which tells this experiment from others."""
        return sorted([*self.fixed, *(f"{key}={distribution}" for key, distribution in self.swept.items())])


def read_space(overrides: Sequence[Override]) -> Space:
    """The space of a command line; of two overrides with the same key, the second is used.

    Raises:
        UserError: a sweep that is no distribution, the seed as a parameter, or no parameter at all.
    """
    latest = {override.get_key_element(): override for override in overrides}
    swept = {key: distribution(override) for key, override in latest.items() if override.is_sweep_override()}
    if "seed" in swept:
        raise UserError("seed is no parameter of a search; hydra.sweeper.seeds=[1,2,3] makes each trial a mean.")
    if not swept:
        raise UserError("nothing to search; give a parameter, such as 'recipe.lr=tag(log, interval(1e-4, 1e-2))'.")
    return Space([str(o.input_line) for key, o in latest.items() if key not in swept], swept)


def distribution(override: Override) -> BaseDistribution:
    """The distribution of one swept override.

    ``interval(a, b)`` is continuous, ``int(interval(a, b))`` has whole numbers from a to b, ``range(a, b, step)``
    excludes b as elsewhere in Hydra, and ``a,b,c`` or ``choice(a, b, c)`` has no order. ``tag(log, …)`` searches
    numbers on a logarithmic scale.

    Raises:
        UserError: an empty range, limits in the wrong order, or an unknown tag.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep = override.value()
    tags = set(getattr(sweep, "tags", ()))
    try:
        if unknown := tags - {"log"}:
            raise ValueError(f"the tag '{unknown.pop()}' is unknown; there is: log")
        if isinstance(sweep, IntervalSweep):
            low, high, step = sweep.start, sweep.end, None
        elif isinstance(sweep, RangeSweep):
            numbers = sorted(sweep.range())
            if not numbers:
                raise ValueError("the range is empty")
            low, high, step = numbers[0], numbers[-1], abs(sweep.step)
        else:
            return CategoricalDistribution(tuple(override.sweep_iterator(transformer=_choice)))
        # Optuna has no steps on a logarithmic scale, except those of whole numbers.
        if all(isinstance(number, int) for number in (low, high, step or 1)):
            return IntDistribution(low, high, log="log" in tags, step=step or 1)
        return FloatDistribution(float(low), float(high), log="log" in tags, step=step and float(step))
    except ValueError as error:
        raise UserError(f"{override.input_line}: {one_line(error)}.") from error


def _choice(value: Any) -> Value:
    """A choice as the study stores it: a number, or text in Hydra's grammar."""
    return value if isinstance(value, int | float) else Transformer.str(value)


def _suggest(trial: Trial, key: str, distribution: BaseDistribution) -> Value:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, IntDistribution):
        limits = distribution.low, distribution.high
        return trial.suggest_int(key, *limits, log=distribution.log, step=distribution.step)
    if isinstance(distribution, FloatDistribution):
        bounds = distribution.low, distribution.high
        return trial.suggest_float(key, *bounds, log=distribution.log, step=distribution.step)
    assert isinstance(distribution, CategoricalDistribution)
    return trial.suggest_categorical(key, distribution.choices)


def _default(config: DictConfig, key: str, distribution: BaseDistribution) -> Value:
    from optuna.distributions import CategoricalDistribution

    group = OmegaConf.select(config, "hydra.runtime.choices", default={})
    value = group[key] if key in group else OmegaConf.select(config, key.lstrip("+"))
    value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if isinstance(distribution, CategoricalDistribution):
        for choice in distribution.choices:
            if choice == value or (isinstance(choice, str) and _parsed(choice) == value):
                return choice
    elif isinstance(value, int | float) and distribution._contains(distribution.to_internal_repr(value)):
        return value
    raise UserError(
        f"hydra.sweeper.default_first: {key} is {value} by default, which is not in the search; "
        "include it, or leave default_first out."
    )


def _parsed(choice: str) -> Any:
    """The value of a choice that the study stores as text."""
    value = OverridesParser.create().parse_override(f"x={choice}").value()
    return str(value) if isinstance(value, QuotedString) else value


def as_text(value: Value) -> str:
    """A value of a trial as Hydra reads it; texts are in Hydra's grammar already."""
    return str(value).lower() if isinstance(value, bool) else str(value)
