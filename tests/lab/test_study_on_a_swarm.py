"""One study on a real swarm from the first `apply` to `destroy`: computed, seen, changed, broken, guarded, gone.

The tests are the chapters of one session on one stack, in this order. tests/lab/faults has the other faults.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import secrets
import shlex
import shutil
import signal
import urllib.request
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from lab import Host, Lab
from lab.studies import CACHE, Following, Project, everywhere, jobs_that_wait, standing

pytestmark = pytest.mark.timeout(600)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
INFLUX = {"influxdb": {"database": "cloudburst"}}
TANKS = ("tank_1", "tank_2", "tank_3")
POINTS = 673
"""In each series of Net3: a week in steps of 15 minutes, and its beginning."""

SERVICES = {"queue", "files", "controller", "gateway", "worker", "influxdb", "grafana", "dashboard"}
OF_ONE_RUN = {"attempts", "started", "seconds", "worker"}
"""The columns of a table that two runs of the same jobs need not have in common."""

HUSH = "hush-hush-4711"
"""What the study's own secret variable holds."""

JOBS = """
import time
from pathlib import Path

def work(n, pause, journal):
    with open(journal, "a") as file:
        file.write(f"{n}\\n")
    time.sleep(pause)
    Path("note.txt").write_text(f"{n}\\n")
    track = {"time": [0, 60], "value": [n, 2 * n]}
    return {"square": n * n, "code": CODE, "track": track, "note": Path("note.txt")}

CODE = "first"
"""


# ── the session's study ──────────────────────────────────────────────────────────────────────
def net3_spec() -> dict[str, Any]:
    """The example as it is in the repository, with half its replicates, InfluxDB and a secret variable."""
    spec: dict[str, Any] = yaml.safe_load((EXAMPLES / "ensemble.yaml").read_text())
    spec["parameters"]["replicates"]["n"] = 5
    spec["worker"] |= {"env": ["HUSH"], "stop_grace": "5s"}
    spec["cluster"] |= {"slots": 2, "dashboards": {"queue": True}}
    spec["results"] = [{"table": {"path": "results/table.csv"}}, INFLUX]
    return spec


def waiting_spec(name: str, count: int, pause: float) -> dict[str, Any]:
    """Jobs that wait, with a series and a file each, for the same stack."""
    spec = jobs_that_wait(name, count, pause, env=["HUSH"])
    spec["cluster"] = net3_spec()["cluster"]
    spec["results"] += [INFLUX, {"files": {"path": "results/files"}}]
    return spec


@pytest.fixture(scope="module", autouse=True)
def _hush() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUSH", HUSH)
        yield


