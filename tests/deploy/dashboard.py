"""Every expression of the Grafana dashboard as a rule, for promtool to read; Grafana's variables are filled in.

    dashboard.py FILE
"""

import json
import re
import sys

VARIABLES = {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*"}


def filled(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    if "$" in expression:
        sys.exit(f"a variable that is not known: {expression}")
    return expression


with open(sys.argv[1], encoding="utf-8") as file:
    dashboard = json.load(file)
panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
numbers = [panel["id"] for panel in dashboard["panels"]]
if len(set(numbers)) != len(numbers):
    sys.exit("two panels have one id")
for panel in panels:
    if not (panel["title"] and panel["targets"] and re.fullmatch(r"\$\{datasource\}", panel["datasource"]["uid"])):
        sys.exit(f"a panel without title, data or source: {panel['id']}")
rules = [
    {"record": f"panel:p{panel['id']}:{target['refId']}", "expr": filled(target["expr"])}
    for panel in panels
    for target in panel["targets"]
]
# JSON is YAML.
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
