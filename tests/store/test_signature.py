from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import PATIENCE_S
from signing import SIGNED, Signer

from edged.errors import ConfigError, ModelError
from edged.store.minisign import PublicKey, is_secret_key, parse_public_key
from edged.store.signature import (
    Verified,
    load_keys,
    read_signature,
    refuse_older,
    state_of,
    verify,
    verify_all,
)

KEYS = load_keys([SIGNED / "trusted.pub"])
OTHER = load_keys([SIGNED / "other.pub"])
MODEL = (SIGNED / "model.tflite").read_bytes()
SIGNATURE = (SIGNED / "model.tflite.minisig").read_bytes()
TRUSTED_ID, OTHER_ID = "AECF3C383ABD0C77", "3CDA40AFE3013263"


def fixture(name: str) -> bytes:
    return (SIGNED / name).read_bytes()


def refusal(
    data: bytes = MODEL, signature: bytes | None = SIGNATURE, keys: Sequence[PublicKey] = KEYS
) -> str:
    with pytest.raises(ModelError) as caught:
        verify(data, signature, keys, "coco.tflite")
    return str(caught.value)


def version(comment: str) -> int | None:
    return verify(MODEL, Signer().sign(MODEL, comment), KEYS, "coco.tflite").version


def with_line(number: int, line: bytes) -> bytes:
    lines = SIGNATURE.split(b"\n")
    lines[number] = line
    return b"\n".join(lines)


# ---- what the real program signed ----------------------------------------------------------------


def test_a_prehashed_signature_of_minisign_is_verified() -> None:
    comment = "timestamp:1700000000\\tfile:model.tflite\\tversion:12"
    assert verify(MODEL, SIGNATURE, KEYS, "model.tflite") == Verified(TRUSTED_ID, comment, 12)


def test_a_legacy_signature_of_minisign_is_verified() -> None:
    verified = verify(MODEL, fixture("legacy.minisig"), KEYS, "model.tflite")
    assert verified == Verified(TRUSTED_ID, "version: 12", 12)


def test_the_comment_that_minisign_makes_by_itself_tells_no_version() -> None:
    assert verify(MODEL, fixture("default_comment.minisig"), KEYS, "m").version is None


def test_any_of_several_trusted_keys_will_do() -> None:
    assert verify(MODEL, fixture("other.minisig"), KEYS + OTHER, "m").key_id == OTHER_ID


def test_line_ends_of_windows_change_nothing() -> None:
    assert verify(MODEL, SIGNATURE.replace(b"\n", b"\r\n"), KEYS, "m").version == 12


def test_the_tests_sign_as_minisign_does() -> None:
    comment = "timestamp:1700000000\tfile:model.tflite\tversion:12"
    assert Signer().sign(MODEL, comment) == SIGNATURE
    assert Signer().sign(MODEL, algorithm=b"Ed") == fixture("legacy.minisig")
    assert Signer("other").sign(MODEL) == fixture("other.minisig")


# ---- refused, each with its sentence -------------------------------------------------------------


def test_an_unsigned_model_is_refused() -> None:
    assert refusal(signature=None) == (
        "not signed: require_signature is set; put coco.tflite.minisig beside it, made with "
        "minisign -S"
    )


@pytest.mark.parametrize("name", ["model.tflite.minisig", "legacy.minisig"])
@pytest.mark.parametrize("data", [MODEL + b"\0", MODEL[:-1], b"", MODEL.swapcase()])
def test_a_tampered_model_is_refused(name: str, data: bytes) -> None:
    assert refusal(data, fixture(name)) == (
        "its signature does not fit the file: one of them was changed after signing, or is "
        "another's; sign it again with minisign -S"
    )


def test_another_file_s_signature_is_refused() -> None:
    assert "does not fit the file" in refusal(signature=fixture("model.toml.minisig"))


def test_a_tampered_trusted_comment_is_refused() -> None:
    changed = SIGNATURE.replace(b"version:12", b"version:13")
    assert refusal(signature=changed) == (
        "the trusted comment of its signature was changed after signing; sign it again with "
        "minisign -S"
    )


