"""The numbers of a run, or of all runs of a sweep: ``python evaluate.py --help``."""

from gan.cli import launch


def evaluate(cfg):
    from gan.evaluation import run  # torch is imported here, so that --help need not wait for it

    return run(cfg)


if __name__ == "__main__":
    launch(evaluate, config_name="evaluate")
