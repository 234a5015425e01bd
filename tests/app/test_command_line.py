"""Command-line overrides: which ones are accepted, and the error messages for the others."""

import gc
import logging
import re
import shutil
import subprocess
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from gan.app import search_path
from gan.app.command_line import CONF, check, launch, loaded, resumed
from gan.app.help import describe, list_choices
from gan.app.quoting import quote_values
from gan.core.errors import UserError
from tests.conftest import REPOSITORY, SMALL


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["model=maxout", "data=mnist", "loss=minimax", "k=5"],
        ["k=1,2", "loss=minimax,nonsaturating", "seed=range(1,4)"],
        ["optim/schedule=linear", "optim.schedule.generator.hold=0.1"],
        ["penalty=r1", "penalty.r1.weight=3"],
        ["model=maxout", "model.generator.init_range=0.1"],
        ["+optim.generator.weight_decay=1e-4", "+trainer.fast_dev_run=true"],
        ["~callbacks.sample_grids", "callbacks.monitor.every_n_batches=7"],
        ["+callbacks.mine._target_=my.module.Callback", "data=mnist"],
        *(
            [f"+{group}.mine.monitor=loss/generator", f"+{group}.mine._target_=my.module.Mine", "~callbacks.progress"]
            for group in ("callbacks", "logger", "metrics", "figures", "penalty")
        ),
        ["~logger", "+logger.csv._target_=my.module.Logger", "+logger.csv.folders.first=x"],
        ["+callbacks.stop={_target_:my.module.Stop,monitor:loss}", "+callbacks.stop.options.patience=3"],
        ["loss._target_=my.Loss", "+loss.margin=2", "+loss.options.power=1"],
        ["+model.encoder.hidden=[3]", "+model.encoder._target_=my.Encoder"],
        ["+data.transform._target_=my.Flip,my.Crop", "+data.transform.share=.1,.2"],
        ["+optim.momentum._target_=my.Momentum", "+optim.momentum.updates=3"],
        ["data.batch_size=choice(32,64)", "hydra.run.dir=/tmp/x", "hydra/launcher=basic"],
        ["output_dir=/tmp/x", "ckpt_path=null", "objective='D(x)'"],
        ["~logger", "trainer.devices=2"],
        ["output_dir=0"],
        ["model=glob(*)"],
        ["model=dcgan", "normalization@model.discriminator.normalization=spectral"],
        ["model=dcgan", "normalization@model.generator.normalization=group", "model.generator.normalization.groups=4"],
        ["model=dcgan", "normalization@model.generator.normalization=layer,none"],
        ["model=dcgan", "model.generator.normalization=null", "~normalization@model.discriminator.normalization"],
        ["experiment=wgan_gp_textbook", "normalization@model.generator.normalization=batch"],
    ],
)
def test_valid_overrides_are_accepted(words):
    check(words, "train")


def choices(group):
    return ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=mpl", f"model=mpl: no such choice. Did you mean 'mlp'? There are: {choices('model')}."),
        ("loss=minimax,xyz", f"loss=xyz: no such choice. There are: {choices('loss')}."),
        ("loss=wgan", "loss=wgan: no such choice. Did you mean experiment=wgan or 'lsgan'? There are: began, "),
        ("model=hinge", "model=hinge: no such choice. Did you mean experiment=hinge? There are: "),
        ("loss=none", f"loss=none: no such choice. There are: {choices('loss')}."),  # experiment=none is no preset
        ("optim/schedule=lineer", "optim/schedule=lineer: no such choice. Did you mean 'linear'?"),
        ("sede=1", "sede: the configuration has no key 'sede'. Did you mean 'seed'?"),
        ("+sede=1", "sede: the configuration has no key 'sede'. Did you mean 'seed'?"),
        ("++sede=1", "sede: the configuration has no key 'sede'. Did you mean 'seed'?"),
        ("+model.widht=3", "model.widht: model has no key 'widht'. There are: generator, discriminator."),
        ("+callbacks.sample_grid.count=9", "callbacks has no key 'sample_grid'. Did you mean 'sample_grids'?"),
        ("callbacks.moniter._target_=my.Callback", "callbacks has no key 'moniter'. Did you mean 'monitor'?"),
        ("+callbacks.stop.monitor=loss", "callbacks has no key 'stop'. There are: "),
        ("+data.mine.share=.1", "data has no key 'mine'. There are: "),
        ("+data.mine.transform._target_=my.Flip", "data has no key 'mine'. There are: "),
        ("+lss._target_=my.Loss", "the configuration has no key 'lss'. Did you mean 'loss'?"),
        ("+lss.mine._target_=my.Loss", "the configuration has no key 'lss'. Did you mean 'loss'?"),
        ("+k._target_=my.K", "k has no key '_target_'."),
        ("trainer.max_epoch=3", "trainer has no key 'max_epoch'. Did you mean 'max_epochs'?"),
        ("optim.generator.learning=1", "optim.generator has no key 'learning'."),
        ("+optim.generater.lr=1", "optim has no key 'generater'. Did you mean 'generator'?"),
        ("penalty.weight=3", "penalty has no key 'weight'."),
        ("k.x=3", "k has no key 'x'."),
        ("~seeed", "the configuration has no key 'seeed'. Did you mean 'seed'?"),
        ("=3", "=3: no key is named; write KEY=VALUE."),
        ("~seed", "seed cannot be removed, only set."),
        ("output_dir=", "output_dir is empty"),
        ("objective=D(x)", "Quote values with special characters"),
    ],
)
def test_invalid_override_gives_a_one_line_error(word, message):
    with pytest.raises(UserError) as error:
        check(["k=2", word], "train")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "+" not in str(error.value)  # Hydra's advice to add the misspelt key


