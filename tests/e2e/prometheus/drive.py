"""Prometheus and Palisade as in life: what is deployed is checked against what is served."""

import math
import os
import subprocess
import sys
import tempfile
import time

import callers
import faults
import rules
from servers import Failed, Prometheus, stop_all, until

OVERFLOW = """
@id("planted.overflow")
forbid (principal, action == Action::"workspace.view", resource is Workspace)
when { resource.project_count + 9223372036854775807 > 0 && false };
"""


def add_demo(world):
    """What ships, with a policy that fails on some questions."""
    folder = f"{world.work}/demo"
    os.makedirs(folder)
    for source, name in [
        ("policies/enterprise", "policies"),
        ("schema/label-studio.cedarschema", "schema"),
        ("schema/conditions.toml", "conditions.toml"),
        ("deploy/demo/entities.json", "entities.json"),
    ]:
        subprocess.run(["cp", "-r", source, f"{folder}/{name}"], check=True)
    with open(f"{folder}/policies/planted.cedar", "w", encoding="utf-8") as file:
        file.write(OVERFLOW)
    edition = ["--schema", "schema", "--conditions", "conditions.toml", "--entities", "entities.json"]
    world.add("demo", ["--policies", "policies", "--canary=off", "--decision-log=decisions", *edition], None)


def reloads(demo, prometheus):
    """Good and bad ones, counted as what they are."""
    before = demo.status()["revision"]
    for text, result in [("// Nothing.", "applied"), ("permit (", "rejected"), ("// Mended.", "applied")]:
        query = f'sum(palisade_reloads_total{{instance="demo", result="{result}"}})'
        count = float(prometheus.query(query)[0]["value"][1])
        demo.write("policies/edit.cedar", text)
        until(f"a reload that is {result}", 20, lambda: float(prometheus.query(query)[0]["value"][1]) > count)
    info = prometheus.query('palisade_snapshot_info{instance="demo"}')
    revision = demo.status()["revision"]
    if [it["metric"]["revision"] for it in info] != [revision] or revision == before:
        raise Failed(f"not one new revision: {info}")


def lint(servers):
    """What `promtool check metrics` says of each server: nothing."""
    for server in servers:
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=server.metrics(), capture_output=True, text=True, check=False
        )
        if checked.returncode or checked.stderr.strip():
            raise Failed(f"promtool check metrics, {server.name}: {checked.stdout}{checked.stderr}")
    print(f"-- /metrics of {len(servers)} servers: promtool has nothing to say")


def has_data(prometheus, query):
    return any(math.isfinite(float(it["value"][1])) for it in prometheus.query(query))


def dashboard(prometheus):
    """Every query has data."""
    queries = rules.queries()
    for panel, query in queries:
        until(f"data for `{panel}`: {query}", 30, lambda: has_data(prometheus, query))
    print(f"-- dashboard: {len(queries)} queries, each with data")


def rules_hold(prometheus, names):
    """They are what is deployed, and none fails."""
    groups = prometheus.api("rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    if sorted(rule["name"] for rule in found) != sorted(names):
        raise Failed(f"other rules than {names}")
    bad = [(rule["name"], rule.get("lastError")) for rule in found if rule["health"] != "ok"]
    if bad:
        raise Failed(f"rules that fail: {bad}")


class Fired:
    """Waits for alerts, and writes down what an operator sees."""

    def __init__(self, prometheus):
        self.prometheus = prometheus
        self.names = set()

    def by(self, fault):
        """Each step of a fault goes on once its alert has fired."""
        since = time.monotonic()
        for what, name, labels in fault:
            self.waits_for(what, name, labels, since)
            since = time.monotonic()

    def waits_for(self, what, name, labels, since):
        def firing():
            for alert in self.prometheus.firing():
                has = alert["labels"]
                if has["alertname"] == name and labels.items() <= has.items():
                    return alert
            return None

        alert = until(f"{what}: {name} {labels}", 45, firing)
        took = time.monotonic() - since
        self.names.add(name)
        severity = alert["labels"]["severity"]
        print(f"-- {what:36} | {name:28} | {severity:6} | {took:4.1f} s | {alert['annotations']['summary']}", flush=True)


def resolves(prometheus, name, labels):
    """The alert ends once its fault does."""

    def over():
        alerts = [alert["labels"] for alert in prometheus.firing()]
        return not any(it["alertname"] == name and labels.items() <= it.items() for it in alerts)

    until(f"the end of {name} {labels}", 30, over)


def quiet(prometheus):
    """Servers in order wake nobody."""
    until("rules evaluated", 10, lambda: prometheus.query("palisade_build_info"))
    firing = [alert["labels"] for alert in prometheus.firing()]
    if firing:
        raise Failed(f"nothing is wrong, and somebody is woken: {firing}")


def drive(binary, work):
    started = time.monotonic()
    names, tested = rules.alerts()
    if set(names) != tested:
        raise Failed(f"alerts without a test, or tests without an alert: {set(names) ^ tested}")
    prometheus = Prometheus(work, rules.shortened())
    world = faults.World(binary, work, prometheus)
    fired = Fired(prometheus)

    faults.settle(world)
    add_demo(world)
    world.scraped()
    resolves(prometheus, "PalisadeAbsent", {})
    quiet(prometheus)
    print(f"-- {len(world.servers)} servers are up, and no alert fires")

    demo, well, left = world["demo"], world["well"], world["left"]
    callers.Again(lambda: well.ask(callers.ANYTHING))
    callers.Again(lambda: callers.everything(demo))
    leaving = callers.Again(lambda: left.ask(callers.ANYTHING))
    reloads(demo, prometheus)
    lint(list(world.servers.values()))
    dashboard(prometheus)
    rules_hold(prometheus, names)
    asked = time.monotonic()

    fired.by(faults.policies(world))
    fired.by(faults.watching(world))
    fired.by(faults.access(world))
    until("left was asked for a while", 60, lambda: time.monotonic() - asked > 25)
    leaving.stop()
    fired.waits_for("the application stops asking", "PalisadeNobodyAsks", {"instance": "left"}, time.monotonic())
    fired.by(faults.decision_log(world))
    fired.by(faults.load(world))
    fired.by(faults.ends(world))
    of_well = [alert["labels"] for alert in prometheus.firing() if alert["labels"].get("instance") == "well"]
    if of_well:
        raise Failed(f"the one that is in order is blamed: {of_well}")
    prometheus.scrape({})
    fired.waits_for("service discovery finds nobody", "PalisadeAbsent", {}, time.monotonic())
    rules_hold(prometheus, names)

    missing = set(names) - fired.names
    if missing:
        raise Failed(f"never fired: {missing}")
    callers.Again.stop_all()
    badly = stop_all()
    if badly:
        raise Failed(f"not stopped in good order: {badly}")
    seconds = time.monotonic() - started
    print(f"prometheus: {len(fired.names)} of {len(names)} alerts fired by their faults, in {seconds:.0f} s")


def main():
    with tempfile.TemporaryDirectory() as work:
        try:
            drive(sys.argv[1], work)
        except (Failed, OSError, subprocess.CalledProcessError) as failed:
            print(f"prometheus: {failed}", file=sys.stderr)
            return 1
        finally:
            callers.Again.stop_all()
            stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
