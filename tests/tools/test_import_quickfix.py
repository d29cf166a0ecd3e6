"""A QuickFIX configuration becomes ours: what it says holds, what can't is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from portcullis.gateway.config import load, parse
from portcullis.gateway.config_schema import Config
from portcullis.gateway.config_sessions import FixClient
from portcullis.tools.import_quickfix import command
from portcullis.tools.quickfix_settings import import_settings

HEAD = """[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort=5001
SenderCompID=EXECUTOR
BeginString=FIX.4.4
"""
CLIENT = "[SESSION]\nTargetCompID=CLIENT1\n"


def convert(tmp_path: Path, text: str) -> tuple[Config, list[str]]:
    """The loaded configuration, and the remarks without the file's name."""
    source, target = tmp_path / "acceptor.cfg", tmp_path / "gateway.toml"
    source.write_text(text)
    result = CliRunner().invoke(command, [str(source), "--output", str(target)])
    assert result.exit_code == 0, result.output
    remarks = [line.removeprefix(f"{source}:") for line in result.stderr.splitlines()]
    return load(target).config, remarks


def session(tmp_path: Path, *settings: str) -> tuple[FixClient, list[str]]:
    config, remarks = convert(tmp_path, HEAD + CLIENT + "\n".join(settings))
    (one,) = config.fix_sessions()
    return one, remarks


def test_an_acceptor_of_few_words_is_taken_over_whole(tmp_path: Path) -> None:
    config, remarks = convert(tmp_path, HEAD + "HeartBtInt=30\n" + CLIENT)
    (one,) = config.fix_sessions()
    assert (one.comp_id, one.client, one.account) == ("EXECUTOR", "CLIENT1", "CLIENT1")
    assert (one.reset_on_logon, one.schedule) == (False, "none")
    assert config.listen.fix == "0.0.0.0:5001"
    assert remarks == []


def test_a_session_goes_before_its_defaults_and_names_have_either_case(tmp_path: Path) -> None:
    text = HEAD + "ResetOnLogon=Y\n" + CLIENT + "resetonlogon=N\n[session]\nTARGETCOMPID=CLIENT2\n"
    first, second = convert(tmp_path, text)[0].fix_sessions()
    assert (first.reset_on_logon, second.reset_on_logon) == (False, True)


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("SendNextExpectedMsgSeqNum=Y", "next_expected", True),
        ("EnableNextExpectedMsgSeqNum=Y", "next_expected", True),
        ("EnableLastMsgSeqNumProcessed=Y", "last_processed", True),
        ("ResendRequestChunkSize=5", "resend_chunk", 5),
        ("LogoutTimeout=4", "logout_timeout", 4_000_000_000),
        ("MaxLatency=60", "sending_time_window", 60_000_000_000),
        ("CheckLatency=N", "sending_time_window", 876_000 * 3_600_000_000_000),
        ("TimeStampPrecision=NANOS", "timestamp", "ns"),
        ("TimestampPrecision=6", "timestamp", "us"),
        ("MillisecondsInTimeStamp=N", "timestamp", "s"),
        ("AllowedRemoteAddresses=10.0.0.1, 10.0.0.2", "addresses", ["10.0.0.1", "10.0.0.2"]),
    ],
)
def test_a_setting_has_its_key(tmp_path: Path, setting: str, key: str, value: object) -> None:
    one, remarks = session(tmp_path, setting)
    assert (getattr(one, key), remarks) == (value, [])


@pytest.mark.parametrize(
    ("settings", "zone", "windows", "resets"),
    [
        ("StartTime=08:00:00\nEndTime=17:00:00", "UTC",
         ["daily 08:00:00-17:00:00"], ["daily 08:00:00"]),
        ("StartTime=00:00:00\nEndTime=00:00:00", "UTC", [], ["daily 00:00:00"]),
        ("StartDay=sunday\nStartTime=17:00:00\nEndDay=fr\nEndTime=16:00:00\nTimeZone=Asia/Tokyo",
         "Asia/Tokyo", ["sun 17:00:00-fri 16:00:00"], ["sun 17:00:00"]),
        ("StartTime=8:30:00 America/New_York\nEndTime=16:00:00\nWeekdays=Mon,Tue,Wednesday",
         "America/New_York", ["mon,tue,wed 08:30:00-16:00:00"], ["mon,tue,wed 08:30:00"]),
    ],
)  # fmt: skip
def test_hours_become_a_schedule_that_resets_when_they_begin(
    tmp_path: Path, settings: str, zone: str, windows: list[str], resets: list[str]
) -> None:
    text = HEAD + settings + "\n" + CLIENT + "[SESSION]\nTargetCompID=CLIENT2\n"
    config, remarks = convert(tmp_path, text)
    (schedule,) = config.schedule  # one, for both
    assert (schedule.timezone, schedule.windows, schedule.resets) == (zone, windows, resets)
    assert {one.schedule for one in config.fix_sessions()} == {schedule.name}
    assert remarks == []


def test_a_session_that_never_stops_has_no_schedule(tmp_path: Path) -> None:
    one, _ = session(tmp_path, "NonStopSession=Y", "StartTime=08:00:00", "EndTime=17:00:00")
    assert one.schedule == "none"


def test_a_dictionary_is_found_beside_the_file(tmp_path: Path) -> None:
    import portcullis.dictionaries

    shipped = Path(portcullis.dictionaries.__file__).with_name("FIX44.xml")
    (tmp_path / "ours.xml").write_bytes(shipped.read_bytes())
    one, remarks = session(tmp_path, "DataDictionary=ours.xml")
    assert (one.dictionary, remarks) == (str(tmp_path / "ours.xml"), [])
    one, remarks = session(tmp_path, "DataDictionary=spec/FIX44.xml")
    assert one.dictionary == "FIX44.xml"
    assert len(remarks) == 1
    assert remarks[0].startswith("8: DataDictionary: no such file")


