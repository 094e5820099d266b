"""Folders that killed processes leave behind."""

import fcntl
import tempfile

import pytest

from exchange_site import held_folders
from exchange_site.held_folders import held_folder, take_left_folders


@pytest.fixture
def left(tmp_path, monkeypatch):
    """The folder of a process that was killed, with a lock that nobody holds."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "ours-1"
    folder.mkdir()
    (folder / held_folders._LOCK).touch()
    return folder


class TestAFolderThatWasLeft:
    def test_is_taken_and_deleted_afterwards(self, left):
        for folder in take_left_folders(prefix="ours-"):
            assert folder == left
            assert left.exists()
        assert not left.exists()

    def test_is_taken_by_one_of_two_processes_at_once(self, left):
        for folder in take_left_folders(prefix="ours-"):
            assert folder == left
            assert list(take_left_folders(prefix="ours-")) == []

    def test_is_not_taken_by_a_process_that_found_it_before_another_one_deleted_it(self, left, monkeypatch):
        taken = []

        def lock_late(*arguments):
            monkeypatch.setattr(held_folders.fcntl, "flock", flock)
            taken.extend(take_left_folders(prefix="ours-"))
            return flock(*arguments)

        flock = fcntl.flock
        monkeypatch.setattr(held_folders.fcntl, "flock", lock_late)
        assert list(take_left_folders(prefix="ours-")) == []
        assert taken == [left]

    def test_is_found_again_if_its_deletion_is_cut_off(self, left, monkeypatch):
        """By a second Ctrl-C, when much of it is gone already."""

        def be_cut_off(*_, **__):
            raise KeyboardInterrupt

        (left / "data").mkdir()
        with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
            cut.setattr(held_folders.shutil, "rmtree", be_cut_off)
            list(take_left_folders(prefix="ours-"))
        with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
            cut.setattr(held_folders.os, "unlink", be_cut_off)
            list(take_left_folders(prefix="ours-"))
        assert not (left / "data").exists()
        assert list(take_left_folders(prefix="ours-")) == [left]
        assert not left.exists()

    def test_is_none_while_its_process_holds_it(self, left):
        with held_folder(prefix="ours-"):
            assert list(take_left_folders(prefix="ours-")) == [left]