def test_a_trusted_comment_of_another_signature_is_refused() -> None:
    other = Signer().sign(MODEL + b"!", "version: 99").split(b"\n")
    mixed = b"\n".join(SIGNATURE.split(b"\n")[:2] + other[2:])
    assert "trusted comment" in refusal(signature=mixed)


def test_a_key_that_is_not_trusted_is_refused_with_its_id() -> None:
    assert refusal(signature=fixture("other.minisig")) == (
        f"signed by a key that is not trusted ({OTHER_ID}); add its public key to "
        "models.trusted_keys"
    )
    assert "not trusted" in refusal(keys=())


def test_a_key_that_takes_the_id_of_a_trusted_one_is_refused() -> None:
    forged = Signer("other", key_id=Signer().key_id).sign(MODEL)
    assert "does not fit the file" in refusal(signature=forged)


def test_another_algorithm_is_refused() -> None:
    assert refusal(signature=Signer().sign(MODEL, algorithm=b"Xy")) == (
        "its signature is of an unknown algorithm, b'Xy'; sign it again with minisign -S"
    )


@pytest.mark.parametrize(
    ("signature", "what"),
    [
        (b"", "damaged: it has fewer than 4 lines"),
        (SIGNATURE[:150], "damaged: it has fewer than 4 lines"),
        (SIGNATURE[1:], 'damaged: there is no "untrusted comment:" line'),
        (with_line(2, b"version: 12"), 'damaged: there is no "trusted comment:" line'),
        (with_line(1, b"RUR*"), "damaged: a line is not base64"),
        (with_line(3, b"\xff\xfe"), "damaged: a line is not base64"),
        (with_line(1, b"RUR3"), "damaged: a line is too short or too long"),
        (with_line(3, b64encode(bytes(65))), "damaged: a line is too short or too long"),
        (SIGNATURE + b"\n" * 8192, "over 8,192 bytes, too many for one"),
    ],
)
def test_a_damaged_signature_is_refused_and_told(signature: bytes, what: str) -> None:
    expected = f"its signature is {what}; sign it again with minisign -S"
    assert refusal(signature=signature) == expected


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=400), st.binary(max_size=40))
def test_any_bytes_at_all_are_refused_in_words(signature: bytes, data: bytes) -> None:
    assert "\n" not in refusal(data, signature)


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_a_signature_with_a_flipped_bit_is_refused_or_means_the_same(draw: st.DataObject) -> None:
    after_comment = SIGNATURE.index(b"\n") + 1
    place = draw.draw(st.integers(after_comment, len(SIGNATURE.rstrip()) - 1))
    bit = draw.draw(st.integers(0, 7))
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1 << bit
    try:
        verified = verify(MODEL, bytes(changed), KEYS, "m")
    except ModelError:
        return
    # Only the bits of base64 that stand for nothing may pass.
    assert verified.version == 12
    assert b64decode(changed.split(b"\n")[1]) == b64decode(SIGNATURE.split(b"\n")[1])


# ---- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("version: 12", 12),
        ("version:12", 12),
        ("timestamp:1700000000\tfile:model.tflite\tversion:12\thashed", 12),
        ("summer garden, version: 7 of many", 7),
        ("Version: 0", 0),
        ("version:007 version: 007", 7),
        ("version:999999999999999999", 999_999_999_999_999_999),
        ("", None),
        ("subversion:12 version 12", None),
    ],
)
def test_a_version_is_found_among_other_words(comment: str, expected: int | None) -> None:
    assert version(comment) == expected


