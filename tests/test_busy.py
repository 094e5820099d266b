"""The runs beside busy loops: what counts as passed, what is left, and what is said at the end."""

from tests.busy import _SUMMARY, Result, Results, group, list_files, summarise

FILES = ["tests/a/test_one.py", "tests/a/test_other.py", "tests/b/test_third.py"]
FAILED = "tests/a/test_other.py::TestIt::test_fails[with - blanks]"


def result(*, turn=1, files=FILES, failed=(), passed=None, complete=True):
    passed = not failed if passed is None else passed
    return Result(files=list(files), turn=turn, seconds=1.0, passed=passed, failed=list(failed), complete=complete)


class TestWhatHasPassed:
    def test_is_each_file_without_a_failure(self):
        assert result().passed_runs() == {(file, 1) for file in FILES}
        assert result(turn=2, failed=[FAILED]).passed_runs() == {(FILES[0], 2), (FILES[2], 2)}

    def test_is_nothing_if_pytest_did_not_come_to_its_end(self):
        assert result(failed=[FAILED], complete=False).passed_runs() == set()
        assert result(passed=False).passed_runs() == set()

    def test_outlives_a_line_that_was_cut_off(self, tmp_path):
        file = tmp_path / "results"
        results = Results(file, afresh=False)
        results.add(result())
        file.write_text(file.read_text().strip() + '\n{"files": ["tests/a')
        results.add(result(turn=2, files=FILES[:1]))
        assert Results(file, afresh=False).read_passed() == {*((each, 1) for each in FILES), (FILES[0], 2)}
        assert Results(file, afresh=True).read_passed() == set()


class TestTheParts:
    def test_are_of_a_few_files_of_one_turn(self):
        runs = [(file, turn) for turn in (1, 2) for file in FILES]
        assert group(runs[1:], together=2) == [(FILES[1:], 1), (FILES[:2], 2), (FILES[2:], 2)]

    def test_are_found_by_folder_and_by_file(self):
        files = list_files(["tests/wallets"])
        assert "tests/wallets/test_limits.py" in files
        assert list_files(["tests/wallets/test_limits.py", "tests/wallets"]) == files


class TestTheSummary:
    def test_is_read_from_what_pytest_prints(self):
        printed = (
            f"FAILED {FAILED} - assert found[0] == 1\nERROR {FILES[0]}\nFAILED {FILES[2]}::test_it - KeyError: 'x'\n"
        )
        assert _SUMMARY.findall(printed) == [FAILED, FILES[0], f"{FILES[2]}::test_it"]

    def test_names_what_is_left_and_what_failed_before(self):
        results = [result(failed=[FAILED]), result(files=FILES[1:2]), result(turn=2, failed=[FAILED])]
        planned = [(file, turn) for turn in (1, 2) for file in FILES]
        assert list(summarise(results, planned=planned)) == [
            "5 of 6 runs of a file have passed.",
            f"Not passed: {FILES[1]}",
            f"Failed 2 times: {FAILED}",
        ]

    def test_is_of_the_planned_files_alone(self):
        results = [result(failed=[FAILED])]
        assert list(summarise(results, planned=[(FILES[0], 1)])) == ["1 of 1 runs of a file have passed."]
