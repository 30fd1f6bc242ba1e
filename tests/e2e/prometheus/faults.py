"""Every fault that is provoked, with the alert that tells it: each yields what an operator would
call it, the alert, and the labels it has."""

import json
import os
import signal
import subprocess
import time

import callers
from servers import Failed, Palisade, Process, fetch, free_port, until

PERMIT = '@id("one")\npermit (principal, action, resource);\n'
FORBID = '@id("one")\nforbid (principal, action, resource);\n'


class World:
    """The servers, and the one that scrapes them."""

    def __init__(self, binary, work, prometheus):
        self.binary, self.work, self.prometheus = binary, work, prometheus
        self.servers = {}

    def __getitem__(self, name):
        return self.servers[name]

    def add(self, name, flags=(), policies=PERMIT, **how):
        """A server with one small file of policies, if it is not told otherwise."""
        self.servers[name] = Palisade(self.binary, self.work, name, flags, policies, **how)

    def scraped(self):
        """All of them from now on, and once already: a counter that has grown since has a 0 to grow
        from."""
        self.prometheus.scrape({name: server.admin for name, server in self.servers.items()})
        up = 'up{job="palisade"} == 1'
        until("all are up", 20, lambda: len(self.prometheus.query(up)) == len(self.servers))


def settle(world):
    """Servers in good order, one for each part that something will happen to."""
    for name in ["well", "left", "stale", "disk", "waiting", "threadless"]:
        world.add(name)
    world.add("gated", policies="".join(PERMIT.replace("one", f"p{n}") for n in range(9)))
    world.add("known")
    world.add("pinned", ["--rollback=2"])
    world.add("busy", ["--root", os.getcwd()], None)
    world.add("crowded", first=["sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh"])
    world.add("loop", admin_port=free_port())
    folder = os.path.join(world.work, "guarded")
    os.makedirs(folder)
    certificate(folder, 90)
    world.add("guarded", ["--tls-cert", "cert.pem", "--tls-key", "key.pem"])
    with open(os.path.join(folder, "credentials.toml"), "w", encoding="utf-8") as file:
        file.write("# nobody\n")
    world.add("closed", ["--credentials", f"{folder}/credentials.toml"])


def attached(tracer, task):
    """Whether strace has this thread."""

    def is_traced():
        tracer.lives()
        with open(f"/proc/{task}/status", encoding="utf-8") as status:
            return "TracerPid:\t0\n" not in status.read()

    until("strace is attached", 10, is_traced)


def traced(world, server, name, flags, task):
    tracer = Process(name, ["strace", *flags, "-o", "/dev/null"], world.work)
    attached(tracer, f"{server.child.pid}/task/{task}")
    return tracer


def policies(world):
    """What edits and policies do wrong."""
    yield "a forbid that overflows", "PalisadePolicyErrors", {"policy": "planted.overflow"}
    yield "every fifth question meets it", "PalisadeDeniedByErrors", {"instance": "demo"}

    world["stale"].write("policies/one.cedar", "permit (principal, action, resource) wen { true };")
    yield "a typo in an edit", "PalisadeSourcesStale", {"instance": "stale"}

    world["gated"].write("policies/one.cedar", PERMIT)
    yield "most policies deleted", "PalisadeEditRefusedByGate", {"instance": "gated", "reason": "shrink"}
    known = world["known"]
    request = {"principal": 'User::"a"', "action": 'Action::"view"', "resource": 'Doc::"d"', "context": {}}
    os.makedirs(known.path("policies/tests"))
    canary = {"name": "a sees d", "request": request, "entities": [], "decision": "allow", "reason": ["one"], "num_errors": 0}
    known.write("policies/tests/known.json", json.dumps([canary]))
    known.write("policies/one.cedar", FORBID)
    yield "an edit against a known answer", "PalisadeEditRefusedByGate", {"instance": "known", "reason": "canary"}

    pinned = world["pinned"]
    pinned.post_admin("/v1/pin", {"revision": pinned.status()["revision"]})
    yield "pinned, and forgotten", "PalisadePinned", {"instance": "pinned"}


def watching(world):
    """What keeps edits from being seen."""
    no_inotify = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"'
    world.add("deaf", first=["unshare", "--user", "--map-root-user", "sh", "-c", no_inotify, "sh"])
    world.scraped()
    yield "no inotify instance left", "PalisadeWatcherDown", {"instance": "deaf"}

    disk = world["disk"]
    thread = disk.thread("reload")

    def delayed(name, call, delay):
        inject = f"inject={call}:delay_enter={delay}"
        return traced(world, disk, name, ["-p", thread, "-e", f"trace={call}", "-e", inject], thread)

    slow = delayed("slow-disk", "read", "2s")
    disk.write("policies/one.cedar", FORBID)
    yield "a disk that takes 2 s for each read", "PalisadeReloadSlow", {"instance": "disk", "phase": "read"}
    slow.stop()
    hangs = delayed("no-disk", "statx", "90s")
    yield "a disk that does not answer", "PalisadeSourcesUnwatched", {"instance": "disk"}
    hangs.stop()


