"""Trains one game, or a sweep of them: ``python train.py --help``."""

from gan.app.command_line import launch


def load():
    from gan.app.train import run  # torch is imported here, so that --help need not wait for it

    return run


if __name__ == "__main__":
    launch(load, config_name="train")
