"""How the start of a stack is shown: with bars in a terminal, with lines elsewhere, and never silent for long."""

import io
import re
import time

import pytest
from rich.console import Console

from exchange_site.stack import steps
from exchange_site.stack.demo import story
from exchange_site.stack.processes import NotInTime
from exchange_site.stack.steps import Step, read_step, showing_steps, write_step
from wallets.runtime.progress import make_progress


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


class TestLines:
    def test_each_step_has_a_line_of_its_own(self, printed):
        with showing_steps(Console(file=printed, width=80)) as display:
            for done in range(3):
                display.show(Step(name="migrations", done=done, total=3))
            display.show(Step(name="worker"))
        assert printed.getvalue() == "  migrations 0 of 3\n  worker\n"

    def test_a_long_step_says_again_and_again_how_far_it_is(self, printed, monkeypatch):
        monkeypatch.setattr(steps, "_SILENCE_SECONDS", 0.3)
        with showing_steps(Console(file=printed, width=80)) as display:
            display.show(Step(name="migrations", done=1, total=9))
            display.show(Step(name="migrations", done=5, total=9))
            time.sleep(1)
        assert "  migrations 5 of 9\n" in printed.getvalue()

    def test_nothing_is_said_before_the_first_step(self, printed, monkeypatch):
        monkeypatch.setattr(steps, "_SILENCE_SECONDS", 0.1)
        with showing_steps(Console(file=printed)) as display:
            display.show(None)
            time.sleep(0.5)
        assert printed.getvalue() == ""

    def test_a_terminal_that_is_dumb_gets_them_too(self, printed, monkeypatch):
        monkeypatch.setenv("TERM", "dumb")
        with showing_steps(Console(file=printed, force_terminal=True, width=80)) as display:
            display.show(Step(name="worker"))
        assert printed.getvalue() == "  worker\n"

    def test_are_the_signs_of_life_of_the_story_where_no_bar_can_be(self, printed, monkeypatch):
        monkeypatch.setattr(story, "_SILENCE_SECONDS", 0.2)
        console = Console(file=printed, width=80)
        with make_progress(console) as progress, story._telling_in_lines(console, progress):
            progress.update(progress.add_task("orders are placed", total=199), completed=7)
            time.sleep(0.5)
        assert printed.getvalue().startswith("  orders are placed 7 of 199\n")


class TestBars:
    def test_show_how_much_of_how_much_is_done(self, printed):
        console = Console(file=printed, force_terminal=True, width=100)
        with showing_steps(console) as display:
            display.show(Step(name="PostgreSQL and Redis"))
            display.show(Step(name="migrations", done=40, total=147))
        assert "40 of 147" in printed.getvalue()

    def test_leave_a_line_for_each_finished_step(self, printed):
        with showing_steps(Console(file=printed, force_terminal=True, width=100)) as display:
            display.show(Step(name="migrations", done=147, total=147))
            display.show(Step(name="worker"))
        lines = re.findall("✓ (.*)", printed.getvalue())
        assert [line.split()[0] for line in lines] == ["migrations", "worker"]
        assert lines[0].endswith("147 of 147")

    def test_leave_none_for_a_step_that_fails(self, printed):
        with (
            pytest.raises(NotInTime),
            showing_steps(Console(file=printed, force_terminal=True, width=100)) as display,
        ):
            display.show(Step(name="worker"))
            raise NotInTime
        assert "✓" not in printed.getvalue()


class TestTheFile:
    def test_tells_other_processes(self, tmp_path):
        step = Step(name="API and exchange simulator", done=2, total=3)
        write_step(tmp_path, step)
        assert read_step(tmp_path) == step

    def test_is_not_there_before_the_first_step(self, tmp_path):
        assert read_step(tmp_path) is None
