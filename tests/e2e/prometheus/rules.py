"""What is deployed, in a form that can be tried within a minute."""

import json
import re

RULES = "deploy/prometheus/palisade.rules.yml"
TESTS = "deploy/prometheus/palisade.rules.test.yml"
DASHBOARD = "deploy/grafana/palisade.json"

# How far a range looks back here, whatever it is in life; an hour ago is so many seconds ago.
WINDOW = "10s"
EARLIER = "20s"


def shortened():
    """The rules with all waiting and looking back made short, and not a threshold changed: `for` is
    no time, a range is `WINDOW`, an offset is `EARLIER`, minutes written as `* 60` are seconds."""
    with open(RULES, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"(?m)^( +for:) \w+$", r"\1 0s", text)
    text = re.sub(r"\[\d+[smhd]\]", f"[{WINDOW}]", text)
    text = re.sub(r"offset \d+[smhd]", f"offset {EARLIER}", text)
    return text.replace("* 60\n", "* 1\n")


def alerts():
    """Their names, and those that have a test."""
    with open(RULES, encoding="utf-8") as file:
        names = re.findall(r"- alert: (\w+)", file.read())
    with open(TESTS, encoding="utf-8") as file:
        tested = set(re.findall(r'alertname="(\w+)"', file.read()))
    return names, tested


def queries():
    """Every query of the dashboard with its panel, for Prometheus instead of Grafana."""
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    replaced = {"$__rate_interval": WINDOW, "$__interval": WINDOW, "$__range": "1m", "$job": "palisade", "$instance": ".+"}
    found = []
    for holder in dashboard["panels"] + dashboard["annotations"]["list"]:
        for target in holder.get("targets", [holder] if "expr" in holder else []):
            query = target["expr"]
            for variable, value in replaced.items():
                query = query.replace(variable, value)
            found.append((holder.get("title") or holder["name"], query))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            # `label_values(series, label)` is Grafana's; its series are a query.
            series = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"]).group(1)
            found.append((f"variable {variable['name']}", series.replace("$job", "palisade")))
    return found
