"""Every YAML file composes and builds; options that do not fit give clear errors."""

import functools
import hashlib
import itertools
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from gan.app.command_line import CONF
from gan.app.help import OTHERS
from gan.app.prepare import check_networks, count_iterations, prepare
from gan.app.train import run
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.data.endless import Endless
from gan.networks.base import Discriminator
from gan.runs.build import build, constructor_arguments, part
from gan.runs.precision import PRECISIONS
from gan.runs.processes import Processes
from gan.runs.run import Run
from gan.runs.trust import is_trusted
from gan.training.monitor import scalars_of
from tests import conftest

FILES = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*.yaml"))
#: the key of a group whose files are put under another one
PLACES = {"normalization": "@model.discriminator.normalization"}
CHOICES = [
    f"{file.parent}{PLACES.get(str(file.parent), '')}={file.name}"
    for file in FILES
    if file.parts[0] not in {"hydra", *OTHERS} and len(file.parts) > 1
]


def choices(group):
    return [file.name for file in FILES if str(file.parent) == group]


def needs(choice):
    """The overrides that a choice requires: those after ``# Needs:`` in its file."""
    return header(choice, "Needs").split()


def header(choice, word):
    """The text after ``# WORD:`` in the file of a choice; empty if there is none."""
    group, _, name = choice.partition("=")
    group = group.partition("@")[0]
    found = re.search(rf"^# {word}: +(.*)$", (CONF / group / f"{name}.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def composed(folder, *words):
    """The real configuration with narrower networks of the same structure."""
    cfg = conftest.composed(*words)
    cfg.output_dir = str(folder)
    narrow(cfg.model)
    return cfg


def narrow(node):
    """Divides numbers of the model above 16, which are widths, by 20: equal widths stay equal."""
    for key in node if OmegaConf.is_dict(node) else range(len(node)):
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        if OmegaConf.is_config(node[key]):
            narrow(node[key])
        elif isinstance(node[key], int) and node[key] > 16:
            node[key] = max(1, node[key] // 20)


def with_digits(folder, *words):
    """The configuration with scikit-learn's digits of the same size instead of image files."""
    cfg = composed(folder, *words)
    if not issubclass(get_class(cfg.data._target_), Endless):
        size = {key: cfg.data[key] for key in ("image_size", "batch_size")}
        cfg.data = OmegaConf.merge(conftest.composed().data, size)
    return cfg


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_builds(choice, tmp_path):
    if package := header(choice, "Package").partition(" ")[0]:
        pytest.importorskip(package)
    cfg = composed(tmp_path, choice, *needs(choice))
    if choice == "trainer=gpu" and not torch.cuda.is_available():
        with pytest.raises(UserError, match=r"torch finds no GPU on this machine; take trainer=cpu or trainer=auto"):
            build(cfg)
    else:
        game = build(cfg)
        shape = (2, cfg.data.channels, cfg.data.image_size, cfg.data.image_size)
        assert game.module.generator(*game.module.latent(RandomRows(), torch.tensor([-1, -1]))).shape == shape
        # A checkpoint may name these classes. An opened run builds no figures of its configuration.
        assert is_trusted(OmegaConf.to_container(cfg, resolve=True) | {"figures": {}}), "add a role to gan.runs.trust"
        for group in ("metrics", "figures"):
            assert all(part(cfg, f"{group}.{name}") for name in cfg[group] or {})


BARE = ["trainer=cpu", "callbacks=none", "logger=none", "metrics=none", "figures=none"]


PRESETS = [choice for choice in CHOICES if choice.startswith("experiment=")]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains_through_the_first_g_update(preset, tmp_path, run_training):
    """Trains through G's first update."""
    words = [preset, *needs(preset), *BARE, "trainer.max_steps=${k}", "data.batch_size=4"]
    game = run_training(cfg := with_digits(tmp_path, *words))
    assert game.module.iteration == cfg.k
    assert all(p.isfinite().all() for p in game.module.parameters())


@pytest.mark.parametrize("preset", PRESETS)
def test_figures_of_a_preset_are_possible_after_its_training(preset, tmp_path):
    cfg = with_digits(tmp_path, preset, *needs(preset), "trainer=cpu", "logger=csv", "metrics=none")
    if not cfg.figures:
        return
    game = build(cfg)
    run = Run(tmp_path, cfg, lambda: game.module, data=game.data)
    run.scalars = [*prepare(game, cfg), *scalars_of(game.module.player_names)]
    for name in cfg.figures:
        part(cfg, f"figures.{name}").check(run)


def test_infogan_takes_as_many_updates_as_the_authors(tmp_path):
    """Their launcher asks for 50 epochs of 100 updates."""
    cfg = composed(tmp_path, "experiment=infogan")
    assert cfg.trainer.max_epochs * (50_000 // cfg.data.batch_size) == pytest.approx(5_000, rel=0.02)


def on_digits(preset):
    """Whether a preset leaves the choice of the data to the command line."""
    return not re.search(r"override /data:", (CONF / f"{preset.replace('=', '/')}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("data", ["mnist", "cifar10", "folder"])
@pytest.mark.parametrize("preset", [preset for preset in PRESETS if on_digits(preset)])
def test_every_preset_of_digits_takes_other_images(preset, data, tmp_path):
    cfg = composed(tmp_path, preset, *needs(preset), f"data={data}", "data.root=none", "data.classes=10")
    scalars = check_networks(build(cfg).module, SimpleNamespace(**cfg.data))
    assert any(name.startswith("loss/") for name in scalars)


def test_second_stage_starts_from_the_first_generator(tmp_path, run_training):
    words = [*BARE, "trainer.max_steps=1", "data.batch_size=4", "ema.decay=0"]
    game = build(composed(tmp_path, "experiment=paper_tfd_2014", "latent.dim=5", *words))  # 100 units, narrowed
    first = {key: value for key, value in game.module.state_dict().items() if key.startswith("generator.")}
    path = tmp_path / "first.ckpt"
    torch.save({"iteration": 1, "hyper_parameters": {}, "state_dict": first}, path)
    second = ["experiment=paper_tfd_2014_prepended", f"model.generator.start_from={path}", "optim.generator.lr=0"]
    state = run_training(with_digits(tmp_path, *second, *words)).module.generator.generator.state_dict()
    biases = {key for key in state if key.endswith("bias")}  # weights are held to their norm after the step
    assert len(biases) == 3
    assert all(torch.equal(state[key], first[f"generator.{key}"]) for key in biases)


def test_second_stage_without_start_from_is_refused(tmp_path):
    cfg = composed(tmp_path, "experiment=paper_tfd_2014_prepended", "data=digits", "data.image_size=48")
    with pytest.raises(UserError, match=r"^model.generator.start_from is missing"):
        build(cfg)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=gaussian", "metrics=parzen"], "endless numbers.*: metrics need a set of images"),
        (["figures=one_dimension"], "needs data=gaussian and latent.dim=1"),
        (["figures=plane"], r"needs points \(data=ring, data=grid\)"),
        (["data=ring", "figures=grid"], r"data.channels=2: .* figures=plane"),
        (["data=ring", "metrics=modes", "features=mnist"], "expects images with 1 channel, the data's have 2"),
        (["data=digits", "metrics=modes", "features=mixture"], "expects points around known centers"),
        (["figures=theory", "data=gaussian", "model=moments", "latent.dim=1"], "compares the examples of a batch"),
        (["figures=progress", "callbacks=none"], "figures.progress: this training saves no sample grids"),
        (["figures=gradient_norms", "logger=none"], "figures.gradient_norms: no curves are written"),
        (["figures=neighbours", "data=gaussian", "model=scalar"], "this needs a set of images"),
        (["model=mlp_bn", "trainer=ddp", "trainer.accelerator=cpu"], "compares the examples of a batch"),
        *(
            ([*words, "+data.labels_per_class=5"], "^data.labels_per_class leaves out labels that model.discriminator")
            for words in (["conditioning=concatenation"], ["conditioning=projection"], ["experiment=cgan"])
        ),
        (["model=mlp_bn", "data.batch_size=1"], "^data.batch_size must be at least 2 for batch normalization"),
        (["model=moments", "data=gaussian", "data.batch_size=1"], "as in model.discriminator, got 1"),
        (
            ["optim.momentum={_target_:gan.optim.schedules.Ramp,start:0.5,end:0.7,updates:9}"],
            "has no momentum; take optim=sgd",
        ),
        (["loss=ebgan"], "loss is one of energies: model.discriminator must be an autoencoder, take model=energy"),
        (["optim=sgd2014", "g_steps=2"], "g_steps must be 1 with simultaneous updates"),
        (["optim=sgd2014", "trainer.precision=16-mixed"], "16-mixed does not go with optim.simultaneous=true"),
    ],
)
def test_impossible_metrics_and_figures_fail_before_training(tmp_path, words, message):
    cfg = composed(tmp_path, *words, "trainer.max_steps=1")
    with pytest.raises(UserError, match=message):
        run(cfg)
    assert not (tmp_path / "checkpoints").exists()


def test_choices_of_a_preset_can_be_turned_off(tmp_path):
    """The preset's settings of a penalty or of callbacks are dropped when those are turned off."""
    assert len(build(composed(tmp_path, "experiment=paper_mnist", "penalty=none")).module.terms) == 0
    assert build(composed(tmp_path, "experiment=shallow", "callbacks=none")).trainer.callbacks == []


def test_every_preset_header_has_command_expectation_and_time():
    for path in (CONF / "experiment").glob("*.yaml"):
        if path.stem != "none":
            header = path.read_text(encoding="utf-8")
            assert all(f"# {word}:" in header for word in ("Command", "Expected", "Time")), path
            assert f"experiment={path.stem}" in header


@functools.cache
def settled(choice):
    """Key to value of a choice, of what it needs and of what these files choose themselves (``override /GROUP:``)."""
    words = [choice, *needs(choice)]
    paths = [CONF / f"{word.replace('=', '/')}.yaml" for word in words]
    text = "".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())
    own = re.findall(r"^ +- override /(\S+): (\S+)", text, re.MULTILINE)
    return dict([*own, *(word.split("=", 1) for word in reversed(words))])


def agree(*chosen):
    """Whether no two of these choices settle a key differently."""
    pairs = itertools.combinations(map(settled, chosen), 2)
    return all(one[key] == other[key] for one, other in pairs for key in one.keys() & other.keys())


def drawn(group, *chosen):
    """The choices of a group that agree with those already chosen, in an order that is drawn for these.

    The order is one of hashes: a further file takes a place in it, and the others keep theirs.
    """
    names = [name for name in choices(group) if agree(f"{group}={name}", *chosen)]
    return sorted(names, key=lambda name: hashlib.sha256(" ".join([*chosen, name]).encode()).digest())


def combinations():
    """Every loss with every penalty, and each model with four losses; the others are drawn."""
    of_penalties = [
        (settled(f"loss={loss}").get("model", "mlp"), loss, penalty)
        for loss, penalty in itertools.product(choices("loss"), choices("penalty"))
    ]
    of_models = [
        (model, loss, drawn("penalty", f"model={model}", f"loss={loss}")[0])
        for model in choices("model")
        for loss in drawn("loss", f"model={model}")[:4]
    ]
    for model, loss, penalty in of_penalties + of_models:
        chosen = f"model={model}", f"loss={loss}", f"penalty={penalty}"
        if agree(*chosen):
            yield (model, loss, drawn("latent", *chosen)[0], penalty)


@pytest.mark.parametrize("group", ["model", "loss", "latent", "penalty"])
def test_combinations_take_every_choice(group):
    place = ["model", "loss", "latent", "penalty"].index(group)
    assert {names[place] for names in combinations()} == set(choices(group))


def test_combinations_agree_in_what_they_need():
    assert not agree("model=latent_regressor", "loss=no_game")  # method=latent_regressor has a conditioning of its own
    assert not agree("model=mlp", "loss=ebgan")
    assert agree("model=conditional", "latent=labelled", "loss=no_game")
    groups = ("model", "loss", "latent", "penalty")
    assert all(
        agree(*(f"{group}={name}" for group, name in zip(groups, names, strict=True))) for names in combinations()
    )


@pytest.mark.parametrize("choice", ["loss=exponential", "penalty=drift", "latent=cauchy"])
def test_a_further_file_leaves_most_combinations_as_they_are(choice, tmp_path, monkeypatch):
    before, (group, name) = set(combinations()), choice.split("=")
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / group / f"{name}.yaml").write_text("# A further one.\n# Needs: conditioning=class_logits\n")
    monkeypatch.setitem(globals(), "CONF", tmp_path / "conf")
    monkeypatch.setitem(globals(), "FILES", sorted([*FILES, Path(group, name)]))
    after = set(combinations())
    assert any(name in names for names in after)
    assert len(before - after) < len(before) / 6
    assert len(after) <= len(before) + len(choices("loss")) + 4


@pytest.mark.slow
@pytest.mark.parametrize(("model", "loss", "latent", "penalty"), sorted(set(combinations())))
def test_every_combination_takes_a_step(tmp_path, run_training, model, loss, latent, penalty):
    chosen = [f"model={model}", f"loss={loss}", f"latent={latent}", f"penalty={penalty}"]
    needed = sorted({*itertools.chain.from_iterable(map(needs, chosen))} - {*chosen})
    if latent == "codes":  # longer than the single coordinate of some models
        needed = [word for word in needed if not word.startswith("latent.dim=")]
    small = [*BARE, "trainer.max_steps=1", "data.batch_size=8", "data.classes=10", "ema.decay=0"]
    cfg = with_digits(tmp_path, *chosen, *needed, *small)
    wrapped = bool((cfg.get("conditioning") or {}).get("discriminator")) and "discriminator" in cfg.model
    if wrapped and get_class(cfg.model.discriminator._target_).features is Discriminator.features:
        with pytest.raises(UserError, match="has no features for a further head"):
            build(cfg)
        return
    if penalty != "none" and "terms" not in constructor_arguments(get_class(cfg.method._target_))[0]:
        with pytest.raises(UserError, match=r"^penalty\.\w+: \w+ has no use for it; take penalty=none\.$"):
            build(cfg)
        return
    game = run_training(cfg)
    assert game.module.iteration == 1
    assert all(p.isfinite().all() for p in game.module.parameters())


@pytest.mark.parametrize("model", [name for name in choices("model") if not needs(f"model={name}")])
def test_models_adapt_to_another_image_size(tmp_path, run_training, model):
    words = [*BARE, f"model={model}", *needs(f"model={model}"), "data.image_size=13", "trainer.max_steps=1"]
    game = run_training(composed(tmp_path, *words))
    z, labels = game.module.latent(RandomRows(), torch.tensor([-1, -1]))
    assert game.module.generator(z, labels).shape == (2, 1, 13, 13)


@pytest.mark.parametrize("precision", [p for p in PRECISIONS if p != "16-mixed"])
def test_every_precision_keeps_float32_weights(configure, run_training, precision):
    game = run_training(
        configure(f"trainer.precision={precision}", "trainer.max_steps=2", "callbacks=none", "logger=none")
    )
    assert all(p.dtype == torch.float32 for p in game.module.parameters())


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["optim.generator.lr=-1"], r"optim.generator.lr must be a number of at least 0, got -1"),
        (
            ["+optim.generator.weight_deacy=1"],
            r"optim.generator has no key 'weight_deacy'. Did you mean 'weight_decay'?",
        ),
        (["+trainer.max_epoch=3"], r"trainer has no key 'max_epoch'. Did you mean 'max_epochs'?"),
        (["trainer.precision=64"], r"trainer.precision=64: choose one of auto, 32-true"),
        (["+data.bach_size=3"], r"data has no key 'bach_size'. Did you mean 'batch_size'?"),
        (["data.batch_size=0"], r"data.batch_size must be a whole number of at least 1, got 0"),
        (["latent.dim=0"], r"latent.dim must be a whole number of at least 1, got 0"),
        (
            ["model.discriminator.dropout=1"],
            r"model.discriminator.dropout must be .* below 1, got 1",
        ),
        (
            ["callbacks.sample_grids.count=0"],
            r"callbacks.sample_grids.count must be a whole number of at least 1, got 0",
        ),
        (["callbacks.checkpoint.every_n_minutes=0"], r"callbacks.checkpoint.every_n_minutes must be a number above 0"),
        (["loss._target_=gan.losses.adversarial.Missing"], r"loss: .*Missing"),
        (["~loss._target_"], r"loss must be a mapping with a _target_"),
        (["trainer.devices=0"], r"trainer: "),
        (["trainer.accelerator=tpu"], r"trainer: "),
        (
            ["+trainer.gradient_clip_val=1"],
            r"trainer.gradient_clip_val is not for the Trainer here; set optim.gradient_clip",
        ),
        (["model.generator.slope=abc"], r"model.generator.slope must be a number of at least 0, got abc"),
        (["model.discriminator.slope=nan"], r"model.discriminator.slope must be a number of at least 0, got nan"),
        (["model.generator.hidden=abc"], r"model.generator: hidden must be a list of positive widths"),
        (["model.discriminator.dropout=abc"], r"model.discriminator.dropout must be a number .*, got abc"),
    ],
)
def test_invalid_options_are_reported_before_data_is_read(configure, choices, message):
    with pytest.raises(UserError, match=message):
        build(configure(*choices))


