"""Runs one training, or a sweep of several: ``python train.py --help``."""

from gan.app.launch import launch


def load():
    from gan.app.train import run  # imports torch late, so that --help is fast

    return run


if __name__ == "__main__":
    launch(load, config_name="train", trains=True)
