"""What loggers get in addition to curves: hyperparameters, results, image grids."""

import json
import math
import shlex
import warnings
from importlib.util import find_spec

import pytest
import torch
from pytorch_lightning.loggers import Logger
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from gan.app.train import run
from gan.core.errors import Stopped, UserError
from gan.evaluation.records import read
from gan.training import Checkpoint, trackers
from tests.conftest import SMALL

SHORT = [*SMALL, "trainer.max_steps=6", "~callbacks.sample_grids", "~callbacks.diagnosis"]
SINGLE = ["objective=loss/generator", "output_dir=single"]  # a single run has no objective unless it is asked for
STATUSES = [f"STATUS_{name}" for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]


def hparams_tab(folder):
    """What TensorBoard's HParams tab shows of the runs in a folder: (hyperparameters, results, status) of each run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a deprecation inside TensorBoard
        from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    plugin = HParamsPlugin(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    pages = plugin.get_plugin_apps()

    def ask(page, **request):
        answer = Client(pages[page]).post(data=json.dumps(request))
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text)

    columns = ask("/experiment")
    shown = {info["name"] for info in columns["hparamInfos"]}
    metrics = {info["name"]["tag"] for info in columns["metricInfos"]}
    request = {"allowedStatuses": STATUSES, "sliceSize": 100}
    found = {}
    for group in ask("/session_groups", **request)["sessionGroups"]:
        (session,) = group["sessions"]
        values = {value["name"]["tag"]: float(value["value"]) for value in session.get("metricValues", [])}
        results = {name: value for name, value in values.items() if name.startswith("hp/") and name in metrics}
        hyperparameters = {name: value for name, value in group["hparams"].items() if name in shown}
        found[session["name"]] = (hyperparameters, results, session["status"])
    return found


def test_hparams_tab_shows_choices_overrides_and_results(tmp_path, command):
    """Runs with different overrides, in one TensorBoard: each keeps its columns."""
    words = ["loss=minimax", "optim.generator.lr=1e-3", "metrics=frechet", "penalty=[r1,r2]", "hydra.sweep.dir=sweep"]
    status, output = command("train.py", tmp_path, "-m", *SHORT, *words, "seed=3,4")
    assert status == 0, output
    status, output = command("train.py", tmp_path, *SHORT, *SINGLE, "optim/schedule=constant", "k=2")
    assert status == 0, output
    found = hparams_tab(tmp_path)
    assert found.keys() == {"sweep/0", "sweep/1", "single"}
    for seed, name in ((3, "sweep/0"), (4, "sweep/1")):
        hyperparameters, results, status = found[name]
        expected = {"loss": "minimax", "model": "mlp", "seed": seed, "optim.generator.lr": 1e-3, "penalty": "[r1,r2]"}
        assert expected.items() <= hyperparameters.items()
        assert "k" not in hyperparameters  # neither a choice nor an override
        assert not {key for key in hyperparameters if "hydra" in key or "dir" in key}
        records = read(tmp_path / name / "metrics.json")  # the objective's is on the validation images
        scores = {f"hp/{r['metric']}/{r['generator']}": r["value"] for r in records if r["split"] == "test"}
        assert results.keys() == {"hp/objective", *scores}
        assert scores.items() <= {key: pytest.approx(value, rel=1e-5) for key, value in results.items()}.items()
        assert status == "STATUS_SUCCESS"
    hyperparameters, results, _ = found["single"]
    assert {"loss": "nonsaturating", "optim/schedule": "constant", "k": 2, "seed": 1}.items() <= hyperparameters.items()
    assert results.keys() == {"hp/objective"}
    assert len(list((tmp_path / "single").glob("events.out.tfevents.*"))) == 1

    status, output = command("evaluate.py", tmp_path, "run=single", "metrics=frechet", "num_samples=50")
    assert status == 0, output
    (score,) = (r["value"] for r in read(tmp_path / "single" / "metrics.json") if r["generator"] == "ema")
    results = hparams_tab(tmp_path)["single"][1]
    assert results["hp/frechet_distance/ema"] == pytest.approx(score, rel=1e-5)
    assert "hp/objective" in results


def test_stopped_run_has_no_result_until_it_is_resumed(configure, tmp_path, monkeypatch):
    """The resumed run writes to the same folder; the tab has one row, with the last value."""

    def stop(self, trainer, pl_module, *_):
        self.save(trainer, "last.ckpt")
        if pl_module.iteration == 3:
            raise Stopped("stopped", 130)

    cfg = configure(*SHORT[3:], SINGLE[0], "callbacks.monitor.every_n_batches=2")
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_train_batch_end", stop)
        with pytest.raises(Stopped):
            run(cfg)
    (_, results, status) = hparams_tab(tmp_path)["run"]
    assert (results, status) == ({}, "STATUS_UNKNOWN")
    cfg.ckpt_path = str(tmp_path / "run" / "checkpoints" / "last.ckpt")
    value = run(cfg)
    ((_, results, status),) = hparams_tab(tmp_path).values()
    assert results == {"hp/objective": pytest.approx(value)}
    assert status == "STATUS_SUCCESS"


def test_checkpoint_holds_the_whole_configuration(configure, run_training):
    """Also where the loggers get only a summary."""
    cfg = configure(*SHORT[3:], "logger=csv")
    assert run_training(cfg).module.hparams["optim"]["generator"]["lr"] == cfg.optim.generator.lr


class Own(Logger):
    """A logger of a user, which takes no images."""

    name = version = ""

    def __init__(self):
        super().__init__()
        self.written = []

    def log_hyperparams(self, params):
        self.written.append(params)

    def log_metrics(self, metrics, step=None):
        self.written.append(dict(metrics))

    def finalize(self, status):
        self.written.append(status)


def test_logger_of_a_user_gets_everything_but_images(configure):
    cfg = configure(*SHORT[3:], SINGLE[0], "callbacks=default")
    cfg.logger = {"own": {"_target_": f"{__name__}.Own"}}
    trainer = []
    with pytest.MonkeyPatch.context() as patch:
        start = trackers.start
        patch.setattr(trackers, "start", lambda t, parameters: trainer.append(t) or start(t, parameters))
        value = run(cfg)
    first, *others = trainer[0].loggers[0].written
    assert first == {"seed": 1}
    assert {"hp/objective": value} in others
    assert others[-1] == "success"


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_missing_package_is_named_with_the_command(configure, name):
    if find_spec(name):
        pytest.skip(f"{name} is installed")
    with pytest.raises(UserError, match=rf"^logger.{name}: .*`pip install -U '{name}>="):
        run(configure(f"logger={name}"))


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:::(wandb|mlflow|sqlalchemy|alembic|pydantic)")
def test_wandb_gets_a_run_for_each_training(configure, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("one", "two"):
        run(configure(*SMALL[3:], "trainer.max_steps=4", "logger=wandb", folder=name))
        (folder,) = (tmp_path / name / "wandb").glob("offline-run-*")
        assert list(folder.glob("run-*.wandb"))
        images = sorted(path.name.split("_")[0] for path in (folder / "files" / "media" / "images").rglob("*.png"))
        assert images == ["ema", "ema", "raw", "raw"]


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:::(wandb|mlflow|sqlalchemy|alembic|pydantic)")
def test_mlflow_gets_hyperparameters_curves_results_and_images(configure, tmp_path):
    tracking = pytest.importorskip("mlflow.tracking")
    cfg = configure(*SMALL[3:], "trainer.max_steps=4", "logger=mlflow", "callbacks.monitor.every_n_batches=2")
    value = run(cfg)
    client = tracking.MlflowClient(f"sqlite:///{tmp_path}/run/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "gan")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["seed"] == "1"
    assert found.data.metrics["hp/objective"] == pytest.approx(value)
    assert [point.step for point in client.get_metric_history(found.info.run_id, "DGz")] == [2, 4]
    images = [a.path for a in client.list_artifacts(found.info.run_id, "images") if a.path.endswith(".png")]
    assert len(images) == 4


def test_results_of_other_loggers_are_plain_metrics():
    own = Own()
    trackers.log_results(own, {"hp/objective": math.inf}, 3)
    trackers.log_image(own, "samples", torch.zeros(3, 8, 8), 3)
    assert own.written == [{"hp/objective": math.inf}]


@pytest.mark.parametrize("folder", ["runs/plain", "runs/it's lr=0.1, k=[2]"])
def test_printed_command_can_be_pasted(folder):
    printed = trackers.where(trackers.TensorBoard(save_dir=folder, name="", version=""))
    assert shlex.split(printed) == ["tensorboard", "--logdir", folder]
