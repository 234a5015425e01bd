"""Runs are grouped by their settings and labelled by their differences."""

from gan.runs.identity import OPTIMIZERS, changes, labels, setting


def config(seed=1, loss="Minimax", **rest):
    return {
        "seed": seed,
        "output_dir": f"runs/{seed}",
        "data": {"_target_": "gan.data.digits.Digits", "seed": seed, "batch_size": 64},
        "loss": {"_target_": f"gan.losses.adversarial.{loss}"},
        "callbacks": {"sample_grids": {"folder": f"runs/{seed}/samples", "count": 64}},
        "trainer": {"precision": "32-true"},
        **rest,
    }


def test_labels_name_the_differing_settings():
    assert labels([config(1), config(2)]) == ["seed=1", "seed=2"]
    losses = [config(seed, loss) for loss in ("Minimax", "NonSaturating") for seed in (1, 2)]
    assert labels(losses)[1:3] == ["seed=2 loss=adversarial.Minimax", "seed=1 loss=adversarial.NonSaturating"]
    assert labels([config()]) == [""]
    assert labels([config(), config()]) == ["", ""]


def test_seed_paths_and_observers_do_not_split_a_group():
    assert setting(config(1)) == setting(config(2))
    assert setting(config(1)) == setting(config(1, objective="D(x)", metrics={"parzen": {"seed": 3}}))
    assert setting(config(1)) != setting(config(1, "NonSaturating"))


def test_only_a_chosen_precision_splits_a_group():
    automatic = [
        config(trainer={"precision": precision, "precision_reason": "the processor"})
        for precision in ("32-true", "bf16-mixed")
    ]
    assert setting(automatic[0]) == setting(automatic[1])
    assert setting(config(trainer={"precision": "bf16-mixed"})) != setting(config())


def test_changes_ignore_paths():
    assert changes(config(1), config(1)) == {}
    moved = {"output_dir": "elsewhere", "callbacks": {"sample_grids": {"folder": "elsewhere", "count": 64}}}
    assert changes(config(1), config(1) | moved) == {}
    assert changes(config(1), config(2)) == {"data.seed": (1, 2), "seed": (1, 2)}
    assert changes(config(), config(k=2)) == {"k": (None, 2)}


def test_a_precision_that_was_chosen_automatically_is_no_change_from_auto():
    chosen = config(trainer={"precision": "bf16-mixed", "precision_reason": "the processor"})
    assert changes(chosen, config(trainer={"precision": "auto"})) == {}
    assert changes(chosen, config(trainer={"precision": "32-true"})) == {"trainer.precision": ("bf16-mixed", "32-true")}
    by_hand = config(trainer={"precision": "bf16-mixed"})
    assert changes(by_hand, config(trainer={"precision": "auto"})) == {"trainer.precision": ("bf16-mixed", "auto")}


def test_optimizer_keys_are_matched_and_schedules_are_not():
    assert OPTIMIZERS.match("optim.encoder.betas")
    assert OPTIMIZERS.match("recipe.lr")
    assert not OPTIMIZERS.match("optim.schedule.generator.hold")
    assert not OPTIMIZERS.match("optim.gradient_clip")


def test_group_holds_runs_that_differ_only_in_the_seed(configure):
    same = [
        setting(configure(f"seed={seed}", f"ema.decay={decay}", folder=f"{seed}"))
        for seed in (1, 2)
        for decay in (0, 0.9)
    ]
    assert same[0] == same[2] != same[1] == same[3]
    watched = setting(
        configure("callbacks.sample_grids.count=9", "metrics=frechet", "logger=none", "ema.decay=0", folder="watched")
    )
    assert watched == same[0]