@pytest.fixture(scope="module")
def study(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    place = tmp_path_factory.mktemp("here")
    left_out = shutil.ignore_patterns("__pycache__", "results", ".cloudburst")
    shutil.copytree(EXAMPLES / "net3", place / "net3", ignore=left_out)
    hosts = lab.hosts
    with standing(Project(lab, place, f"session-{secrets.token_hex(3)}")) as project:
        project.write(net3_spec())
        yield project
        project.end()
        lab.mend()
        for added in set(lab.hosts) - set(hosts):
            lab.remove_worker(added)


@pytest.fixture(scope="module")
def under_way(study: Project) -> Following:
    """A run of jobs that wait, on all three workers, which goes on from test to test."""
    study.forget_begun()
    study.write(waiting_spec(study.name, 1200, 0.4), {"jobs.py": JOBS})
    following = Following(study.start("apply", "--json"))
    following.until_done(60)
    return following


# ── computed, and computed once ──────────────────────────────────────────────────────────────
def test_the_example_gives_bit_for_bit_what_it_gives_on_one_machine(study: Project, tmp_path: Path) -> None:
    study.run("apply")
    here = study.elsewhere(tmp_path, provider="local")
    spec = net3_spec()
    here.write({**spec, "results": spec["results"][:1]})
    here.run("apply")
    assert len(study.table()) == 5 * 4 * 5
    assert {row["status"] for row in study.table()} == {"done"}
    assert computed(study) == computed(here)
    assert series(study) == series(here)
    nodes = {row["worker"].split("/")[0] for row in study.table()}
    assert nodes <= {host.name for host in study.lab.workers}, "whoever had built its environment soon enough"


def test_every_point_is_stored_in_the_bundled_influxdb(study: Project) -> None:
    with opened(study, "influxdb") as page:
        stored = {name: count(page, name, "value") for name in TANKS}
        assert stored == dict.fromkeys(TANKS, 100 * POINTS)
        assert count(page, "outputs", "lowest_pressure") == 100
        wanted = list(csv.DictReader(io.StringIO(study.run("results", "--series", "tank_1"))))
        first = wanted[0]["id"]
        query = f"SELECT value FROM tank_1 WHERE id = '{first}'"
        assert [value for _, value in points(page, query)] == [
            float(row["value"]) for row in wanted if row["id"] == first
        ]
    (sink,) = study.status()["run"]["sinks"]
    assert (sink["points"], sink["waiting"], sink["problem"]) == (100 * (3 * POINTS + 1), 0, "")


def test_the_stand_in_for_grafana_answers_behind_the_gateway(study: Project) -> None:
    with opened(study, "grafana") as page:
        answer = json.loads(page.get())
    assert answer["stub"] == "grafana"
    assert answer["user"] == "cloudburst"


def test_the_queues_dashboard_shows_itself_to_who_has_the_pages_credential(study: Project) -> None:
    with opened(study, "queue") as page:
        assert "<title>RQ dashboard</title>" in page.get()


def test_applied_again_no_task_restarts_and_no_job_runs(study: Project) -> None:
    before = study.tasks()
    assert {name.split(".")[0].removeprefix(f"{study.stack}_") for name in before.values()} == SERVICES
    assert "Nothing to do: 100 jobs done before." in study.said("apply")
    assert study.tasks() == before


def test_another_machine_with_the_file_alone_sees_it_all(study: Project, tmp_path: Path) -> None:
    other = study.elsewhere(tmp_path)
    assert other.status()["counts"]["done"] == 100
    assert other.run("results") == study.run("results")
    job = json.loads(other.run("logs", "row:0", "--json"))
    assert job["id"] == study.table()[0]["id"]
    assert [attempt["status"] for attempt in job["attempts"]] == ["done"]
    assert other.run("results", "--series", "tank_2") == study.run("results", "--series", "tank_2")


# ── guarded ──────────────────────────────────────────────────────────────────────────────────
def test_every_node_answers_on_ssh_and_the_swarms_own_ports_and_nothing_else(study: Project) -> None:
    ssh, swarm, gossip, overlay = 22, 2377, 7946, 4789
    for host in study.lab.hosts:
        of_swarm = (swarm, gossip) if host == study.lab.manager else (gossip,)
        assert host.reachable_ports() == (ssh,)
        assert host.reachable_ports(host.private_address) == (ssh, *of_swarm)
        assert listening(host, "--udp") <= {gossip, overlay}


def test_no_way_leads_from_another_node_to_a_containers_own_address(study: Project) -> None:
    manager, other = study.lab.manager, study.lab.workers[0]
    for service, port in (("gateway", 8080), ("controller", 8080), ("influxdb", 8086), ("grafana", 3000)):
        address = address_of(study, service)
        route = f"{address}/32 via {manager.private_address}"
        asked = f"curl -s -o /dev/null -w '%{{http_code}}' -m 2 http://{address}:{port}/"
        assert manager.sh(asked) != "000"
        assert other.sh(f"trap 'ip route del {route}' EXIT; ip route add {route}; {asked} || true") == "000"


def test_no_service_answers_a_request_without_its_credential(study: Project) -> None:
    manager = study.lab.manager
    paths = (
        *("/", "/metrics", "/api/status", "/api/rows", "/api/ledger", f"/files/payload/{'0' * 64}"),
        *("/grafana/", "/queue/", "/visualizer/", "/influxdb/query?q=SHOW+DATABASES", "/nothing"),
    )
    refused = {("gateway", 8080, path) for path in paths}
    refused |= {("controller", 8080, path) for path in paths[:5]}
    refused |= {("files", 8080, f"/{area}/{'0' * 64}") for area in ("files/payload", "files/results")}
    refused |= {("influxdb", 8086, f"/query?{urlencode({'q': 'SHOW DATABASES'})}")}
    refused |= {("influxdb", 8086, "/query?db=cloudburst&q=DROP+DATABASE+cloudburst")}
    refused |= {("dashboard", 9181, "/queue/"), ("grafana", 3000, "/grafana/")}
    addresses = {
        service: address_of(study, service) for service in ("queue", *{one for one, _, _ in refused})
    }
    asked = {where: f"http://{addresses[where[0]]}:{where[1]}{where[2]}" for where in sorted(refused)}
    for header in ("X-Nothing: here", "Authorization: Bearer nothing", "Authorization: Basic bm86bm8="):
        for where, url in asked.items():
            if where[0] == "grafana" and "Basic" in header:
                continue  # its stand-in asks for a name and knows no password
            shown = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "10", "-H", header, url)
            assert manager.sh(shlex.join(shown)) == "401", (where, header)
    wrong = ("AUTH nothing", "AUTH default nothing", "PING", "KEYS *", "CONFIG GET *", "REPLICAOF NO ONE")
    for command in wrong:
        assert redis_says(manager, addresses["queue"], command).startswith(("-NOAUTH", "-WRONGPASS")), command


