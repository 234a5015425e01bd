"""The search of :mod:`gan.search` as a sweeper of Hydra. Nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Searches with Optuna; the arguments are the keys of ``conf/hydra/sweeper/optuna.yaml``."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from gan.search.sweep import sweep

        return sweep(self.config, self.settings, self.launcher.launch, self.hydra_context.config_loader, arguments)


class OwnConfiguration(SearchPathPlugin):
    """Takes the schema of hydra-optuna-sweeper out of this project's commands.

    It has the name of our ``hydra/sweeper/optuna.yaml``, and Hydra merges a schema and a file of one name. Commands of
    other projects in the same environment keep it.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if any(_has_our_sweeper(element.path) for element in search_path.get_path() if element.provider == "main"):
            ConfigStore.instance().repo.get("hydra", {}).get("sweeper", {}).pop("optuna.yaml", None)


def _has_our_sweeper(path: str) -> bool:
    file = Path(path.removeprefix("file://")) / "hydra" / "sweeper" / "optuna.yaml"
    return file.is_file() and __package__ in file.read_text(encoding="utf-8")