PLACES = "normalization@model.discriminator.normalization, normalization@model.generator.normalization"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["model=dcgan", "normalization@model.generator.normalization=spectal"],
            "normalization=spectal: no such choice. Did you mean 'spectral'?",
        ),
        (
            ["model=dcgan", "normalization=spectral"],
            f"normalization=spectral: no chosen file uses this group here. There are: {PLACES}.",
        ),
        (
            ["model=dcgan", "normalization@model.normalization=spectral"],
            f"normalization@model.normalization=spectral: no chosen file uses this group here. There are: {PLACES}.",
        ),
        (["normalization=spectral"], "normalization=spectral: no chosen file uses this group here."),
        (
            ["model=dcgan", "model.generator.normalization=spectral"],
            "model.generator.normalization=spectral: write normalization@model.generator.normalization=spectral.",
        ),
        (
            ["model=dcgan", "normalization@model.generator.normalization=group", "model.generator.normalization.n=4"],
            "model.generator.normalization has no key 'n'. There are: _target_, groups.",
        ),
    ],
)
def test_a_group_at_a_key_of_another_name(arguments, message):
    with pytest.raises(UserError) as error:
        check(arguments, "train")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "+" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["callbacks.mine._target_=my.Mine"], "no key 'mine'. Write +callbacks.mine._target_=my.Mine for a new one."),
        (["loss._target_=my.Loss", "loss.margin=2"], "loss has no key 'margin'. Write +loss.margin=2 for a new one."),
        (["+callbacks.a._target_=my.A", "+callbacks.b.x=2"], "callbacks has no key 'b'. There are: "),
    ],
)
def test_unknown_key_of_a_new_class_gives_advice(arguments, message):
    with pytest.raises(UserError) as error:
        check(arguments, "train")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_checkpoint_restores_its_own_overrides(tmp_path):
    (tmp_path / ".hydra").mkdir()
    recorded = "- model=maxout\n- data=mnist\n- trainer.max_epochs=20\n- output_dir=there\n- ~callbacks.sample_grids\n"
    (tmp_path / ".hydra" / "overrides.yaml").write_text(recorded, encoding="utf-8")
    word = f"ckpt_path={tmp_path}/checkpoints/last.ckpt"
    expected = ["model=maxout", "data=mnist", "~callbacks.sample_grids", word, "trainer.max_epochs=40", "~logger"]
    assert resumed([word, "trainer.max_epochs=40", "~logger"]) == expected
    assert resumed(["-m", word])[:2] == ["-m", "model=maxout"]
    assert resumed(expected) == expected  # as in a second process
    assert resumed(["-m", "k=1,2"]) == ["-m", "k=1,2"]
    assert resumed(["ckpt_path=elsewhere/last.ckpt"]) == ["ckpt_path=elsewhere/last.ckpt"]


@pytest.mark.parametrize("value", ["A,B", "'x/last.ckpt',\"y/last.ckpt\"", "choice(A,B)", "glob(*)"])
def test_several_checkpoints_are_not_resumed_with_the_options_of_none(value):
    with pytest.raises(UserError, match=r"^ckpt_path=.* names several checkpoints.* one by one, ckpt_path=FILE\."):
        resumed(["-m", f"ckpt_path={value}"])


def test_one_checkpoint_with_commas_is_resumed(tmp_path):
    run = tmp_path / "it's k=1,[2]"
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text("- k=7\n", encoding="utf-8")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last.ckpt").touch()
    word = quote_values([f"ckpt_path={run}/checkpoints/last.ckpt"])[0]
    assert resumed(["-m", word, "seed=1,2"]) == ["-m", "k=7", word, "seed=1,2"]
    assert resumed(["ckpt_path=null"]) == ["ckpt_path=null"]


def started(*words, **options):
    words = [sys.executable, str(REPOSITORY / "train.py"), *words]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **options)