def certificate(folder, days):
    """A new one in the place of the old, with its key."""
    request = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=palisade -keyout key -out csr"
    sign = f"openssl x509 -req -in csr -signkey key -days {days} -extfile ext -out cert"
    with open(os.path.join(folder, "ext"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    for command in [request, sign]:
        subprocess.run(command.split(), cwd=folder, check=True, stderr=subprocess.DEVNULL)
    for made in ["key", "cert"]:
        os.rename(os.path.join(folder, made), os.path.join(folder, f"{made}.pem"))


def access(world):
    """What is wrong with certificates and credentials."""
    guarded, closed = world["guarded"], world["closed"]
    wrong = {"authorization": "Bearer 0123456789abcdef0123456789abcdef"}
    asking = callers.Again(lambda: fetch(f"http://{closed.decisions}{callers.PATH}", callers.ANYTHING, wrong))
    yield "a credential that is not taken", "PalisadeCallersRefused", {"instance": "closed", "reason": "unauthorized"}
    asking.stop()
    plain = callers.Again(lambda: fetch(f"http://{guarded.decisions}{callers.PATH}", callers.ANYTHING, timeout=1))
    yield "plain HTTP where TLS is spoken", "PalisadeCallersRefused", {"instance": "guarded"}
    plain.stop()

    certificate(guarded.folder, 2)
    yield "a certificate for two days more", "PalisadeCertificateExpiring", {"instance": "guarded"}
    certificate(guarded.folder, 0)
    yield "a certificate that ends now", "PalisadeCertificateEnds", {"instance": "guarded"}
    guarded.write("cert.pem", "none")
    yield "a certificate that is none", "PalisadeAccessStale", {"instance": "guarded", "kind": "tls"}


def decision_log(world):
    """What happens to where records of decisions go. Answers go on."""
    # A pipe that is open, so that writing begins, and that nobody reads.
    reader, pipe = os.pipe()
    world.add("full", ["--decision-log", "/dev/full"])
    world.add("lags", ["--decision-log", "stdout"], stdout=pipe)
    world.add("drops", ["--decision-log", "stdout", "--decision-log-queue", "65536"], stdout=pipe)
    os.close(pipe)
    world.scraped()
    batch = {"evaluations": [callers.ANYTHING] * 4000}

    def asked(name):
        status, answer = world[name].ask(batch, "/access/v1/evaluations")
        if status != 200 or answer.count("true") != 4000:
            raise Failed(f"{name} does not answer: {status} {answer[:100]}")

    asked("full")
    yield "a full disk", "PalisadeDecisionLogFails", {"instance": "full"}
    asked("lags")
    yield "4,000 records that nobody reads", "PalisadeDecisionLogLags", {"instance": "lags"}
    asked("drops")
    yield "more than the queue has place for", "PalisadeDecisionLogDrops", {"instance": "drops"}
    os.close(reader)


def load(world):
    """Too much of something."""
    busy = world["busy"]
    asking = [callers.Again(lambda: callers.late(busy.decisions)) for _ in range(2)]
    yield "bodies that come late", "PalisadeSlow", {"instance": "busy"}
    for one in asking:
        one.stop()
    many = callers.crowd(busy.decisions, 64, "/access/v1/evaluations", callers.large_batch())
    yield "64 who ask 4,000 questions at once", "PalisadeOverloaded", {"instance": "busy"}
    for one in many:
        one.over.set()

    waiting = world["waiting"]
    rounds = []
    text = callers.head(waiting.decisions, 1000)
    again = callers.Again(lambda: rounds.append(callers.held(waiting.decisions, 100, text)), 4)
    rounds.append(callers.held(waiting.decisions, 100, text))
    yield "bodies that do not come", "PalisadeRequestsPileUp", {"instance": "waiting"}
    again.stop()
    rounds.clear()

    connections = callers.held(world["crowded"].decisions, 650)
    yield "650 connections, 1,024 files", "PalisadeFewDescriptors", {"instance": "crowded"}
    yield "of 672 that there may be", "PalisadeConnectionsFull", {"instance": "crowded", "listener": "decisions"}
    connections.clear()

    threadless = world["threadless"]
    flags = ["-f", "-p", str(threadless.child.pid), "-e", "trace=clone,clone3", "-e", "inject=clone,clone3:error=EAGAIN"]
    tracer = traced(world, threadless, "no-threads", flags, threadless.child.pid)
    batch = callers.large_batch()
    asking = callers.Again(lambda: threadless.ask(batch, "/access/v1/evaluations"))
    yield "no thread can be made", "PalisadeInternalErrors", {"instance": "threadless"}
    asking.stop()
    tracer.stop()


def ends(world):
    """What happens to processes."""
    loop = world["loop"]
    port = loop.admin.rsplit(":", 1)[1]
    up = 'up{instance="loop"} == 1 and on(instance) process_start_time_seconds == %s'
    for _ in range(3):
        started = start_of(loop)
        until("the start is scraped", 10, lambda: world.prometheus.query(up % started))
        until("a later second", 3, lambda: time.time() > float(started) + 2)
        loop.stop(signal.SIGKILL)
        flags = ["--policies", "policies"]
        loop = Palisade(world.binary, world.work, "loop", flags, again=True, admin_port=port)
    yield "killed three times", "PalisadeRestarting", {"instance": "loop"}
    loop.stop(signal.SIGKILL)
    yield "killed", "PalisadeDown", {"instance": "loop"}


def start_of(server):
    lines = server.metrics().splitlines()
    return next(line for line in lines if line.startswith("process_start_time_seconds")).split()[1]
