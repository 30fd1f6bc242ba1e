"""Processes that are started, asked and stopped, and waiting for what they do."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

RUNNING = []


class Failed(Exception):
    """Something is not as it should be."""


def until(what, within, holds):
    """What `holds` returns, once that is something."""
    deadline = time.monotonic() + within
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"not within {within} s: {what}")
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, body=None, headers=None, timeout=10):
    """Status and body of an answer, whatever the status."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Process:
    """A program with a log, stopped by the handle that started it."""

    def __init__(self, name, command, work, cwd=None, stdout=None):
        self.name = name
        self.log = os.path.join(work, f"{name}.log")
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(command, stdout=stdout or log, stderr=log, cwd=cwd)
        RUNNING.append(self)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def lives(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with {self.child.returncode}:\n{self.said()[-3000:]}")
        return True

    def stop(self, kind=signal.SIGTERM):
        """Its exit code."""
        self.told(kind)
        return self.ended()

    def told(self, kind=signal.SIGTERM):
        """To end, once: a second signal would cut off what the first began."""
        if self.child.poll() is None:
            self.child.send_signal(kind)

    def ended(self):
        """Its exit code, once it was told to end."""
        if self in RUNNING:
            RUNNING.remove(self)
        try:
            return self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


def stop_all():
    """Every process that still runs; those that do not end as they should, with their exit codes."""
    stopping = RUNNING[::-1]
    for process in stopping:
        process.told()
    return [(process.name, code) for process in stopping if (code := process.ended()) != 0]


class Palisade(Process):
    """A server in a folder of its own; `policies` is its one policy file, if it is a small one."""

    def __init__(self, binary, work, name, flags=(), policies=None, first=(), again=False, admin_port=0, stdout=None):
        self.folder = os.path.join(work, name)
        if not again:
            os.makedirs(self.folder, exist_ok=True)
        if policies is not None:
            os.makedirs(os.path.join(self.folder, "policies"))
            self.write("policies/one.cedar", policies)
            flags = ["--policies", "policies", *flags]
        serve = [binary, "serve", "--log-format", "json", "--shutdown-grace", "0s", "--poll-interval", "500ms"]
        listen = ["--listen", "127.0.0.1:0", "--admin-listen", f"127.0.0.1:{admin_port}"]
        log = os.path.join(work, f"{name}.log")
        skip = os.path.getsize(log) if os.path.exists(log) else 0
        super().__init__(name, [*first, *serve, *listen, *flags], work, self.folder, stdout)
        addresses = until("the addresses", 30, lambda: self.lives() and self.addresses(skip))
        self.decisions, self.admin = addresses

    def addresses(self, skip):
        found = {}
        with open(self.log, "rb") as log:
            log.seek(skip)
            for line in log:
                if line.endswith(b"\n") and b'"message":"listening"' in line:
                    line = json.loads(line)
                    found[line["listener"]] = line["address"]
        return len(found) == 2 and (found["decisions"], found["admin"])

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        """In one step, as careful people do."""
        beside = self.path("beside")
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(beside, self.path(name))

    def ask(self, question, path="/access/v1/evaluation"):
        status, answer = fetch(f"http://{self.decisions}{path}", question)
        return status, answer

    def post_admin(self, path, body):
        status, answer = fetch(f"http://{self.admin}{path}", body)
        if status != 200:
            raise Failed(f"{self.name}: {path} answers {status}: {answer}")

    def status(self):
        return json.loads(fetch(f"http://{self.admin}/v1/status")[1])

    def metrics(self):
        return fetch(f"http://{self.admin}/metrics")[1]

    def thread(self, name):
        """The number of the thread of this name, once it is there."""

        def named():
            tasks = f"/proc/{self.child.pid}/task"
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/comm", encoding="utf-8") as comm:
                    if comm.read().strip() == name:
                        return task
            return None

        return until(f"a thread `{name}` of {self.name}", 5, named)


class Prometheus(Process):
    """Prometheus with these rules, scraping whatever is named to it."""

    def __init__(self, work, rules):
        folder = os.path.join(work, "prometheus")
        os.makedirs(folder)
        self.targets = os.path.join(folder, "targets.json")
        self.scrape({})
        with open(os.path.join(folder, "palisade.rules.yml"), "w", encoding="utf-8") as file:
            file.write(rules)
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"},
            "rule_files": ["palisade.rules.yml"],
            "scrape_configs": [
                {"job_name": "palisade", "file_sd_configs": [{"files": [self.targets], "refresh_interval": "1s"}]}
            ],
        }
        # JSON is YAML.
        with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.address = f"127.0.0.1:{free_port()}"
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
        super().__init__("prometheus-server", [*command, f"--web.listen-address={self.address}"], work, folder)
        until("Prometheus is ready", 30, lambda: self.lives() and self.is_ready())

    def is_ready(self):
        try:
            return fetch(f"http://{self.address}/-/ready")[0] == 200
        except OSError:
            return False

    def scrape(self, targets):
        """These from now on: address by name."""
        groups = [{"targets": [address], "labels": {"instance": name}} for name, address in targets.items()]
        with open(f"{self.targets}.new", "w", encoding="utf-8") as file:
            json.dump(groups, file)
        os.rename(f"{self.targets}.new", self.targets)

    def api(self, path, **query):
        self.lives()
        status, answer = fetch(f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        answer = json.loads(answer)
        if status != 200 or answer["status"] != "success":
            raise Failed(f"{path} {query}: {answer}")
        return answer["data"]

    def query(self, text):
        return self.api("query", query=text)["result"]

    def firing(self):
        return [alert for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"]
