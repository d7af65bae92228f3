import hashlib
import os

from inference.model_files.hashes import FileHashes


def test_a_file_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    path, store = tmp_path / "net.safetensors", tmp_path / "cache" / "hashes.json"
    path.write_bytes(b"weights")
    first = FileHashes(store).sha256(path)
    reads = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *got: reads.append(1) or real(*got))
    again = FileHashes(store)

    assert hashlib.sha256(b"weights").hexdigest() == first == again.sha256(path)
    assert reads == []
    path.write_bytes(b"changed")
    os.utime(path, ns=(1, 1))
    assert hashlib.sha256(b"changed").hexdigest()[:10] == again.short_hash(path)
    assert reads == [1]


def test_a_damaged_memory_is_forgotten(tmp_path):
    path, store = tmp_path / "net.safetensors", tmp_path / "hashes.json"
    path.write_bytes(b"weights")
    store.write_text("[broken")

    assert hashlib.sha256(b"weights").hexdigest() == FileHashes(store).sha256(path)


def test_a_hash_is_known_only_of_a_file_that_was_read(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"weights")
    hashes = FileHashes(tmp_path / "hashes.json")

    assert hashes.known_short_hash(path) == ""
    assert hashes.short_hash(path) == hashes.known_short_hash(path)
    path.write_bytes(b"changed!")
    assert hashes.known_short_hash(path) == ""