@pytest.mark.parametrize(
    ("comment", "shown"),
    [
        ("version: twelve", "twelve"),
        ("version:", ""),
        ("version:\tfile:model.tflite", ""),
        ("version: -1", "-1"),
        ("version: 1.2", "1.2"),
        ("version: 12,", "12,"),
        ("version: ١٢", "١٢"),
        ("version: 1000000000000000000", "1000000000000000000"),
        ("version: \x1b[2J", r"\x1b[2J"),
    ],
)
def test_a_version_that_is_no_number_is_refused(comment: str, shown: str) -> None:
    assert refusal(signature=Signer().sign(MODEL, comment)) == (
        f'its trusted comment tells the version "{shown}", not a number of 1 to 18 digits; '
        "sign it with one, like minisign -S -t 'version: 12'"
    )


def test_a_version_with_thousands_of_digits_is_refused_and_not_shown_whole() -> None:
    assert len(refusal(signature=Signer().sign(MODEL, "version: " + "9" * 6000))) < 250


def test_two_versions_are_refused() -> None:
    reason = refusal(signature=Signer().sign(MODEL, "version: 1 version: 99"))
    assert reason.startswith("its trusted comment tells more than one version; ")


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=80).filter(lambda comment: b"\n" not in comment))
def test_any_trusted_comment_is_read_or_refused_in_words(comment: bytes) -> None:
    signature = Signer().sign(MODEL, comment)
    try:
        said = verify(MODEL, signature, KEYS, "m").trusted_comment
    except ModelError as error:
        said = str(error)
    assert said.isprintable()


def test_a_lower_version_than_what_serves_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        refuse_older(Verified(TRUSTED_ID, "version: 3", 3), 5)
    assert str(caught.value) == (
        "signed version 3 is older than 5, which serves; to go back to that model, sign it again "
        "with a higher version"
    )


def test_a_missing_version_is_refused_where_what_serves_has_one() -> None:
    with pytest.raises(ModelError) as caught:
        refuse_older(Verified(TRUSTED_ID, "", None), 5)
    assert str(caught.value) == (
        "its signature tells no version, so it may be older than 5, which serves; sign it with "
        "minisign -S -t 'version: NUMBER'"
    )


@pytest.mark.parametrize(("signed", "serving"), [(5, 5), (6, 5), (0, 0), (1, None), (None, None)])
def test_the_same_or_a_newer_version_passes(signed: int | None, serving: int | None) -> None:
    refuse_older(Verified(TRUSTED_ID, "", signed), serving)


# ---- what lies beside a model --------------------------------------------------------------------


@dataclass(frozen=True)
class Files:
    beside: dict[str, bytes]
    name: str = "model"
    data: bytes = MODEL


WHOLE = {
    ending: fixture(f"model{ending}")
    for file in (".tflite", ".toml", ".labels.txt")
    for ending in (file, f"{file}.minisig")
    if ending != ".tflite"
}


def bundle_refusal(**changed: bytes | None) -> str:
    """What is said of the whole where a file, named without dots, is changed or taken away."""
    beside = {ending: changed.get(re.sub(r"\W", "", ending), WHOLE[ending]) for ending in WHOLE}
    with pytest.raises(ModelError) as caught:
        verify_all(Files({ending: data for ending, data in beside.items() if data}), KEYS)
    return str(caught.value)


def test_a_model_and_what_lies_beside_it_are_verified_together() -> None:
    assert verify_all(Files(WHOLE), KEYS).version == 12
    assert verify_all(Files({".tflite.minisig": SIGNATURE}), KEYS).version == 12


def test_a_signed_sidecar_does_not_stand_for_its_model() -> None:
    assert "put model.tflite.minisig beside it" in bundle_refusal(tfliteminisig=None)


def test_an_unsigned_file_beside_a_signed_model_is_refused_by_name() -> None:
    assert bundle_refusal(tomlminisig=None) == (
        "model.toml: not signed: require_signature is set; put model.toml.minisig beside it, made "
        "with minisign -S"
    )


def test_changed_labels_beside_a_signed_model_are_refused_by_name() -> None:
    reason = bundle_refusal(labelstxt=b"green\nred\n")
    assert reason.startswith("model.labels.txt: its signature does not fit the file")


