"""The study of a search in the sweep's folder."""

import sys

import pytest

from gan.app import report
from gan.core.errors import UserError
from gan.reports.study import find_study, read_studies
from tests.conftest import composed


@pytest.fixture
def journal(tmp_path):
    """A search in which x matters and y does not; trial 3 failed and trial 4 was pruned."""
    optuna = pytest.importorskip("optuna")
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = tmp_path / "sweep" / "study.journal"
    file.parent.mkdir(exist_ok=True)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(file))), study_name="s", sampler=sampler)
    for i in range(30):
        trial = study.ask()
        x, y = trial.suggest_float("recipe.lr", 0, 1), trial.suggest_float("<b>", 0, 1)
        states = {3: optuna.trial.TrialState.FAIL, 4: optuna.trial.TrialState.PRUNED}
        study.tell(trial, None if i in states else x**2 + 1e-3 * y, state=states.get(i))
    return file


def test_importances_name_the_parameter_that_matters(journal):
    assert find_study(journal.parent) == journal
    (study,) = read_studies(journal)
    assert "s: 30 trials (28 complete, 1 fail, 1 pruned)." in study.text
    shares = study.importances[""]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["recipe.lr"] > 0.8


def test_page_shows_the_search(journal, make_job):
    make_job("0")
    text = report.run(composed(f"run={journal.parent}", name="report")).read_text(encoding="utf-8")
    assert "Importance of each parameter" in text
    assert "<dt>recipe.lr</dt>" in text
    assert "<dt>&lt;b&gt;</dt>" in text


def test_without_optuna_the_page_has_one_line(make_job, monkeypatch, tmp_path):
    make_job("0")
    (tmp_path / "sweep" / "study.journal").touch()
    monkeypatch.setitem(sys.modules, "optuna", None)
    text = report.run(composed(f"run={tmp_path / 'sweep'}", name="report")).read_text(encoding="utf-8")
    assert "study.journal holds a search; with Optuna installed" in text


def test_damaged_journal_is_one_line(tmp_path):
    pytest.importorskip("optuna")
    (tmp_path / "study.journal").write_text('{"op_code": 0}\n{"op', encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read as Optuna's journal") as caught:
        read_studies(tmp_path / "study.journal")
    assert "\n" not in str(caught.value)