@pytest.mark.processes
@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("train.py", ["model", "loss", "figures", "metrics", "optim/schedule"]),
        ("evaluate.py", ["metrics", "features"]),
        ("sample.py", ["figures"]),
        ("report.py", []),
    ],
)
def test_help_imports_no_torch(tmp_path, script, shown):
    code = (
        f"import sys, runpy; sys.argv = [{script!r}, '--help']\n"
        f"try: runpy.run_path({str(REPOSITORY / script)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'pytorch_lightning', 'sklearn'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    for group in shown:
        paragraph = re.search(rf"^ *{group}:\n((?: +\S.*\n)+)", done.stdout, re.MULTILINE)[1]
        listed = [line.split()[0] for line in paragraph.splitlines()]
        assert set(choices(group).split(", ")) <= set(listed)
    assert list(tmp_path.iterdir()) == []


def test_new_yaml_file_is_a_choice_and_listed_in_help(tmp_path, monkeypatch):
    shutil.copytree(CONF, tmp_path / "conf")
    for group in ("loss", "metrics"):
        (tmp_path / "conf" / group / "mine.yaml").write_text("_target_: my.module.Mine\n", encoding="utf-8")
    with pytest.raises(UserError, match="loss=mine: no such choice"):
        check(["loss=mine"], "train")
    monkeypatch.setattr(search_path, "CONF", tmp_path / "conf")
    check(["loss=mine", "metrics=mine"], "train")
    with search_path.config_files("train"):
        lines = list_choices("metrics", "loss").splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["metrics:", "loss:"]
    assert [line.split()[0] for line in lines].count("mine") == 2
    assert max(map(len, lines)) <= 100


def test_help_begins_with_common_keys_and_their_defaults(tmp_path, command):
    status, output = command("train.py", tmp_path, "--help")
    assert status == 0
    first = output.splitlines()[:30]
    for option in ("seed=1", "k=1", "recipe.epochs=120", "recipe.lr=0.001", "data.root=null", "latent.dim=100"):
        assert any(line.split()[:1] == [option] for line in first), option


def test_every_choice_has_a_one_line_description():
    with search_path.config_files("train"):
        loader = GlobalHydra.instance().config_loader()
        for path in CONF.rglob("*/*.yaml"):
            group = str(path.parent.relative_to(CONF))
            if not group.startswith("hydra"):
                assert describe(loader, group, path.stem), path


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("lr=1e-3", "Did you mean recipe.lr or optim.generator.lr or optim.discriminator.lr?"),
        ("epochs=3", "Did you mean recipe.epochs"),
        ("batchsize=3", "Did you mean data.batch_size?"),
        ("rescipe.lr=1", "Did you mean 'recipe'?"),
    ],
)
def test_key_without_its_group_gives_the_full_key(word, hint):
    with pytest.raises(UserError, match=re.escape(hint)):
        check([word], "train")


@pytest.mark.processes
def test_typo_exits_with_one_line_and_creates_no_folder(tmp_path):
    done = started("modle=mlp", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: modle: the configuration has no key 'modle'. Did you mean 'model'?")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.processes
def test_shell_completion_lists_choices(tmp_path):
    environment = {"COMP_LINE": "train.py model=m", "COMP_POINT": "16", "PATH": ""}
    done = started("-sc", "query=bash", cwd=tmp_path, env=environment)
    assert {"model=maxout", "model=mlp"} <= set(done.stdout.split())


def test_output_dir_that_holds_a_run_is_refused(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError, match=r"output_dir=.* holds a run already.*ckpt_path="):
        check([f"output_dir={tmp_path}"], "train")
    with pytest.raises(UserError, match=r"in a sweep give hydra.sweep.dir"):
        check([f"output_dir={tmp_path / 'other'}", "k=1,2"], "train", sweep=True)


@pytest.mark.parametrize("word", ["trainer.max_steps=1", "trainer.max_steps=0", "nonsense=1", "--help"])
def test_garbage_collection_is_off_only_during_imports(tmp_path, monkeypatch, word):
    seen = {}

    def load():
        seen["importing"] = gc.isenabled()

        def task(cfg):
            seen["running"] = gc.isenabled()
            if cfg.trainer.max_steps == 0:
                raise UserError("no steps")

        return task

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", word])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    try:
        launch(load, "train")
    except SystemExit:
        assert "steps=1" not in word
    finally:
        gc.unfreeze()
        logging.shutdown()
    assert gc.isenabled()
    assert seen == ({"importing": False, "running": True} if "steps" in word else {})


def test_later_sweep_jobs_do_not_freeze_garbage_collection():
    before = gc.get_freeze_count()
    assert loaded(lambda: "task") == "task"
    assert gc.get_freeze_count() == before


def test_refused_run_leaves_no_folder(tmp_path, command):
    status, output = command("train.py", tmp_path, "k=0")
    assert (status, "k must be a whole number of at least 1" in output) == (1, True), output
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    assert command("train.py", tmp_path, "k=0", "output_dir=mine")[0] == 1
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_refused_resume_leaves_no_folder(tmp_path, command):
    run = tmp_path / "run"
    words = [*SMALL, "trainer.max_steps=2", "logger=none", "output_dir=run"]
    assert command("train.py", tmp_path, *words)[0] == 0
    before = sorted(path for path in tmp_path.rglob("*"))
    for word, message in (
        ("optim.generator.lr=1", "the optimizers resume"),
        ("trainer.max_steps=2", "nothing is left"),
    ):
        status, output = command("train.py", tmp_path, f"ckpt_path={run}/checkpoints/last.ckpt", word)
        assert (status, message in output) == (1, True), output
        assert sorted(path for path in tmp_path.rglob("*")) == before
