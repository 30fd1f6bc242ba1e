"""Does for the container `palisade` of a manifest what kubelet does: volumes, and how it is run.

    kubelet.py MANIFEST FOLDER [--configmap NAME=FILE-OR-FOLDER]… [--secret NAME=FOLDER]… [--set NAME/KEY=FILE]…
        [--claim NAME=FOLDER]…

writes each volume below FOLDER: a folder with a name of its own for the content, `..data` that links to
it, and a link for each name at the top. Run again, the content is made anew and `..data` swapped.
ConfigMaps are those of the manifest and those given; `--set` changes a key or adds one. Printed are
arguments, environment, mounts and probes as JSON.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

import yaml


def main():
    options = argparse.ArgumentParser()
    options.add_argument("manifest", type=pathlib.Path)
    options.add_argument("folder", type=pathlib.Path)
    for name in ("configmap", "secret", "set", "claim"):
        options.add_argument(f"--{name}", action="append", default=[])
    options = options.parse_args()

    documents = [document for document in yaml.safe_load_all(options.manifest.read_text()) if document]
    configmaps = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"}
    secrets = {}
    for given, store in ((options.configmap, configmaps), (options.secret, secrets)):
        for name, source in pairs(given):
            store.setdefault(name, {}).update(from_file(pathlib.Path(source)))
    for place, source in pairs(options.set):
        name, key = place.split("/")
        configmaps[name][key] = pathlib.Path(source).read_text()

    pod = next(document for document in documents if document["kind"] == "Deployment")["spec"]["template"]["spec"]
    containers = pod["containers"] + pod.get("initContainers", [])
    container = next(container for container in containers if container["name"] == "palisade")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        folder = options.folder / mount["name"]
        if "persistentVolumeClaim" in volume:
            folder = pathlib.Path(dict(pairs(options.claim))[volume["persistentVolumeClaim"]["claimName"]]).resolve()
        else:
            write(folder, content(volume, configmaps, secrets))
        mounts[mount["mountPath"]] = str(folder)
    probes = {name: container[name]["exec"]["command"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    json.dump({"args": container["args"], "mounts": mounts, "probes": probes}, sys.stdout)


def pairs(given):
    return (pair.split("=", 1) for pair in given)


def from_file(source):
    """What `kubectl create configmap --from-file` takes: a file, or the files directly in a folder."""
    files = [source] if source.is_file() else [path for path in source.iterdir() if path.is_file()]
    return {path.name: path.read_text() for path in files}


def content(volume, configmaps, secrets):
    """Path -> text."""
    if "secret" in volume:
        return secrets[volume["secret"]["secretName"]]
    files = {}
    for source in (source["configMap"] for source in volume["projected"]["sources"]):
        data = configmaps[source["name"]]
        items = source.get("items") or [{"key": key, "path": key} for key in data]
        files.update({item["path"]: data[item["key"]] for item in items})
    return files


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    old = folder / "..data"
    outdated = folder / os.readlink(old) if old.is_symlink() else None
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="..2026_", dir=folder))
    fresh.chmod(0o755)
    for path, text in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o444)
    swap(fresh.name, old)
    tops = {path.split("/")[0] for path in files}
    for top in tops:
        if not (folder / top).is_symlink():
            swap(f"..data/{top}", folder / top)
    for link in folder.iterdir():
        if link.is_symlink() and link.name != "..data" and link.name not in tops:
            link.unlink()
    if outdated:
        shutil.rmtree(outdated)


def swap(target, link):
    other = link.with_name(f"..{link.name.lstrip('.')}_tmp")
    other.symlink_to(target)
    other.rename(link)


if __name__ == "__main__":
    main()
