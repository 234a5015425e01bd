"""Writes one HTML page about the runs of a sweep: ``python report.py --help``."""

from gan.app.launch import launch


def load():
    from gan.app.report import run  # imported late, so that --help is fast

    return run


if __name__ == "__main__":
    launch(load, config_name="report")
