"""The spool's file: what is committed is there, whatever happens, and the bounds hold."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from spools import (
    BOOT,
    EARLIER,
    in_child,
    mounted,
    number_of,
    numbers,
    row,
    said,
    settings,
    write,
)

from edged.publish.spool import Spool, TooOld
from edged.publish.spool_faults import SpoolDamaged, SpoolTrouble

MIB = 2**20


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(settings(tmp_path / "state"))
    opened.open()
    yield opened
    opened.close()


def test_rows_come_back_as_they_were_written_in_order_also_after_a_restart(
    spool: Spool, tmp_path: Path
) -> None:
    rows = [row(number, boot=EARLIER, synced=False) for number in range(5)]
    write(spool, *rows[:3])
    write(spool, *rows[3:])
    spool.close()

    again = Spool(settings(tmp_path / "state"))
    again.open()

    assert again.rows == 5
    assert [stored for _, stored in again.read(0, 100)] == rows
    [(third, stored), *_] = again.read(2, 1)
    assert (third, number_of(stored)) == (3, 2)
    again.close()


def test_only_rows_that_are_done_are_deleted(spool: Spool) -> None:
    first, _, third = write(spool, *map(row, range(3)))

    write(spool, done=(first, third))

    assert (numbers(spool), spool.rows) == ([1], 1)


def test_a_number_is_never_given_twice_in_a_run(spool: Spool) -> None:
    rows = write(spool, row(0), row(1))
    write(spool, done=rows)

    assert write(spool, row(2)) == (3,)


def test_the_file_is_for_its_owner_alone(spool: Spool) -> None:
    write(spool, row(0))

    modes = {path.name: path.stat().st_mode & 0o777 for path in spool.path.parent.iterdir()}

    assert modes == {"spool.db": 0o600, "spool.db-wal": 0o600}


def test_space_is_given_back_when_all_is_delivered(spool: Spool) -> None:
    rows = write(spool, *(row(number) for number in range(2000)))
    assert spool.bytes_on_disk() > 800_000

    write(spool, done=rows)
    spool.give_back()

    assert spool.bytes_on_disk() < 50_000


# ---- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_bytes", [MIB, 8 * MIB])
def test_what_is_on_the_disk_keeps_to_the_bound_and_the_oldest_rows_go(
    max_bytes: int, tmp_path: Path
) -> None:
    spool = Spool(settings(tmp_path, max_bytes))
    spool.open()
    written = dropped = most = 0
    while written < 2 * max_bytes // 400:
        batch = [row(written + number) for number in range(spool.batch_bytes // 420)]
        committed = spool.commit(batch, frozenset(), None, 0)
        written += len(batch)
        dropped += committed.for_bytes
        most = max(most, spool.bytes_on_disk())

    assert most <= max_bytes
    assert dropped > 0
    assert numbers(spool) == list(range(dropped, written))
    assert spool.rows == written - dropped
    assert spool.rows * 400 > max_bytes // 2
    spool.close()


def test_rows_that_are_just_being_delivered_are_not_dropped(tmp_path: Path) -> None:
    spool = Spool(settings(tmp_path, MIB))
    spool.open()
    for start in range(0, 3000, 100):
        spool.commit([row(start + number) for number in range(100)], frozenset(), None, after=50)

    kept = numbers(spool)
    assert kept[:50] == list(range(50))
    assert kept[50] > 50
    spool.close()


def test_within_a_boot_the_monotonic_clock_tells_the_age(spool: Spool) -> None:
    write(spool, *map(row, range(10)))

    write(spool, too_old=TooOld(BOOT, before_ns=4 * 10**9, before_s=None))

    assert numbers(spool) == [4, 5, 6, 7, 8, 9]


def test_across_boots_the_stamps_tell_the_age_where_both_clocks_were_right(spool: Spool) -> None:
    write(spool, *(row(number, boot=EARLIER, synced=number != 1) for number in range(4)))

    write(spool, too_old=TooOld(BOOT, before_ns=-1, before_s=None))
    assert numbers(spool) == [0, 1, 2, 3]
    write(spool, too_old=TooOld(BOOT, before_ns=-1, before_s=1_000_003))
    assert numbers(spool) == [1, 3]


def test_what_is_of_an_earlier_boot_is_older_than_this_one_whatever_its_clock_said(
    spool: Spool,
) -> None:
    write(spool, row(99, boot=EARLIER, synced=False), row(1), row(3))

    write(spool, too_old=TooOld(BOOT, before_ns=2 * 10**9, before_s=None))

    assert numbers(spool) == [3]


# ---- trouble ------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_moved_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    spool = Spool(settings(tmp_path))
    spool.path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    (tmp_path / "spool.db.corrupt").write_bytes(b"an older one")

    with pytest.raises(SpoolDamaged, match="damaged"):
        spool.open()
    aside = spool.move_aside()
    spool.open()
    write(spool, row(0))

    assert aside == tmp_path / "spool.db.corrupt"
    assert aside.read_bytes().startswith(b"not a database")
    assert numbers(spool) == [0]
    spool.close()


def test_damage_deep_in_the_file_is_found_when_it_is_opened(tmp_path: Path) -> None:
    spool = Spool(settings(tmp_path))
    spool.open()
    write(spool, *(row(number) for number in range(500)))
    spool.close()
    with spool.path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(random.Random(1).randbytes(4096))

    with pytest.raises(SpoolDamaged):
        spool.open()
    spool.move_aside()


def test_damage_that_comes_while_it_is_open_is_found_when_it_is_read(tmp_path: Path) -> None:
    spool = Spool(settings(tmp_path, 64 * MIB))
    spool.open()
    for start in range(0, 8000, 500):
        write(spool, *(row(start + number) for number in range(500)))
    with spool.path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(random.Random(1).randbytes(200 * 4096))

    with pytest.raises(SpoolDamaged):
        numbers(spool)
    spool.move_aside()


def test_another_program_s_database_is_not_written_to(tmp_path: Path) -> None:
    spool = Spool(settings(tmp_path))
    with sqlite3.connect(spool.path) as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()

    with pytest.raises(SpoolDamaged, match="none of edged's"):
        spool.open()
    spool.close()


def test_a_spool_of_a_newer_edged_is_left_alone(spool: Spool, tmp_path: Path) -> None:
    write(spool, row(0))
    spool.close()
    with sqlite3.connect(spool.path) as newer:
        newer.execute("PRAGMA user_version = 2")
    newer.close()
    before = spool.path.read_bytes()

    with pytest.raises(SpoolTrouble, match=r"a newer edged wrote it.* update edged") as caught:
        spool.open()

    assert not isinstance(caught.value, SpoolDamaged)
    spool.close()
    assert spool.path.read_bytes() == before


def test_a_file_that_was_taken_away_is_missed(spool: Spool) -> None:
    write(spool, row(0))
    spool.path.rename(spool.path.with_name("elsewhere"))

    with pytest.raises(SpoolTrouble):
        write(spool, row(1))


def test_a_spool_that_another_edged_has_open_is_told_and_can_be_had_afterwards(
    tmp_path: Path,
) -> None:
    code = "spool = opened(sys.argv[1]); write(spool, row(0)); print('open', flush=True); input()"
    with in_child(code, tmp_path) as other:
        assert said(other) == "open"
        spool = Spool(settings(tmp_path))

        with pytest.raises(SpoolTrouble, match="another process has it open"):
            spool.open()
        spool.close()
        other.kill()

    spool.open()
    assert numbers(spool) == [0]
    spool.close()


def test_after_a_kill_at_any_instant_the_file_opens_and_holds_what_was_committed(
    tmp_path: Path,
) -> None:
    code = """
    spool, written = opened(sys.argv[1]), int(sys.argv[2])
    while True:
        rows = [row(written + number) for number in range(7)]
        oldest = [each for each, _ in spool.read(0, 5)] if spool.rows > 300 else []
        written += len(rows)
        print("begin", written, len(oldest), flush=True)
        write(spool, *rows, done=tuple(oldest))
        print("done", written, len(oldest), flush=True)
    """
    random_s = random.Random(4)
    written = deleted = 0
    for _ in range(12):
        with in_child(code, tmp_path, written) as child:
            assert child.stdout is not None
            for _ in range(random_s.randrange(2, 60)):
                assert said(child)
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split("\n")
        spool = Spool(settings(tmp_path))
        spool.open()
        found = numbers(spool)
        spool.close()
        assert found == list(range(found[0], found[-1] + 1))
        done = [int(line.split()[1]) for line in rest if line.startswith("done")]
        assert found[-1] + 1 >= max([written, *done])
        written = found[-1] + 1
        deleted = found[0]
    assert deleted > 0


def test_on_a_full_disk_a_commit_fails_whole_and_works_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    with mounted(tmp_path / "disk", "2m") as disk:
        spool = Spool(settings(disk.path))
        spool.open()
        write(spool, *map(row, range(20)))
        written = 20
        disk.fill()
        too_many = [row(written + number) for number in range(200)]
        with pytest.raises(SpoolTrouble, match="the disk is full"):
            write(spool, *too_many)
        assert numbers(spool) == list(range(written))

        disk.free()
        write(spool, row(written))

        assert numbers(spool) == list(range(written + 1))
        spool.close()


def test_a_disk_too_full_to_begin_a_file_is_told(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "1m") as disk:
        disk.fill()
        spool = Spool(settings(disk.path))

        with pytest.raises(SpoolTrouble, match=r"full|cannot be opened"):
            spool.open()
        spool.close()
        disk.free()
        spool.open()
        write(spool, row(0))
        spool.close()


@pytest.mark.parametrize("begun", [False, True])
def test_a_read_only_directory_is_told(begun: bool, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "1m") as disk:
        spool = Spool(settings(disk.path))
        if begun:
            spool.open()
            write(spool, row(0))
            spool.close()
        disk.make_read_only()

        with pytest.raises(SpoolTrouble, match="read-only") as caught:
            spool.open()
        spool.close()

        assert not isinstance(caught.value, SpoolDamaged)
        disk.make_writable()
        spool.open()
        assert len(numbers(spool)) == begun
        spool.close()


def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    spool = Spool(settings(tmp_path / "state"))

    with pytest.raises(SpoolTrouble, match=r"file exists|not a directory"):
        spool.open()