def test_training_without_an_end_is_refused(configure):
    cfg = configure("trainer.max_epochs=-1")
    game = build(cfg)
    with pytest.raises(UserError, match=r"trainer.max_epochs or trainer.max_steps must set an end"):
        prepare(game, cfg)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["trainer.limit_train_batches=0.01"], "trainer.limit_train_batches=0.01 leaves none of the 21 batches"),
        (["trainer.max_steps=3", "k=4"], "k=4: the generator would never move in a run of 3 batches"),
    ],
)
def test_options_that_do_not_fit_the_data_fail_before_the_first_step(configure, choices, message):
    cfg = configure(*choices)
    game = build(cfg)
    with pytest.raises(UserError, match=message):
        prepare(game, cfg)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_epochs": 3, "max_steps": -1, "limit_train_batches": 1.0}, 30),
        ({"max_epochs": 3, "max_steps": 7, "limit_train_batches": 1.0}, 7),
        ({"max_epochs": 3, "max_steps": 70, "limit_train_batches": 0.5}, 15),
        ({"max_epochs": 3, "max_steps": None, "limit_train_batches": 4}, 12),
        ({"max_epochs": None, "max_steps": 70, "limit_train_batches": 99}, 70),
        ({"max_epochs": 3, "max_steps": -1, "limit_train_batches": 1.0, "fast_dev_run": True}, 1),
        ({"max_epochs": None, "max_steps": -1, "limit_train_batches": 1.0, "fast_dev_run": 4}, 4),
        ({"max_epochs": 3, "max_steps": 3, "limit_train_batches": 1.0, "fast_dev_run": 40}, 3),
        ({"max_epochs": 3, "max_steps": -1, "limit_train_batches": 1.0, "fast_dev_run": 40}, 10),
        ({"max_epochs": 3, "max_steps": -1, "limit_train_batches": 1.0, "fast_dev_run": False}, 30),
    ],
)
def test_count_iterations_from_epochs_steps_and_limits(limits, expected):
    assert count_iterations(OmegaConf.create({"trainer": limits, "k": 1}), batches_per_epoch=10) == expected