def test_a_worker_reaches_the_queue_and_the_gateway_and_no_other_service(study: Project) -> None:
    names = sorted(SERVICES - {"worker"})
    script = f"""
import socket, json
def there(name):
    try:
        return bool(socket.gethostbyname(name))
    except OSError:
        return False
print(json.dumps([name for name in {names!r} if there(name)]))
"""
    host = study.lab.workers[0]
    assert json.loads(study.inside("worker", "python3", "-c", script, host=host)) == ["gateway", "queue"]


def test_no_secret_is_in_inspections_logs_process_lists_the_stack_or_the_plan(study: Project) -> None:
    values = secret_values(study)
    assert len(values) >= 9
    said = everywhere(study.lab, lambda host: host.sh(CONTAINERS_AND_PROCESSES))
    manager = study.lab.manager
    said["services"] = manager.sh(SERVICES_AND_TASKS.format(stack=study.stack))
    said["configs"] = "".join(configs(study))
    said["service logs"] = manager.sh(SERVICE_LOGS.format(stack=study.stack))
    said["plan"] = study.run("plan", "--json")
    said["status"] = study.run("status", "--json")
    assert all("python3" in said[host.name] for host in study.lab.hosts)
    assert f"{study.stack}_worker" in said["services"]
    assert "services:" in said["configs"]
    found = [(where, name) for where, text in said.items() for name, value in values if value in text]
    assert found == []


# ── changed ──────────────────────────────────────────────────────────────────────────────────
def test_new_rows_are_computed_and_old_ones_are_not(study: Project) -> None:
    study.write(waiting_spec(study.name, 40, 0), {"jobs.py": JOBS})
    assert Following(study.start("apply", "--json")).finish()["done"] == 40
    before = study.tasks()
    study.write(waiting_spec(study.name, 50, 0))
    ended = Following(study.start("apply", "--json")).finish()
    assert (ended["done"], ended["recorded"]) == (10, 40)
    assert study.begun() == Counter(range(1, 51))
    assert study.tasks() == before


def test_a_changed_worker_file_is_new_code_and_restarts_no_task(study: Project) -> None:
    before = study.tasks()
    study.write(waiting_spec(study.name, 50, 0), {"jobs.py": JOBS.replace('"first"', '"second"')})
    study.run("apply")
    assert {row["code"] for row in study.table()} == {"second"}
    assert {row["status"] for row in study.table()} == {"done"}
    assert study.tasks() == before


# ── broken ───────────────────────────────────────────────────────────────────────────────────
def test_a_node_that_joins_in_the_middle_takes_jobs(study: Project, under_way: Following) -> None:
    added = study.lab.add_worker()
    under_way.until(works(added), f"{added.name} took a job")


def test_a_killed_worker_starts_again_without_a_network(study: Project, under_way: Following) -> None:
    victim = study.lab.workers[0]
    victim.block_egress()
    old = study.container("worker", victim)
    study.kill("worker", victim)
    under_way.until(lambda status: not works(victim)(status), f"{victim.name} was missed")
    under_way.until(works(victim), f"{victim.name} took a job again")
    assert study.container("worker", victim) != old


def test_a_killed_queue_comes_back_with_what_it_knew(study: Project, under_way: Following) -> None:
    old = study.container("queue")
    study.kill("queue")
    done = under_way.events[-1]["status"]["done"]
    under_way.until(lambda status: status["done"] > done + 30, "30 jobs more were done")
    assert study.container("queue") != old


