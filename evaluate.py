"""Computes the metrics of a run, or of all runs of a sweep: ``python evaluate.py --help``."""

from gan.app.launch import launch


def load():
    from gan.app.evaluate import run  # imports torch late, so that --help is fast

    return run


if __name__ == "__main__":
    launch(load, config_name="evaluate")
