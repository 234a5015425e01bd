"""``hydra/sweeper=optuna``: the search of :mod:`gan.search`, which is imported when it starts."""

import sys
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from gan.core.errors import Stopped


class Search(Sweeper):
    """Searches with Optuna; the arguments are the keys of ``conf/hydra/sweeper/optuna.yaml``."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from gan.search.sweep import sweep

        try:
            sweep(self.config, self.settings, self.launcher.launch, self.hydra_context.config_loader, arguments)
        except (KeyboardInterrupt, Stopped):
            folder = self.config.hydra.sweep.dir
            print(f"the search continues with the same command and hydra.sweep.dir={folder}", file=sys.stderr)
            raise
