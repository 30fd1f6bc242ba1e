"""Renders the chart with Helm, and holds all manifests against the schemas of Kubernetes' API, strictly.

    manifests.py FOLDER

writes what was rendered to FOLDER, one file for each set of values. Run by the Python that
requirements.txt was installed for.
"""

import copy
import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

# The oldest that has sidecars, and the newest whose schemas are here.
VERSIONS = ["1.29", "1.37"]
HERE = pathlib.Path(__file__).parent
CHART = "deploy/helm/palisade"


def main():
    folder = pathlib.Path(sys.argv[1])
    plain = [document for path in sorted(pathlib.Path("deploy/kubernetes").glob("*.yaml")) for document in load(path.read_text())]
    for document in plain:
        check(document)
    print(f"   plain: {kinds(plain)}")
    typos(plain)
    for path in sorted((HERE / "values").glob("*.yaml")):
        values = yaml.safe_load(path.read_text())
        documents = rendered(values)
        for document in documents:
            check(document)
        whole(documents)
        (folder / path.name).write_text(yaml.safe_dump_all(documents))
        print(f"   chart, {path.stem}: {kinds(documents)}")
    refusals()


def load(text):
    return [document for document in yaml.safe_load_all(text) if document]


def kinds(documents):
    return ", ".join(document["kind"] for document in documents)


def rendered(values):
    report = lint(CHART, values, strict=True, kube_version=f"v{VERSIONS[-1]}.0")
    # 1 is a recommendation: that the chart has no icon.
    if report["errors"] or any(message["severity"] > 1 for message in report["messages"]):
        fail(f"lint: {report}")
    with Chart.load(CHART) as chart:
        texts = chart.render(values, name="demo", namespace="default")
    return [document for name, text in sorted(texts.items()) if name.endswith(".yaml") for document in load(text)]


def check(document):
    """Raises if a field is missing, unknown or of the wrong type."""
    if document["apiVersion"].startswith("monitoring.coreos.com/"):
        jsonschema.validate(document, json.loads((HERE / "monitors.schema.json").read_text()))
        return
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


def whole(documents):
    """Names that must agree: mounts and volumes, ports, ConfigMap keys, selectors."""
    deployment = next(document for document in documents if document["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    pod = template["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    containers = pod["containers"] + pod.get("initContainers", [])
    mounts = {mount["name"] for container in containers for mount in container.get("volumeMounts", [])}
    if mounts != volumes:
        fail(f"mounted are {sorted(mounts)}, volumes are {sorted(volumes)}")
    ports = {port["name"] for container in containers for port in container.get("ports", [])}
    labels = template["metadata"]["labels"].items()
    keys = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"}
    for source in (source["configMap"] for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", [])):
        missing = [item["key"] for item in source["items"] if source["name"] in keys and item["key"] not in keys[source["name"]]]
        if missing:
            fail(f"ConfigMap {source['name']} lacks {missing}")
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        if not selector.get("matchLabels", {} if document["kind"] != "Service" else selector).items() <= labels:
            fail(f"{document['kind']} selects {selector}, pods have {dict(labels)}")
        wanted = [port.get("targetPort") for port in spec.get("ports", [])]
        wanted += [endpoint["port"] for endpoint in spec.get("podMetricsEndpoints", []) + spec.get("endpoints", [])]
        wanted += [port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]]
        if not set(wanted) <= ports:
            fail(f"{document['kind']} names the ports {wanted}, pods have {sorted(ports)}")


def typos(plain):
    """A field that is misspelt in any of these places must be found."""
    deployment, monitor = ({document["kind"]: document for document in plain}[kind] for kind in ("Deployment", "PodMonitor"))
    pod = ["spec", "template", "spec"]
    places = [
        (deployment, ["spec"], "replicas"),
        (deployment, pod, "automountServiceAccountToken"),
        (deployment, [*pod, "securityContext"], "seccompProfile"),
        (deployment, [*pod, "initContainers", 0], "readinessProbe"),
        (deployment, [*pod, "initContainers", 0, "securityContext"], "readOnlyRootFilesystem"),
        (deployment, [*pod, "initContainers", 0, "livenessProbe"], "timeoutSeconds"),
        (deployment, [*pod, "volumes", 0, "projected", "sources", 1, "configMap"], "items"),
        (monitor, ["spec"], "podMetricsEndpoints"),
        (monitor, ["spec", "podMetricsEndpoints", 0], "authorization"),
    ]
    for document, path, field in places:
        wrong = copy.deepcopy(document)
        holder = wrong
        for step in path:
            holder = holder[step]
        holder[field + "s"] = holder.pop(field)
        try:
            check(wrong)
        except (kubernetes_validate.ValidationError, jsonschema.ValidationError):
            continue
        fail(f"`{field}s` in {path} was not found")
    print(f"   {len(places)} misspelt fields found")


def refusals():
    """Values that cannot be meant, and what Helm must say of them."""
    app = {"containers": [{"name": "app", "image": "app:1"}]}
    cases = [
        ({}, "name the application's containers"),
        ({"mode": "standalone"}, "anybody on the network could ask"),
        ({"app": app, "admin": {"scrape": "credentials"}}, "needs the Secret"),
        ({"app": app, "admin": {"monitor": {"enabled": True}}}, "nobody can scrape"),
        ({"app": app, "policies": {"existing": "mine"}}, "list the paths"),
        ({"mode": "standalone", "decisions": {"insecure": True}, "networkPolicy": {"enabled": True}}, "say who may ask"),
        ({"app": app, "admin": {"scrap": "none"}}, "scrap"),
        ({"app": app, "mode": "both"}, "mode"),
        ({"app": app, "policies": {"files": {"../up.cedar": ""}}}, "up.cedar"),
    ]
    for values, said in cases:
        try:
            with Chart.load(CHART) as chart:
                chart.validate_schema(values)
                chart.render(values, name="demo", namespace="default")
        except HelmError as error:
            if said not in str(error):
                fail(f"{values}: {error}")
            continue
        fail(f"{values} was taken")
    print(f"   {len(cases)} sets of values refused")


def fail(message):
    sys.exit(f"manifests: {message}")


if __name__ == "__main__":
    main()