def test_what_cannot_be_is_named_with_its_line_once_and_without_its_value(tmp_path: Path) -> None:
    text = HEAD + "ResetOnLogout=Y\nSecretKey=hush\n" + CLIENT + CLIENT.replace("1", "2")
    _, remarks = convert(tmp_path, text + "hush hush\nUseDataDictionary=Y\n")
    assert [one.partition(":")[0] for one in remarks] == ["6", "7", "12"]
    assert remarks[1] == "7: SecretKey: not known here"
    assert "hush" not in "".join(remarks) + (tmp_path / "gateway.toml").read_text()


def test_values_that_say_what_we_do_anyway_are_passed_over(tmp_path: Path) -> None:
    settings = ("ResetOnLogout=N", "ResetOnDisconnect=N", "PersistMessages=Y", "CheckCompID=Y")
    assert session(tmp_path, *settings)[1] == []


def test_initiators_other_versions_and_second_ports_are_left_out_and_named(tmp_path: Path) -> None:
    text = HEAD + CLIENT
    text += "[SESSION]\nTargetCompID=A\nConnectionType=initiator\n"
    text += "[SESSION]\nTargetCompID=B\nBeginString=FIX.4.2\n"
    text += "[SESSION]\nTargetCompID=C\nSocketAcceptPort=5002\n"
    text += CLIENT
    config, remarks = convert(tmp_path, text)
    assert [one.client for one in config.fix_sessions()] == ["CLIENT1", "C"]
    assert [one.partition(":")[0] for one in remarks] == ["10", "13", "16", "18"]


def test_numbers_and_paths_of_any_length_are_named_and_not_tripped_over(tmp_path: Path) -> None:
    digits, path = "9" * 5000, "a" * 5000
    names = ("LogonTimeout", "LogoutTimeout", "ResendRequestChunkSize", "DataDictionary")
    settings = "".join(f"{name}={digits if 'T' in name else path}\n" for name in names)
    imported = import_settings(HEAD.replace("5001", digits) + settings + CLIENT, [tmp_path])
    assert [remark.line for remark in imported.remarks] == [3, 6, 7, 8, 9]
    assert all(len(remark.text) < 80 for remark in imported.remarks)


def test_a_section_that_nobody_knows_is_named_without_its_text(tmp_path: Path) -> None:
    _, remarks = convert(tmp_path, HEAD + CLIENT + "[hush hush]\nPassword=hush\n")
    assert remarks == ["8: section: expected [DEFAULT] or [SESSION]"]
    assert "hush" not in (tmp_path / "gateway.toml").read_text()


def test_a_template_stands_as_a_comment_for_it_needs_a_function(tmp_path: Path) -> None:
    template = "[SESSION]\nTargetCompID=*\nAcceptorTemplate=Y\nResetOnLogon=Y\n"
    config, remarks = convert(tmp_path, HEAD + CLIENT + template)
    assert [one.client for one in config.fix_sessions()] == ["CLIENT1"]
    assert [one.partition(": it stands")[0] for one in remarks] == [
        "9: TargetCompID: a template needs a function of yours, see docs/sessions.md"
    ]
    text = (tmp_path / "gateway.toml").read_text()
    assert '# client = "*"\n' in text
    # Taken out of the comment it is what a template has to be, but for the function.
    block = text[text.index("# [[session]]") :].replace("# ", "")
    assert parse(block.replace("MODULE:FUNCTION", "gate:ask"), "mine").fix_sessions() == []


def test_tls_is_taken_over_where_its_files_are_pem(tmp_path: Path) -> None:
    for name in ("server.pem", "server.key", "ca.pem"):
        (tmp_path / name).write_text("")
    names = "ServerCertificateFile=server.pem\nServerCertificateKeyFile=server.key\n"
    names += "CertificationAuthoritiesFile=ca.pem\n"
    imported = import_settings(HEAD + names + CLIENT, [tmp_path])
    assert imported.tables["listen"] == {"fix_tls": "0.0.0.0:5001"}
    assert imported.tables["tls"]["certificate"] == str(tmp_path / "server.pem")
    assert imported.tables["tls"]["client_certificates"] == "optional"
    assert imported.sessions[0]["tls"] is True
    plain = import_settings(HEAD + "SocketUseSSL=Y\nSocketKeyStore=a.jks\n" + CLIENT, [tmp_path])
    assert "tls" not in plain.sessions[0]
    assert [remark.name for remark in plain.remarks] == ["SocketUseSSL", "SocketKeyStore"]


def test_a_file_without_a_session_for_us_ends_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "initiator.cfg"
    source.write_text(HEAD.replace("acceptor", "initiator") + CLIENT)
    result = CliRunner().invoke(command, [str(source)])
    assert result.exit_code == 1
    assert "no session that can be taken over" in result.stderr


def test_without_output_the_document_goes_to_standard_output(tmp_path: Path) -> None:
    source = tmp_path / "acceptor.cfg"
    source.write_text(HEAD + CLIENT)
    result = CliRunner().invoke(command, [str(source)])
    assert result.stdout.startswith("# From acceptor.cfg")
    assert '[[session]]\nprotocol = "fix"' in result.stdout


def test_a_zone_that_is_a_folder_of_zones_is_named_and_not_tripped_over() -> None:
    text = (
        "[SESSION]\nBeginString=FIX.4.4\nSenderCompID=A\nTargetCompID=B\nSocketAcceptPort=5001\n"
        "StartTime=08:00:00\nEndTime=17:00:00\nTimeZone=America\n"
    )
    (remark,) = import_settings(text, ()).remarks
    assert (remark.line, remark.name) == (8, "TimeZone")
