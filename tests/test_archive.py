"""A file is there as a whole or as it was, and what is wrong with it is said."""

import json
import os
import struct
import zipfile

import numpy as np
import pytest

from wbce._archive import ArchiveError, read_archive, write_archive, written_whole

ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    np.zeros((0, 4), np.float32),
    np.array(True),
    np.arange(4, dtype=">i4"),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.file"
    write_archive(path, {"a": [1, "ü", None]}, ARRAYS)
    return path


def test_what_is_written_is_read(path):
    document, arrays = read_archive(path)
    assert document == {"a": [1, "ü", None]}
    for array, expected in zip(arrays, ARRAYS, strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype
        assert array.flags.writeable


def test_the_same_content_is_the_same_file(path, tmp_path):
    write_archive(tmp_path / "other", {"a": [1, "ü", None]}, ARRAYS)
    assert (tmp_path / "other").read_bytes() == path.read_bytes()


def test_a_failure_leaves_the_old_file(path):
    before = path.read_bytes()

    def fill_the_disk():
        with written_whole(path) as file:
            file.write(b"half of it")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fill_the_disk()
    with pytest.raises(ValueError, match="JSON"):
        write_archive(path, {"a": float("nan")}, [])
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_permissions_and_links_stay(path, tmp_path):
    os.chmod(path, 0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    write_archive(link, {}, [])
    assert link.is_symlink()
    assert read_archive(path) == ({}, [])
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder '.*none' for the file 'file'"):
        write_archive(tmp_path / "none" / "file", {}, [])
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "none")


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ArchiveError, match="is a pipe or a device, and no file"):
            read_archive(path)
    with pytest.raises(IsADirectoryError):
        read_archive(tmp_path)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rewrite(path, parts, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def npy(header, data=b""):
    header = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def array_of(header, data=b""):
    return lambda parts: {**parts, "arrays/0.npy": npy(header, data)}


CHANGES = {
    "a path outside": (lambda parts: {**parts, "../../evil": b""}, r"'../../evil' in it"),
    "an absolute path": (lambda parts: {**parts, "/etc/passwd": b""}, "'/etc/passwd' in it"),
    "another order": (lambda parts: dict(reversed(parts.items())), "has been changed"),
    "no document": (lambda parts: {"arrays/0.npy": b""}, "another program's"),
    "nothing": (lambda parts: {}, "is empty"),
    "text for JSON": (lambda parts: {**parts, "document.json": b"{"}, "no file of this package"),
    "NaN": (lambda parts: {**parts, "document.json": b"[NaN]"}, "only finite numbers"),
    "lists in lists": (lambda parts: {**parts, "document.json": b"[" * 10**6}, "RecursionError"),
    "a number of a million digits": (
        lambda parts: {**parts, "document.json": b"1" * 10**6},
        "no file of this package",
    ),
    "objects": (array_of("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), "numbers"),
    "text": (array_of("{'descr': '<U4', 'fortran_order': False, 'shape': (0,)}"), "numbers"),
    "more than there is": (
        array_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        "not of the shape",
    ),
    "more than a machine has": (
        array_of("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 40 + ",)}"),
        "not of the shape",
    ),
    "less than nothing": (
        array_of("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}", bytes(8)),
        "not of the shape",
    ),
    "code in a header": (array_of("__import__('os').system('false')"), "no file of this package"),
    "no array": (lambda parts: {**parts, "arrays/0.npy": b"none"}, "no file of this package"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_file(path, case):
    change, message = CHANGES[case]
    rewrite(path, change(members(path)))
    with pytest.raises(ArchiveError, match=message) as caught:
        read_archive(path)
    assert str(path) in str(caught.value)


def test_a_zip_bomb_is_not_unpacked(path):
    rewrite(path, {"document.json": b" " * 10**8}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ArchiveError, match="compressed parts, which may grow to any size"):
        read_archive(path)


def test_parts_that_lie_over_each_other_are_refused(path):
    """Many entries of one part: each is small, and together they are not."""
    rewrite(path, {"document.json": b"{}", "arrays/0.npy": npy("{}", bytes(10**6))})
    with zipfile.ZipFile(path, "a") as archive:
        shared = archive.infolist()[1]
        for i in range(1, 50):
            twin = zipfile.ZipInfo(f"arrays/{i}.npy")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, name, getattr(shared, name))
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(ArchiveError, match="larger than it is"):
        read_archive(path)


def test_a_document_that_is_too_long_is_refused(path, monkeypatch):
    monkeypatch.setattr("wbce._archive._LONGEST_DOCUMENT", 10)
    with pytest.raises(ArchiveError, match="at most 10"):
        read_archive(path)
    with pytest.raises(ValueError, match="at most 10"):
        write_archive(path, json.dumps("x" * 20), [])


def test_every_cut_is_noticed(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ArchiveError):
            read_archive(path)


def test_every_changed_byte_of_an_array_is_noticed(path):
    whole = path.read_bytes()
    start = whole.index(ARRAYS[0].tobytes())
    for place in range(start, start + ARRAYS[0].nbytes):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ArchiveError, match="CRC"):
            read_archive(path)
