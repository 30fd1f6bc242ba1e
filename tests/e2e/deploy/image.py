#!/usr/bin/python3
"""Builds the image of a Dockerfile without an engine, and tells how it is to be run.

    image.py DOCKERFILE --image DIR --target DIR [--binary FILE] [--build-arg KEY=VALUE]…

The stages are read as the engine reads them. Of the first, every COPY and RUN is done, in a sandbox
without network that has the files that were copied so far and nothing else of this repository; of the
second, what is copied becomes DIR. `--target` keeps what cargo builds.
With `--binary`, that file is taken for what cargo would build. Printed is one JSON object: user,
folder, entrypoint, command, health check.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile


def main():
    options = argparse.ArgumentParser()
    options.add_argument("dockerfile", type=pathlib.Path)
    options.add_argument("--image", type=pathlib.Path, required=True)
    options.add_argument("--target", type=pathlib.Path, required=True)
    options.add_argument("--binary", type=pathlib.Path)
    options.add_argument("--build-arg", action="append", default=[])
    options = options.parse_args()
    given = dict(argument.split("=", 1) for argument in options.build_arg)

    build, final = stages(instructions(options.dockerfile.read_text()))
    allowed = shipped(pathlib.Path(".dockerignore").read_text())
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(pathlib.Path(folder), options.target, options.binary)
        sandbox.build(build, given, allowed)
        shutil.copytree(sandbox.image, options.image, dirs_exist_ok=True)
    json.dump(described(final), sys.stdout)


def instructions(text):
    """(word, rest) of each, lines that go on joined."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages(all_of_them):
    found = []
    for word, rest in all_of_them:
        if word == "FROM":
            found.append([])
        elif found:
            found[-1].append((word, rest))
    if len(found) != 2:
        sys.exit(f"image: {len(found)} stages, not 2")
    return found


def shipped(ignore):
    """What .dockerignore lets into the context: it forbids all, then names exceptions."""
    lines = [line for line in ignore.splitlines() if line and not line.startswith("#")]
    if lines[0] != "*" or not all(line.startswith("!") for line in lines[1:]):
        sys.exit("image: .dockerignore is not `*` and then exceptions")
    return [pathlib.PurePath(line[1:]) for line in lines[1:]]


class Sandbox:
    """The file system of the build stage: tools of this machine, and what was copied."""

    def __init__(self, folder, target, binary):
        self.build_folder = folder / "build"
        self.image = folder / "image"
        self.target = target.resolve()
        self.binary = binary
        self.work = pathlib.PurePath("/")
        self.environment = {}
        for made in (self.build_folder, self.image, self.target):
            made.mkdir(parents=True, exist_ok=True)

    def build(self, stage, given, allowed):
        for word, rest in stage:
            if word in ("ARG", "ENV"):
                key, _, value = rest.partition("=")
                self.environment[key] = given.get(key, value) if word == "ARG" else value
            elif word == "WORKDIR":
                self.work = pathlib.PurePath(rest)
            elif word == "COPY":
                *sources, to = shlex.split(rest)
                self.copy(sources, to, allowed)
            elif word == "RUN":
                self.run(rest)
            else:
                sys.exit(f"image: {word} in the build stage is not understood")

    def host(self, path):
        inside = self.work / path
        for folder, here in (("/build", self.build_folder), ("/image", self.image)):
            if inside.is_relative_to(folder):
                return here / inside.relative_to(folder)
        sys.exit(f"image: {inside} is neither below /build nor below /image")

    def copy(self, sources, to, allowed):
        for source in sources:
            if not any(pathlib.PurePath(source).is_relative_to(name) for name in allowed):
                sys.exit(f"image: .dockerignore keeps `{source}` out of the context")
            target = self.host(to)
            if to.endswith("/"):
                target = target / pathlib.PurePath(source).name
            target.parent.mkdir(parents=True, exist_ok=True)
            if pathlib.Path(source).is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)

    def run(self, command):
        if self.binary and "cargo build" in command:
            if "/image/" in command:
                binary = self.host("/image/usr/local/bin/palisade")
                binary.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.binary, binary)
            return
        tools = [("--ro-bind", "/usr", "/usr"), ("--ro-bind", "/etc", "/etc")]
        tools += [("--symlink", f"usr/{name}", f"/{name}") for name in ("bin", "lib", "lib64")]
        variables = {"CARGO_NET_OFFLINE": "true", "CARGO_TERM_COLOR": "never"} | self.environment
        for name, usual in (("CARGO_HOME", "~/.cargo"), ("RUSTUP_HOME", "~/.rustup")):
            folder = os.environ.get(name) or os.path.expanduser(usual)
            if os.path.isdir(folder):
                tools.append(("--bind", folder, folder))
                variables[name] = folder
        tools += [("--setenv", *pair) for pair in variables.items()]
        binds = [(self.build_folder, "/build"), (self.image, "/image"), (self.target, "/target")]
        subprocess.run(
            ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
            + [word for tool in tools for word in tool]
            + [word for here, there in binds for word in ("--bind", str(here), there)]
            + ["--chdir", str(self.work), "/bin/sh", "-c", command],
            check=True,
            stdout=sys.stderr,
        )


def described(stage):
    said = {}
    for word, rest in stage:
        if word == "COPY" and rest != "--from=build /image /":
            sys.exit(f"image: `COPY {rest}` in the final stage is not understood")
        elif word in ("ENTRYPOINT", "CMD"):
            said[word.lower()] = json.loads(rest)
        elif word == "HEALTHCHECK":
            said["healthcheck"] = json.loads(rest[rest.index("CMD") + 3 :])
        elif word in ("USER", "WORKDIR"):
            said[word.lower()] = rest
        elif word not in ("ARG", "COPY", "LABEL"):
            sys.exit(f"image: {word} in the final stage is not understood")
    return said


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"image: the build failed with exit code {error.returncode}")