@pytest.mark.parametrize(
    "choices", [["trainer.devices=2"], ["trainer=ddp"], ["trainer.devices=2", "trainer.strategy=ddp"]]
)
def test_several_processes_use_the_two_optimizer_strategy(configure, choices):
    strategy = build(configure(*choices, "trainer.accelerator=cpu")).trainer.strategy
    assert isinstance(strategy, Processes)


class Flat(Discriminator):
    def score(self, images):
        return images.new_zeros(len(images), 3)


class Wrong(Discriminator):
    def score(self, images):
        return torch.zeros(3, 4) @ torch.zeros(3, 4)


def shaped(channels):
    return SimpleNamespace(channels=channels, image_size=8, classes=10)


@pytest.mark.parametrize("mixed", [False, True])
def test_gradient_penalty_with_a_normalization_over_the_batch_is_warned_of(configure, caplog, mixed):
    batch_norm = ["+model.discriminator.batch_norm=true"] * mixed
    cfg = configure("penalty=[r1,gradient_penalty]", *batch_norm)
    with caplog.at_level("WARNING"):
        prepare(build(cfg), cfg)
    lines = [r.getMessage() for r in caplog.records if "mixes the examples of a batch" in r.getMessage()]
    assert [line.split(":")[0] for line in lines] == ["penalty.r1", "penalty.gradient_penalty"] * mixed