def test_a_signature_without_its_file_is_of_no_account() -> None:
    beside = {ending: data for ending, data in WHOLE.items() if ending != ".toml"}
    assert verify_all(Files(beside), KEYS).version == 12


def test_the_labels_of_an_older_model_are_refused_beside_a_newer_one() -> None:
    older = Signer().sign(b"red\n", "version: 11")
    assert bundle_refusal(labelstxt=b"red\n", labelstxtminisig=older) == (
        "model.labels.txt is signed as version 11, but the model as version 12; sign them "
        "together, in one call of minisign -S"
    )
    without = Signer().sign(b"red\n", "any")
    reason = bundle_refusal(labelstxt=b"red\n", labelstxtminisig=without)
    assert "signed without a version, but the model as version 12" in reason


def test_a_model_without_a_version_needs_none_beside_it() -> None:
    signature = Signer().sign(MODEL, "any")
    beside = dict.fromkeys((".tflite.minisig", ".toml.minisig"), signature)
    assert verify_all(Files({**beside, ".toml": MODEL}), KEYS).version is None


# ---- keys ----------------------------------------------------------------------------------------


def key_problems(*paths: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_keys(paths)
    return list(caught.value.problems)


def test_a_key_s_line_alone_is_a_public_key_too(tmp_path: Path) -> None:
    bare = tmp_path / "bare.pub"
    bare.write_bytes(fixture("trusted.pub").splitlines()[1])
    assert load_keys([bare]) == KEYS


def test_keys_keep_their_order() -> None:
    keys = load_keys([SIGNED / "other.pub", SIGNED / "trusted.pub"])
    assert [key.key_id for key in keys] == [OTHER_ID, TRUSTED_ID]


@pytest.mark.parametrize("name", ["trusted.key", "with_password.key"])
def test_a_secret_key_is_recognised_and_never_shown(name: str) -> None:
    path = SIGNED / name
    problems = key_problems(path)
    assert problems == [
        f"{path}: is a secret key, which has no place on this device; name the public key instead "
        "(minisign -R makes it from the secret one)"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"untrusted comment: minisign public key 1\n",
        b"untrusted comment: x\nRWQ*\n",
        b64encode(b"Ed" + bytes(39)),
        b64encode(b"ED" + bytes(40)),
        fixture("trusted.pub").splitlines()[1] * 2,
        fixture("trusted.pub") + fixture("other.pub"),
        SIGNATURE,
        fixture("trusted.key")[:-20],
    ],
)
def test_what_is_no_public_key_is_refused_without_showing_it(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "release.pub"
    path.write_bytes(content)
    assert key_problems(path) == [
        f"{path}: is not a minisign public key; name the .pub file that minisign -G wrote in "
        "models.trusted_keys"
    ]


def test_all_that_is_wrong_with_the_keys_is_told_at_once(tmp_path: Path) -> None:
    missing = tmp_path / "gone.pub"
    problems = key_problems(missing, SIGNED / "trusted.pub", tmp_path)
    assert problems == [
        f"{missing}: there is no such file; put the public key there, or correct "
        "models.trusted_keys",
        f"{tmp_path}: is a directory; name the file in it",
    ]


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_no_key(content: bytes) -> None:
    assert not is_secret_key(content)
    with pytest.raises(ValueError, match="not a minisign public key"):
        parse_public_key(content)


# ---- files and their states ----------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name in ("model.tflite", "model.tflite.minisig"):
        shutil.copy(SIGNED / name, tmp_path / name)
    return tmp_path / "model.tflite"


def beside(model: Path) -> Path:
    return model.with_name("model.tflite.minisig")


def test_a_signature_is_read_from_beside_the_model(model: Path) -> None:
    assert read_signature(model) == SIGNATURE
    beside(model).unlink()
    assert read_signature(model) is None


def test_no_more_than_the_limit_is_read_of_a_signature(model: Path) -> None:
    with beside(model).open("ab") as file:
        file.truncate(1 << 24)
    signature = read_signature(model)
    assert signature is not None
    assert len(signature) < 10_000
    assert refusal(signature=signature).startswith("its signature is over 8,192 bytes")


def test_a_directory_is_no_signature(model: Path) -> None:
    beside(model).unlink()
    beside(model).mkdir()
    with pytest.raises(
        ModelError, match=r"^model\.tflite\.minisig cannot be read: Is a directory; "
    ):
        read_signature(model)


def test_a_pipe_is_no_signature_and_holds_nobody_up(model: Path) -> None:
    beside(model).unlink()
    os.mkfifo(beside(model))
    states: list[str] = []
    reader = threading.Thread(target=lambda: states.append(state_of(model, KEYS)), daemon=True)
    reader.start()
    reader.join(10)
    assert states == ["not a file"]


def test_a_circle_of_links_is_told(model: Path) -> None:
    beside(model).unlink()
    beside(model).symlink_to(beside(model))
    assert state_of(model, KEYS) == "cannot be read: Too many levels of symbolic links"


def test_the_state_of_a_signature_that_holds_tells_key_and_version(model: Path) -> None:
    assert state_of(model, KEYS) == f"valid: key {TRUSTED_ID}, version 12"
    beside(model).write_bytes(fixture("default_comment.minisig"))
    assert state_of(model, KEYS) == f"valid: key {TRUSTED_ID}"


def test_the_states_of_other_signatures(model: Path) -> None:
    assert state_of(model, ()) == "present; no trusted keys given"
    assert state_of(model, OTHER) == f"signed by a key that is not trusted ({TRUSTED_ID})"
    model.write_bytes(b"something else")
    assert state_of(model, KEYS) == "does not fit the file"
    beside(model).write_bytes(b"")
    assert state_of(model, KEYS) == "damaged: it has fewer than 4 lines"
    beside(model).unlink()
    assert state_of(model, KEYS) == "none"


def test_a_model_that_is_not_there_has_no_state(model: Path) -> None:
    model.unlink()
    with pytest.raises(ModelError, match=r"cannot read .*: No such file"):
        state_of(model, KEYS)


# ---- beside the real program ---------------------------------------------------------------------


def minisign(*arguments: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("minisign") is None:
        pytest.skip("the program minisign is not installed: apt-get install minisign")
    command = ["minisign", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_minisign_signs_now_is_verified(tmp_path: Path, legacy: bool) -> None:
    data = bytes(range(256)) * 4000
    model, secret, public = tmp_path / "m.tflite", tmp_path / "s.key", tmp_path / "p.pub"
    model.write_bytes(data)
    assert minisign("-G", "-W", "-s", secret, "-p", public).returncode == 0
    told = ("-t", "café version:3", "-c", "anything")
    done = minisign("-S", *(["-l"] if legacy else []), "-s", secret, *told, "-m", model)
    assert done.returncode == 0, done.stderr
    verified = verify(data, read_signature(model), load_keys([public]), model.name)
    assert (verified.version, verified.trusted_comment) == (3, "café version:3")


def test_what_the_tests_sign_is_verified_by_minisign(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(MODEL)
    model.with_name("m.tflite.minisig").write_bytes(Signer().sign(MODEL, "version: 1"))
    assert minisign("-V", "-p", SIGNED / "trusted.pub", "-m", model).returncode == 0


def test_key_ids_are_shown_as_minisign_shows_them(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(MODEL)
    signature = Signer(key_id=b"\x0b\xad" + bytes(6)).sign(MODEL)
    model.with_name("m.tflite.minisig").write_bytes(signature)
    said = minisign("-V", "-p", SIGNED / "trusted.pub", "-m", model).stderr
    shown = re.findall(r"key id .*? is ([0-9A-F]+)", said)
    assert len(shown) == 2, said
    # minisign 0.12 shows leading zeros, 0.11 does not.
    assert f"({shown[0].lstrip('0')})" in refusal(signature=signature)
    assert shown[1] == TRUSTED_ID
