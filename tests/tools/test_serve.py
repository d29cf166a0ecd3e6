"""`portcullis serve` where it does not get as far as serving, and its exit codes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from portcullis.gateway.config import ConfigError
from portcullis.gateway.config_values import Address
from portcullis.gateway.listener import begin, listen
from portcullis.tools.gateway_process import CONFIG, free_port
from tests.support.gateway_process import GatewayProcess

TIMEOUT_S = 60.0


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "portcullis.tools.main", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)


def test_a_wrong_key_ends_the_start_with_one_line_and_code_2(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[listen]\nfxi = "127.0.0.1:0"\n')
    ended = serve("--config", str(path), "--data", str(tmp_path / "data"))
    assert ended.returncode == 2
    assert ended.stderr == (
        f"portcullis: {path}: [listen] key fxi: unknown; "
        "did you mean fix? expected one of fix, fix_tls, ouch, control\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('dictionary = "NONE.xml"', "NONE.xml"),
        ('password_file = "none"', "key password_file"),
        ('password_hash = "plain"', "key password_hash: expected a hash"),
    ],
)
def test_what_a_session_names_has_to_be_there(tmp_path: Path, line: str, said: str) -> None:
    config = CONFIG.replace('client = "CLIENT1"', f'client = "CLIENT1"\n{line}')
    path = tmp_path / "gateway.toml"
    path.write_text(config.replace("{port}", "0"))
    ended = serve("--config", str(path), "--data", str(tmp_path / "data"))
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"portcullis: {path}: [[session]] 1 ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_damaged_journal_ends_the_start_with_its_row_and_code_3(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path) as gateway:
        gateway.stop()
        segment = gateway.data / "0000000001.journal"
        octets = bytearray(segment.read_bytes())
        octets[4096 + 128 + 40] ^= 0xFF  # within row 2, with batches behind it
        segment.write_bytes(octets)
        with pytest.raises(RuntimeError, match="did not start"):
            gateway.start()
        assert gateway.wait() == 3
        said = gateway.log.read_text().splitlines()[-1]
        assert said.startswith("portcullis: ")
        assert "row 1 is damaged" in said
        assert "--accept-loss" in said


def test_a_data_directory_that_cannot_be_one_is_named_in_words(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.replace("{port}", "0"))
    ended = serve("--config", str(config), "--data", str(path))
    assert ended.returncode == 3
    assert ended.stderr == f"portcullis: {path} can't hold the gateway's data: File exists\n"


@pytest.mark.parametrize("name", ["operator.sock", "control.sock"])
def test_a_folder_in_a_sockets_place_ends_the_start_with_its_name(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    ended = serve("--data", str(tmp_path), "--config", configured(tmp_path))
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"portcullis: {tmp_path / name} is a folder")
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".journal"] == []


def test_the_file_that_can_not_be_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0000000001.journal"
    path.mkdir()
    ended = serve("--data", str(tmp_path), "--config", configured(tmp_path))
    assert ended.returncode == 3
    assert ended.stderr == f"portcullis: {path} can't hold the gateway's data: Is a directory\n"


def configured(directory: Path) -> str:
    """A configuration's path; of ports that are free."""
    path = directory / "gateway.toml"
    path.write_text(CONFIG.replace("{port}", "0"))
    return str(path)


def test_of_two_that_start_at_one_moment_one_serves_and_the_other_says_why_not(
    tmp_path: Path,
) -> None:
    config = tmp_path / "gateway.toml"
    address = f"127.0.0.1:{free_port()}"
    config.write_text(CONFIG.replace("127.0.0.1:{port}", address))
    command = [sys.executable, "-m", "portcullis.tools.main", "serve", "--config", str(config)]
    both = [
        subprocess.Popen([*command, "--data", str(tmp_path / name)], stderr=subprocess.PIPE)
        for name in ("one", "other")
    ]
    try:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not (ended := [one for one in both if one.poll() is not None]):
            assert time.monotonic() < deadline_s, "both serve"
        assert [one.returncode for one in ended] == [2]
        assert ended[0].stderr is not None
        said = ended[0].stderr.read().decode().splitlines()[-1]
        assert said == f"portcullis: cannot listen on {address}: Address already in use"
    finally:
        for one in both:
            with one:
                one.kill()


def test_an_address_that_two_have_taken_is_the_one_s_who_listens_first() -> None:
    first = listen(Address("127.0.0.1:0"))
    place = "{}:{}".format(*first.getsockname())
    with first, listen(Address(place)) as second:
        begin(first)
        with pytest.raises(ConfigError, match=f"cannot listen on {place}: Address already in use"):
            begin(second)
        begin(first)
