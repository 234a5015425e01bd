"""Trains one game, or a sweep of them: ``python train.py --help``."""

from gan.cli import launch


def train(cfg):
    from gan.train import run  # torch is imported here, so that --help need not wait for it

    return run(cfg)


if __name__ == "__main__":
    launch(train, config_name="train")
