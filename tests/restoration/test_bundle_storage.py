from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
import torch

from unblemish.networks.catalogue import create
from unblemish.restoration import bundle_storage
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkCard
from unblemish.restoration.bundle_storage import is_packed, open_storage
from unblemish.restoration.errors import BundleError

OPTIONS = {"blocks": 1, "width": 4}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Two tiny networks."""
    known = {"purpose": "tests", "licence": "CC0-1.0", "training_set": "none", "recipe": "none"}
    torch.manual_seed(0)
    networks = [
        (NetworkCard(name=name, architecture="srresnet", options=OPTIONS, **known), create("srresnet", OPTIONS))
        for name in ("one", "two")
    ]
    return Bundle.write(tmp_path / "folder", [(card, network.state_dict()) for card, network in networks])


def archive(path: Path, files: list[tuple[str, bytes]], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as target:
        for name, content in files:
            target.writestr(name, content)
    return path


def test_a_packed_bundle_is_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.path / "README.md").write_text("not a part")
    packed = bundle.pack(tmp_path / "new" / "my.bundle")
    assert packed.path == tmp_path / "new" / "my.bundle"
    assert packed.manifest == bundle.manifest
    assert packed.total_bytes == bundle.total_bytes
    for name in bundle.names:
        assert packed.blob(packed.entry(name)) == bundle.blob(bundle.entry(name))
        torch.testing.assert_close(dict(packed.network(name).state_dict()), dict(bundle.network(name).state_dict()))
    names = {"bundle.json", *(entry.file for entry in bundle.manifest.networks)}
    assert set(zipfile.ZipFile(packed.path).namelist()) == names


def test_a_shared_file_is_packed_once_and_generators_with_it(bundle: Bundle, tmp_path: Path) -> None:
    one = bundle.entry("one")
    generator = one.model_copy(update={"name": "replay"})
    grown = bundle.update([(one.model_copy(update={"name": "three"}), bundle.blob(one))])
    grown = grown.update(generators=[(generator, {"weight": torch.ones(3)})])
    packed = grown.pack(tmp_path / "my.bundle")
    assert packed.manifest == grown.manifest
    assert packed.entry("three").file == packed.entry("one").file
    assert sorted(zipfile.ZipFile(packed.path).namelist()) == sorted(path.name for path in grown.path.iterdir())
    assert packed.blob(packed.manifest.generators[0]) == grown.blob(grown.manifest.generators[0])
    assert packed.total_bytes == grown.total_bytes
    torch.testing.assert_close(dict(packed.network("three").state_dict()), dict(bundle.network("one").state_dict()))


def test_packing_is_the_same_each_time(bundle: Bundle, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    bundle.pack(one)
    for path in bundle.path.iterdir():
        os.utime(path, (1e9, 1e9))
    assert Bundle.load(one).pack(two).path.read_bytes() == one.read_bytes()
    assert bundle.pack(one).path.read_bytes() == two.read_bytes()


def test_a_packed_bundle_cannot_be_changed(bundle: Bundle, tmp_path: Path) -> None:
    packed = bundle.pack(tmp_path / "my.bundle")
    with pytest.raises(BundleError, match="is packed: change the folder"):
        packed.update(default="two")
    with pytest.raises(BundleError, match="is a file: give a folder"):
        Bundle.write(packed.path, [])


def test_damaged_parts_are_not_packed(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.path / bundle.entry("two").file).write_bytes(b"other")
    with pytest.raises(BundleError, match="differs from its checksum"):
        bundle.pack(tmp_path / "my.bundle")
    assert not (tmp_path / "my.bundle").exists()


def test_other_files_are_not_replaced(bundle: Bundle, tmp_path: Path) -> None:
    other = archive(tmp_path / "other.zip", [("a.txt", b"")])
    for path in (other, bundle.path):
        assert not is_packed(path)
        with pytest.raises(BundleError, match="is there and is no packed bundle"):
            bundle.pack(path)


def test_a_part_that_is_not_there(bundle: Bundle, tmp_path: Path) -> None:
    manifest = (bundle.path / "bundle.json").read_bytes()
    packed = Bundle.load(archive(tmp_path / "my.bundle", [("bundle.json", manifest)]))
    for ask in (packed.network, lambda: packed.total_bytes):
        with pytest.raises(BundleError, match="lacks a part"):
            ask()


def test_flipped_bits_are_found(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle.pack(tmp_path / "my.bundle").path
    content, blob = bytearray(path.read_bytes()), bundle.blob(bundle.entry())
    content[content.index(blob) + len(blob) - 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"or damaged \(Bad CRC-32"):
        Bundle.load(path).network()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../bundle.json", "holds '../bundle.json'"),
        ("/etc/a.safetensors", "holds '/etc/a.safetensors'"),
        ("deep/a.safetensors", "holds 'deep/a.safetensors'"),
        ("deep/", "holds 'deep/'"),
        ("..\\a.safetensors", "holds"),
        ("a.pt", "holds 'a.pt'"),
        ("a.safetensors\n", "holds"),
    ],
)
def test_odd_members_are_refused(tmp_path: Path, name: str, message: str) -> None:
    path = archive(tmp_path / "my.bundle", [("bundle.json", b"{}"), (name, b"")])
    with pytest.raises(BundleError, match=message):
        open_storage(path)


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "my.bundle", [("bundle.json", b"{}"), ("bundle.json", b"{}")])
    with pytest.raises(BundleError, match="holds a file twice"):
        open_storage(path)


def test_compressed_members_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "my.bundle", [("bundle.json", b"{}" * 100)], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="compressed or encrypted"):
        open_storage(path)


def test_sizes_beyond_the_file_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "my.bundle", [("bundle.json", b"{}")])
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = (10**9).to_bytes(4, "little") * 2  # its two sizes
    path.write_bytes(content)
    with pytest.raises(BundleError, match="claims to hold more than its size"):
        open_storage(path)


def test_a_huge_description_is_refused(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = bundle.pack(tmp_path / "my.bundle").path
    monkeypatch.setattr(bundle_storage, "MANIFEST_LIMIT", 100)
    for path in (packed, bundle.path):
        with pytest.raises(BundleError, match="absurdly large"):
            open_storage(path)


def test_what_is_no_archive(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "my.bundle"
    whole = bundle.pack(path).path.read_bytes()
    for content in (b"", b"a picture", whole[:-10], whole[len(whole) // 2 :]):
        path.write_bytes(content)
        with pytest.raises(BundleError, match=r"is no packed bundle, or damaged|claims to hold more than its size"):
            open_storage(path)


def test_cut_and_mangled_archives_raise_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle.pack(tmp_path / "my.bundle").path
    whole = path.read_bytes()
    start = whole.index(b"PK\x01\x02")
    assert zipfile.is_zipfile(io.BytesIO(whole))
    refused = 0
    for place in range(start, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            Bundle.load(path).network()
        except BundleError:
            refused += 1
    assert refused > (len(whole) - start) // 3