def test_after_a_power_loss_too_nothing_is_lost_and_nothing_is_there_twice(
    study: Project, under_way: Following
) -> None:
    victim = study.lab.workers[1]
    recorded, begun = study.recorded(), study.begun()
    victim.power_off()
    ended = under_way.finish()
    assert (ended["state"], ended["done"], ended["failed"]) == ("finished", 1200, 0)
    study.lab.mend()

    table = study.table()
    assert [int(row["n"]) for row in table] == list(range(1, 1201))
    assert all(row["status"] == "done" and int(row["square"]) == int(row["n"]) ** 2 for row in table)
    assert {row["worker"].split("/")[0] for row in table} == {host.name for host in study.lab.workers}
    again = study.begun()
    assert set(again) == set(range(1, 1201))
    assert {n for n in begun if n - 1 in recorded and again[n] > begun[n]} == set()

    kept = {int(file.read_text()) for file in study.place.glob("results/files/*/note.txt")}
    assert kept == set(range(1, 1201))
    with opened(study, "influxdb") as page:
        stored = points_by_job(page, "track")
    assert {row["id"]: stored.get(row["id"]) for row in table} == {row["id"]: 2 for row in table}


def test_the_node_that_joined_may_leave_again(study: Project) -> None:
    added = study.lab.workers[-1]
    study.lab.remove_worker(added)
    assert "Nothing to do: 1,200 jobs done before." in study.said("apply")


# ── gone ─────────────────────────────────────────────────────────────────────────────────────
def test_destroy_brings_results_home_and_leaves_nothing(study: Project) -> None:
    for place in ("results", f".cloudburst/{study.name}/files"):
        shutil.rmtree(study.place / place)
    said = study.said("destroy", "--yes")
    assert len(study.table()) == len([*study.place.glob("results/files/*/note.txt")]) == 1200
    assert "left: the cache that all studies share" in said
    for kind in ("service", "network", "volume", "secret", "config", "stack"):
        assert study.name not in study.lab.manager.docker(kind, "ls", "--format", "{{.Name}}"), kind
    labels = study.lab.manager.docker("node", "inspect", "self", "--format", "{{.Spec.Labels}}")
    assert "cloudburst.home" not in labels or others(study)
    left = everywhere(study.lab, lambda host: host.sh(LEFT_ON_A_NODE.format(name=study.name, cache=CACHE)))
    assert left == {host.name: "" for host in study.lab.hosts}


def test_what_was_computed_is_still_there(study: Project) -> None:
    found = list(csv.DictReader(io.StringIO(study.run("results"))))
    assert [int(row["square"]) for row in found] == [n * n for n in range(1, 1201)]
    assert len(study.run("results", "--series", "track").splitlines()) == 1 + 2 * 1200


def test_destroyed_again_there_is_nothing_to_remove_and_applied_again_nothing_to_do(study: Project) -> None:
    assert "there is nothing to remove" in study.said("destroy", "--yes")
    assert "Nothing to do: 1,200 jobs done before." in study.said("apply")
    assert study.name not in study.lab.manager.docker("service", "ls", "--format", "{{.Name}}")
    assert len(study.table()) == 1200


# ── what is compared ─────────────────────────────────────────────────────────────────────────
def computed(study: Project) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name not in OF_ONE_RUN} for row in study.table()]


def series(study: Project) -> dict[str, Any]:
    """id -> what the ledger says of its series: their names, and the sha256 of every bit."""
    found = {job: json.loads(kept) for job, kept in study.ledger("SELECT id, series FROM latest")}
    assert all(found.values())
    return found


def works(host: Host) -> Any:
    """Of a status: does this node compute something?"""
    return lambda status: any(node["node"] == host.name and node["busy"] for node in status["nodes"])


