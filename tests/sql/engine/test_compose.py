"""docker-compose.yml and its files, as far as they can be checked without an engine for containers."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import yaml
from server import free_port
from support import PROJECT

from rag.serve.limits import Limits
from sql.base.settings import read_settings
from sql.engine.location import parse_location

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KNOWN_KEYS = {
    "image", "profiles", "networks", "environment", "ports", "volumes", "ulimits", "healthcheck", "depends_on", "restart",
    "build", "secrets", "read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit", "stop_grace_period",
}  # fmt: skip  # of the compose specification, those used here
PASSWORD = "chosen1"  # noqa: S105


def test_the_profiles_are_one_server_a_cluster_myscale_and_the_application() -> None:
    profiles: dict[str, list[str]] = {}
    for name, service in SERVICES.items():
        assert set(service) <= KNOWN_KEYS, name
        for profile in service["profiles"]:
            profiles.setdefault(profile, []).append(name)
    assert profiles == {
        "app": ["clickhouse", "app"],
        "clickhouse": ["clickhouse"],
        "cluster": ["keeper", "shard1a", "shard1b", "shard2a", "shard2b"],
        "myscale": ["myscale"],
    }


def test_every_image_is_pinned_every_port_is_on_loopback_and_used_once() -> None:
    ports = []
    for service in SERVICES.values():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?", service["image"])
        ports += service.get("ports", [])
        if "build" not in service:  # the image that is built here has its own
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:(8123|8000)", port) for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports) == 7


def test_every_mounted_file_and_volume_is_there() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service["volumes"]]
    for source, target, *mode in mounts:
        assert target.startswith("/")
        if source.startswith("./"):
            assert (PROJECT / source).is_file()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
    named = [source for source, *_ in mounts if not source.startswith("./")]
    assert sorted(named) == sorted(COMPOSE["volumes"])


def test_there_is_no_default_password_and_every_variable_of_a_file_is_given() -> None:
    for name, service in SERVICES.items():
        files = [mount.split(":")[0] for mount in service["volumes"] if mount.startswith("./")]
        wanted = {word for file in files for word in re.findall(r'from_env="(\w+)"', (PROJECT / file).read_text())}
        given = service.get("environment", {})
        assert wanted <= set(given), name
        for variable, value in given.items():
            if "PASSWORD" in variable:
                assert re.fullmatch(r"\$\{RAG_PASSWORD:\?[^}]+\}", value)


def test_the_application_reads_as_the_reader_and_its_token_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    app = SERVICES["app"]
    assert app["depends_on"] == {"clickhouse": {"condition": "service_healthy"}}
    given = {name: re.sub(r"\$\{RAG_PASSWORD:\?[^}]+\}", PASSWORD, value) for name, value in app["environment"].items()}
    place = parse_location(given["RAG_DB"])
    assert place.server is not None
    assert (place.server.username, place.server.hosts) == ("reader", (("clickhouse", 8123),))
    assert PASSWORD not in str(place)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert read_settings().token == f"@/run/secrets/{app['secrets'][0]}"
    assert app["secrets"] == ["rag_token"]
    assert COMPOSE["secrets"]["rag_token"] == {"environment": "RAG_TOKEN"}  # none is written here


def test_the_application_may_write_nothing_but_its_volumes_and_gets_the_time_to_end() -> None:
    app = SERVICES["app"]
    assert (app["read_only"], app["cap_drop"], app["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert app["tmpfs"] == ["/tmp"]  # noqa: S108
    assert int(app["stop_grace_period"].removesuffix("s")) > Limits().seconds


def test_the_cluster_is_two_shards_of_two_replicas_that_are_services_and_know_keeper() -> None:
    root = ElementTree.parse(PROJECT / "docker" / "cluster.xml").getroot()  # noqa: S314
    shards = [
        [host.text for host in shard.iter("host")] for shard in root.iter("shard") if shard.find("replica") is not None
    ]
    assert shards == [["shard1a", "shard1b"], ["shard2a", "shard2b"]]
    for number, shard in enumerate(shards, start=1):
        for host in shard:
            assert host is not None
            assert SERVICES[host]["environment"]["RAG_SHARD"] == str(number)
            assert SERVICES[host]["environment"]["RAG_REPLICA"] == host[-1]
    keeper = root.find("zookeeper/node")
    assert keeper is not None
    assert keeper.findtext("host") in SERVICES
    own = ElementTree.parse(PROJECT / "docker" / "keeper.xml").getroot()  # noqa: S314
    assert own.findtext("keeper_server/tcp_port") == keeper.findtext("port")


SERVE = """
import os, sys
import chdb._chdb as engine
home = sys.argv[1]
os.chdir(home)
os.rename("late.xml", "config.xml")
engine.query(f"SYSTEM START LISTEN HTTP; SELECT * FROM file('{home}/stop', 'LineAsString')", "TabSeparated", path=home + "/data")
"""


def test_a_real_engine_loads_the_users_and_lets_each_do_its_part(tmp_path: Path) -> None:
    """The users file and the cluster file of the containers, merged as the server in them would."""
    import os
    import urllib.request

    port = free_port()
    (tmp_path / "data").mkdir()
    (tmp_path / "users.d").mkdir()
    (tmp_path / "users.xml").write_text(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>"
        "<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users></clickhouse>"
    )
    (tmp_path / "users.d" / "rag.xml").write_text((PROJECT / "docker" / "users.xml").read_text())
    cluster = (PROJECT / "docker" / "cluster.xml").read_text()
    # No Keeper is there, and the engine would wait for one.
    cluster = re.sub(r"<zookeeper>.*?</zookeeper>", "", cluster, flags=re.DOTALL)
    inner = cluster[cluster.index("<clickhouse>") + len("<clickhouse>") : cluster.index("</clickhouse>")]
    (tmp_path / "late.xml").write_text(
        f"<clickhouse><path>{tmp_path}/data/</path><listen_host>127.0.0.1</listen_host><http_port>{port}</http_port>"
        "<user_directories><users_xml><path>users.xml</path></users_xml></user_directories>"
        f"<logger><level>warning</level><console>1</console></logger>{inner}</clickhouse>"
    )
    os.mkfifo(tmp_path / "stop")
    environment = os.environ | {"RAG_PASSWORD": PASSWORD, "RAG_SHARD": "1", "RAG_REPLICA": "a"}

    def ask(user: str, sql: str) -> str:
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": PASSWORD}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", sql.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return str(answer.read().decode()).strip()
        except urllib.error.HTTPError as error:
            return str(error.read().decode())

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path)], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                assert ask("reader", "SELECT 1") == "1"
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert ask("maintainer", "CREATE DATABASE rag") == ""
        assert ask("maintainer", "CREATE TABLE rag.t (a UInt8) ENGINE = MergeTree ORDER BY a") == ""
        assert ask("writer", "INSERT INTO rag.t VALUES (1)") == ""
        assert ask("reader", "SELECT a FROM rag.t") == "1"
        assert "ACCESS_DENIED" in ask("writer", "DELETE FROM rag.t WHERE a = 1")
        assert "ACCESS_DENIED" in ask("reader", "INSERT INTO rag.t VALUES (2)")
        assert "ACCESS_DENIED" in ask("writer", "CREATE DATABASE other")
        assert ask("maintainer", "SELECT count() FROM system.clusters WHERE cluster = 'rag'") == "4"
        assert ask("reader", "SELECT getSetting('distributed_product_mode')") == "local"
    finally:
        process.kill()
        process.wait()


def test_the_documented_rights_are_those_of_the_users_file() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text()
    documented = re.findall(r"^GRANT (.+) TO (\w+);$", page, re.MULTILINE)
    root = ElementTree.parse(PROJECT / "docker" / "users.xml").getroot()  # noqa: S314
    for_a_cluster = (
        "rag_all_documents",
        "rag_local.*",
        "ReplicatedMergeTree",
        "Distributed",
        "system.clusters",
        "REMOTE",
    )
    configured = [
        (str(query.text).removeprefix("GRANT "), user.tag)
        for user in root.iterfind("users/*")
        for query in user.iterfind("grants/query")
        if not any(word in str(query.text) for word in for_a_cluster)
    ]
    assert documented == configured
