"""Start-up: a time for each command, in order."""

import pytest

from benchmarks import startup


@pytest.mark.slow
@pytest.mark.processes
def test_record_has_a_time_for_each_command(monkeypatch, capsys):
    some = ("train.py --help", startup.TO_END)
    monkeypatch.setattr(startup, "COMMANDS", {name: startup.COMMANDS[name] for name in some})
    seconds = startup.main(["--rounds", "1"])["seconds"]
    assert seconds.keys() == {*some, startup.TO_FIRST}
    assert 0 < seconds[startup.TO_FIRST]["median"] < seconds[startup.TO_END]["median"]
    assert startup.TO_FIRST in capsys.readouterr().out


@pytest.mark.processes
def test_failed_command_raises_instead_of_being_timed():
    with pytest.raises(RuntimeError, match=r"ended with 1: .*no key 'modle'"):
        startup.play((startup.TRAIN, "modle=mlp"))