# ── pages ────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Page:
    """What `cloudburst open` says of a page."""

    url: str
    user: str
    password: str

    def get(self, path: str = "", **query: str) -> str:
        known = b64encode(f"{self.user}:{self.password}".encode()).decode()
        address = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(address, headers={"Authorization": f"Basic {known}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())


@contextlib.contextmanager
def opened(study: Project, service: str) -> Iterator[Page]:
    """A page of the study's stack, as long as the `with` lasts."""
    process = study.start("open", service, "--json")
    assert process.stdout
    told = json.loads(process.stdout.readline())
    try:
        yield Page(told["url"], told["user"], told["password"])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def points(page: Page, query: str) -> list[list[Any]]:
    """The rows of the one series that an InfluxQL query gives."""
    (result,) = json.loads(page.get("query", db="cloudburst", q=query))["results"]
    (found,) = result["series"]
    return list(found["values"])


def count(page: Page, measurement: str, name: str) -> int:
    return int(points(page, f'SELECT count({name}) FROM "{measurement}"')[0][1])


def points_by_job(page: Page, measurement: str) -> dict[str, int]:
    """How many points each job has in a measurement, by the job's id."""
    query = f'SELECT count(value) FROM "{measurement}" GROUP BY id'
    (result,) = json.loads(page.get("query", db="cloudburst", q=query))["results"]
    return {one["tags"]["id"]: one["values"][0][1] for one in result["series"]}


# ── the swarm from inside ────────────────────────────────────────────────────────────────────
CONTAINERS_AND_PROCESSES = """
docker ps --all --quiet | xargs --no-run-if-empty docker inspect
for one in $(docker ps --quiet); do timeout 20 docker logs --tail 2000 $one 2>&1; done
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '
"""
SERVICES_AND_TASKS = """
docker service ls --quiet --filter name={stack}_ | xargs docker service inspect
docker stack ps --quiet {stack} | xargs docker inspect
docker secret ls --quiet | xargs docker secret inspect
"""
SERVICE_LOGS = """
for one in $(docker service ls --quiet --filter name={stack}_); do timeout 20 docker service logs --tail 500 $one 2>&1; done
"""
LEFT_ON_A_NODE = """
docker ps --all --format '{{{{.Names}}}}' | grep {name} || true
find {cache}/cloudburst -path '*{name}*' 2>/dev/null || true
"""


def configs(study: Project) -> list[str]:
    """What every config of the stack holds, the stack file itself among them."""
    named = ("config", "ls", "--quiet", "--filter", f"label=cloudburst.study={study.name}")
    ids = study.lab.manager.docker(*named).split()
    held = json.loads(study.lab.manager.docker("config", "inspect", *ids))
    return [b64decode(one["Spec"]["Data"]).decode(errors="replace") for one in held]


def secret_values(study: Project) -> list[tuple[str, str]]:
    """Every credential of the deployment by its name, as it is and as a browser would send it."""
    place = study.place / ".cloudburst" / study.name / "secrets" / "swarm"
    ours = ("queue-password", "files-token", "worker-token", "api-token", "view-token")
    plain = [(name, (place / name).read_text()) for name in (*ours, "influxdb-password", "grafana-password")]
    sent = [
        (f"{name} in Basic", b64encode(f"{user}:{value}".encode()).decode().rstrip("="))
        for name, value in plain
        for user in ("cloudburst", "admin", "")
    ]
    return [*plain, *sent, ("worker.env", HUSH)]


def address_of(study: Project, service: str) -> str:
    """A container's address on its host's own bridge, where the host can ask it."""
    asked = ("inspect", "--format", "{{.NetworkSettings.SandboxID}}", study.container(service))
    sandbox = study.lab.manager.docker(*asked).strip()
    (bridge,) = json.loads(study.lab.manager.docker("network", "inspect", "docker_gwbridge"))
    ends = {end["Name"]: end["IPv4Address"] for end in bridge["Containers"].values()}
    return str(ends[f"gateway_{sandbox[:12]}"].partition("/")[0])


def redis_says(host: Host, address: str, command: str) -> str:
    """The first line of the answer to one inline command of a client that has not logged in."""
    said = f"exec 3<>/dev/tcp/{address}/6379; echo {shlex.quote(command)} >&3; timeout 5 head -n 1 <&3"
    return host.sh(f"bash -c {shlex.quote(said)}")


def listening(host: Host, kind: str) -> set[int]:
    """The ports that a host's own sockets listen on, not those of its containers."""
    listed = host.sh(f"ss --no-header --listening --numeric {kind}")
    return {int(line.split()[3].rpartition(":")[2]) for line in listed.splitlines()}


def others(study: Project) -> bool:
    """Do other studies stand on this swarm, which one that somebody plays in may have?"""
    names = study.lab.manager.docker("stack", "ls", "--format", "{{.Name}}").split()
    return any(name.startswith("cb-") and name != study.stack for name in names)
