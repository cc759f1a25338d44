"""What `--db` may say: folders and servers, and that no password is ever shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands_here import run_main
from support import run_python

from sql.base.errors import StoreError, UsageError
from sql.engine.location import Server, parse_location
from sql.engine.lock import this_process
from sql.store import Store


def server_of(text: str) -> Server:
    server = parse_location(text).server
    assert server is not None
    return server


def test_a_folder_is_a_folder_in_every_spelling() -> None:
    for text in ("x/y", "chdb://x/y", "chdb://x%2Fy"):
        assert (parse_location(text).folder, parse_location(text).server) == (Path("x/y"), None)
    assert parse_location("~/x").folder == Path.home() / "x"


def test_a_dsn_names_host_port_user_password_and_database() -> None:
    server = server_of("clickhouse://ann:s%C3%A9cret%40%2F@example.org:1234/lib%20rary")
    assert (server.hosts, server.username, server.password) == ((("example.org", 1234),), "ann", "sécret@/")
    assert (server.database, server.secure, server.timeout) == ("lib rary", False, 60)


@pytest.mark.parametrize(
    ("text", "hosts", "secure"),
    [
        ("clickhouse://h", (("h", 8123),), False),
        ("clickhouses://h/db", (("h", 8443),), True),
        ("https://h/db", (("h", 8443),), True),
        ("http://[::1]:99/db", (("::1", 99),), False),
        ("clickhouse:///db", (("127.0.0.1", 8123),), False),
        ("clickhouse://a:b@one:1,two:2,three/db", (("one", 1), ("two", 2), ("three", 8123)), False),
    ],
)
def test_what_a_dsn_leaves_out_has_a_default(text: str, hosts: tuple[tuple[str, int], ...], secure: bool) -> None:
    server = server_of(text)
    assert (server.hosts, server.secure) == (hosts, secure)


def test_options_stand_behind_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    server = server_of(f"clickhouses://h/db?verify=0&ca_cert={tmp_path}/ca.pem&timeout=2.5&connect_timeout=1&cluster=c")
    assert (server.verify, server.ca_cert, server.timeout) == (False, f"{tmp_path}/ca.pem", 2.5)
    assert (server.connect_timeout, server.cluster, server.replicated) == (1.0, "c", False)
    assert server_of("myscale://h/db").dialect == server_of("clickhouse://h/db?dialect=myscale").dialect == "myscale"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysql://host/db", "mysql://... is not known: give a folder or one of chdb://, clickhouse://"),
        (
            "clickhouse:/a:p/w@h/db",
            "clickhouse:... lacks the // behind clickhouse: write clickhouse://..., or ./clickhouse:",
        ),
        ("MyScales:h/db", "MyScales:... lacks the // behind MyScales: write myscales://"),
        ("chdb:/folder", "chdb:... lacks the // behind chdb: write chdb://"),
        ("http://host:port/db", "cannot be read"),
        ("clickhouse://[host/db", "cannot be read"),
        ("clickhouse://a:p/w@h/db", "percent-encoding"),
        ("clickhouse://one,,two/db", "cannot be read"),
        ("clickhouse://h/db?tiemout=3", "tiemout= is not known: the options are verify, ca_cert"),
        ("clickhouse://h/db?timeout=soon", "timeout=soon is not a number of seconds"),
        ("clickhouse://h/db?timeout=0", "timeout= is a number of seconds, more than 0"),
        ("clickhouse://h/db?timeout=nan", "timeout= is a number of seconds, more than 0"),
        ("clickhouse://h/db?timeout=1&timeout=2", "timeout= is given twice"),
        ("clickhouse://h/db?verify=maybe", "verify=maybe is neither 1 nor 0"),
        ("clickhouse://h/db?ca_cert=/nowhere.pem", "there is no such file"),
        ("clickhouse://h/db?password=x", "password= is not known"),
        ("clickhouse://h/db?dialect=oracle", "dialect= is one of clickhouse, myscale"),
        ("clickhouse://h/db?replicated=1", "needs \\?cluster=NAME"),
        ("myscale://h/db?cluster=c", "cluster= is for ClickHouse"),
    ],
)
def test_a_location_that_cannot_be_read_is_a_usage_error_that_says_why(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"--db .*{message}") as caught:
        parse_location(text)
    assert "p/w" not in str(caught.value)


def test_a_password_is_in_no_text_form_of_a_location() -> None:
    location = parse_location("clickhouse://ann:s%C3%A9cret@127.0.0.1:1/library?timeout=3")
    for text in (str(location), repr(location), f"{location}", str(location.server), repr(location.server)):
        assert "s%C3%A9cret" not in text
        assert "sécret" not in text
        assert "127.0.0.1" in text
    assert str(location) == "clickhouse://127.0.0.1:1/library"


def test_no_error_of_a_server_that_is_not_there_holds_the_password() -> None:
    with pytest.raises(StoreError, match="nothing listens there") as caught:
        Store.open("clickhouse://ann:s%C3%A9cret@127.0.0.1:1/library")
    assert "cret" not in str(caught.value)


def test_no_traceback_help_text_or_lock_shows_the_password(tmp_path: Path) -> None:
    dsn = "clickhouse://ann:s%C3%A9cret@127.0.0.1:1/library"
    finished = run_main("sql", "SELECT 1", "--db", dsn, "--debug")
    assert finished.returncode == 1
    assert "Traceback" in finished.stderr
    assert "cret" not in finished.stderr + finished.stdout
    program = (
        "import json, sys; sys.path.insert(0, '.');"
        "from sql.engine.lock import this_process; print(json.dumps(this_process()))"
    )
    record = json.loads(run_python("-c", program, "--db", dsn).stdout)
    assert "cret" not in record["command"]
    assert "127.0.0.1:1/library" in record["command"]
    assert this_process()["pid"] == os.getpid()


@pytest.mark.parametrize("text", ["./clickhouse:8123", "clickhouse", "host:8123", "clickhouse-2024:a"])
def test_a_folder_may_have_a_colon_in_its_name(text: str) -> None:
    assert parse_location(text).server is None


def test_a_store_whose_folder_cannot_be_reached_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"cannot be reached \(File name too long\): give --db a folder that this user"
    ):
        parse_location("a" * 300).require_store()
    (tmp_path / "theirs" / "data").mkdir(parents=True)
    (tmp_path / "theirs").chmod(0)
    without_rights = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
    ]  # root without its right to read everything
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root reads every folder")
    program = "import sys; from sql.engine.location import parse_location; parse_location(sys.argv[1]).require_store()"
    command = [sys.executable, "-c", program, str(tmp_path / "theirs")]
    finished = subprocess.run(
        [*without_rights, *command] if os.geteuid() == 0 else command, capture_output=True, text=True, check=False
    )
    (tmp_path / "theirs").chmod(0o700)
    assert finished.stderr.splitlines()[-1].endswith(
        f"the store {tmp_path}/theirs cannot be reached (Permission denied): give --db a folder that this user can read"
    )