@pytest.mark.parametrize(
    ("words", "bounded"),
    [
        (["loss=wasserstein"], False),
        (["loss=relativistic", "loss@loss.base=wasserstein"], False),
        (["method=bigan", "model=bigan", "loss=wasserstein"], False),
        (["loss=wasserstein", "penalty=gradient_penalty"], True),
        (["loss=wasserstein", "constraint=weight_clipping"], True),
        (["loss=wasserstein", "model=dcgan", "normalization@model.discriminator.normalization=spectral"], True),
        (["loss=hinge"], True),
        (["method=vae"], True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_critic_whose_slope_nothing_bounds_is_warned_of(tmp_path, caplog, words, bounded):
    cfg = composed(tmp_path, *words, *BARE, "data.image_size=16")
    with caplog.at_level("WARNING"):
        prepare(build(cfg), cfg)
    found = [record.getMessage() for record in caplog.records]
    assert sum("nothing bounds the critic's slope" in line for line in found) == (not bounded)


def test_networks_of_wrong_shape_are_reported(configure):
    game = build(configure()).module
    check_networks(game, shaped(1))
    with pytest.raises(UserError, match=r"model.generator returns shape \(2, 1, 8, 8\), expected \(2, 3, 8, 8\)"):
        check_networks(game, shaped(3))
    game.discriminator = Flat()
    with pytest.raises(UserError, match=r"model.discriminator returns shape \(2, 3\), expected \(2,\)"):
        check_networks(game, shaped(1))
    game.discriminator = Wrong()
    with pytest.raises(UserError, match=r"model does not fit images of shape \(1, 8, 8\)"):
        check_networks(game, shaped(1))
