"""The chart and the kustomizations: rendered by Helm's own library and by kubectl, validated by the schemas of the oldest and the
newest Kubernetes they are for, held against what the project promises of them, and their configuration read by scimgate itself.

    manifests.py SCIMGATE FOLDER

Each judgement must also refuse something: a check that accepts everything would pass here unnoticed.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys

import helm_python as helm
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/scimgate"
OVERLAYS = ROOT / "deploy/kustomize/overlays"
SCIMGATE, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
# The oldest that has native sidecars without a feature gate among those with a schema, and the newest.
VERSIONS = ["1.29", "1.37"]
PEERS = [{"namespaceSelector": {"matchLabels": {"team": "identity"}}}]
KEY_ENV = {"name": "SCIMGATE__LOG__LEVEL", "value": "debug"}
CONFIG = (ROOT / "deploy/kustomize/base/scimgate.toml").read_text()
# Something in front of scimgate terminates TLS.
PLAIN = CONFIG.replace('[server.tls]\ncertificate = "tls.crt"\nprivate_key = "tls.key"\n', "")
RUNBOOK = "https://wiki.example.com/RUNBOOK.md"
ALERTS = yaml.safe_load((ROOT / "deploy/observability/alerts.yaml").read_text())
EVERYTHING = {
    "config": CONFIG,
    "existingSecret": "scimgate",
    "tls": {"secretName": "scimgate-tls"},
    "image": {"repository": "registry.example.com/scimgate", "digest": "sha256:" + "a" * 64},
    "imagePullSecrets": [{"name": "pull"}],
    "replicaCount": 3,
    "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    "networkPolicy": {"clients": PEERS, "monitoring": PEERS, "directory": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                      "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "runbook": RUNBOOK},
    "extraEnv": [KEY_ENV],
    "extraVolumes": [{"name": "audit", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "audit", "mountPath": "/var/log/scimgate"}],
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "identity"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
APPLICATION = [{"name": "application", "image": "registry.example.com/application:1", "ports": [{"containerPort": 8080}],
                "securityContext": {"runAsUser": 65532}}]
RELEASES = {
    "chart, the least": {"config": PLAIN},
    "chart, everything": EVERYTHING,
    "chart, sidecar": EVERYTHING | {"mode": "sidecar", "sidecar": {"containers": APPLICATION, "volumes": [{"name": "x", "emptyDir": {}}]}},
    "chart, sidecar that owns the port": {"config": PLAIN, "mode": "sidecar", "sidecar": {"containers": APPLICATION, "upstreamPort": 8080}},
    "chart, without extras": {"config": PLAIN, "networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
}
REFUSED_VALUES = [
    {},
    {"config": CONFIG, "mode": "sidecar"},
    {"config": CONFIG, "replicaCount": 0},
    {"config": CONFIG, "replicas": 2},
    {"config": CONFIG, "image": {"repository": "x", "digest": "latest"}},
    {"config": CONFIG, "mode": "sidecar", "sidecar": {"containers": APPLICATION, "upstreamPort": 8443}},
    {"config": CONFIG, "probes": {"readinessPath": "/"}},
    {"config": CONFIG, "prometheusRule": {"runbook": "deploy/RUNBOOK.md"}},
]


class Refused(Exception):
    """A manifest is not what it should be."""


def demand(holds, what):
    if not holds:
        raise Refused(what)


def chart(values):
    with helm.Chart.load(str(CHART)) as loaded:
        files = loaded.render(values, name="demo", namespace="identity")
    demand(any(name.endswith("NOTES.txt") and text.strip() for name, text in files.items()), "NOTES.txt is empty")
    return [document for name, text in files.items() if name.endswith(".yaml") for document in yaml.safe_load_all(text) if document]


def kustomize(overlay):
    kubectl = pathlib.Path(sys.executable).with_name("kubectl")
    return list(yaml.safe_load_all(subprocess.run([kubectl, "kustomize", overlay], check=True, capture_output=True).stdout))


def foreign(document):
    return document["apiVersion"].startswith("monitoring.coreos.com/")


def validate(documents):
    """By the schemas of Kubernetes, unknown keys refused, and of the Prometheus operator."""
    for document in documents:
        if not foreign(document):
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    raise Refused(f"Kubernetes {version}: {document['kind']}: {error.message}") from error
    theirs = [document for document in documents if foreign(document)]
    if theirs:
        done = subprocess.run(["node", FOLDER / "monitors.mjs"], input=json.dumps(theirs), text=True, capture_output=True, check=False)
        demand(done.returncode == 0, done.stderr)


def selects(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


def judge(documents):
    """What the project promises beyond the schemas."""
    kinds = {}
    for document in documents:
        kinds.setdefault(document["kind"], []).append(document)
    [deployment] = kinds["Deployment"]
    template = deployment["spec"]["template"]
    pod, labels = template["spec"], template["metadata"]["labels"]
    sidecars = [one for one in pod.get("initContainers", []) if one["name"] == "scimgate"]
    for one in sidecars:
        demand(one.get("restartPolicy") == "Always", "the sidecar is an ordinary init container")
    [ours] = sidecars or [one for one in pod["containers"] if one["name"] == "scimgate"]

    demand(selects(deployment["spec"]["selector"]["matchLabels"], labels), "the Deployment does not select its Pods")
    for service in kinds["Service"]:
        demand(selects(service["spec"]["selector"], labels), "a Service does not select the Pods")
        ports = {port["containerPort"] for port in ours["ports"]}
        demand({port["targetPort"] for port in service["spec"]["ports"]} <= ports, "a Service leads to no port")
    for policy in kinds.get("NetworkPolicy", []):
        demand(selects(policy["spec"]["podSelector"].get("matchLabels"), labels), "the NetworkPolicy does not select the Pods")
        open_to_all = [rule for rule in policy["spec"]["ingress"] if not rule.get("from")]
        demand(not any(port["port"] == 9090 for rule in open_to_all for port in rule["ports"]), "metrics are open to all")
        # What scimgate passes on to is behind it, and has no other door.
        behind = [int(one["value"].rsplit(":", 1)[1]) for one in ours.get("env", []) if one["name"] == "SCIMGATE__UPSTREAM__URL"]
        demand(not any(port["port"] in behind for rule in policy["spec"]["ingress"] for port in rule["ports"]), "there is a way past scimgate")
    for budget in kinds.get("PodDisruptionBudget", []):
        demand(selects(budget["spec"]["selector"].get("matchLabels"), labels), "the PodDisruptionBudget does not select the Pods")
    for rule in kinds.get("PrometheusRule", []):
        alerts, source = ([one for group in groups for one in group["rules"]] for groups in (rule["spec"]["groups"], ALERTS["groups"]))
        demand([(one["alert"], one["expr"]) for one in alerts] == [(one["alert"], one["expr"]) for one in source], "other alerts")
        entries = [one["annotations"]["runbook"].removeprefix("deploy/RUNBOOK.md") for one in source]
        demand([one["annotations"].get("runbook_url") for one in alerts] == [RUNBOOK + entry for entry in entries], "no runbook")
    [account] = kinds["ServiceAccount"]
    demand(pod["serviceAccountName"] == account["metadata"]["name"], "the ServiceAccount is another")
    demand(pod["automountServiceAccountToken"] is False, "a token is mounted")
    demand(pod["terminationGracePeriodSeconds"] > 30, "a Pod is killed before server.drain is over")

    for probe, path in (("startupProbe", "/livez"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
        demand(ours[probe]["httpGet"] == {"path": path, "port": "admin"}, f"{probe} does not ask {path}")
    for container in [ours]:
        context = container["securityContext"]
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
                  "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
        demand(wanted.items() <= context.items() and context["runAsUser"] > 0, f"{container['name']} is not confined")
        demand("memory" in container["resources"]["limits"] and {"cpu", "memory"} <= container["resources"]["requests"].keys(),
               f"{container['name']} has no bounds")
    demand(not any("secret" in json.dumps(one.get("valueFrom", "")).lower() for one in ours.get("env", [])), "a secret is a variable")
    [volume] = [one for one in pod["volumes"] if "projected" in one]
    demand(volume["projected"]["defaultMode"] == 0o440 and pod["securityContext"]["fsGroup"] == 65532, "everybody reads the secrets")
    demand({"name": volume["name"], "mountPath": "/etc/scimgate", "readOnly": True} in ours["volumeMounts"], "no configuration")
    return deployment, ours, next(one for one in kinds["ConfigMap"] if "scimgate.toml" in one["data"])


def read(ours, settings):
    """What scimgate itself says of the configuration, with the container's variables and the files of the Secrets."""
    folder = FOLDER / "etc"
    folder.mkdir(exist_ok=True)
    (folder / "scimgate.toml").write_text(settings["data"]["scimgate.toml"])
    (folder / "scimgate.toml").chmod(0o640)
    variables = {one["name"]: one["value"] for one in ours.get("env", [])}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCIMGATE")}
    command = [SCIMGATE, "check", "--offline", "--config", folder / "scimgate.toml"]
    done = subprocess.run(command, env=clean | variables, capture_output=True, text=True, check=False)
    demand(done.returncode == 0, f"scimgate refuses the configuration: {done.stdout}{done.stderr}")


def all_of_it(documents):
    validate(documents)
    _, ours, settings = judge(documents)
    read(ours, settings)


def refuses(what, documents, harm):
    """The probe: after the harm the same documents must be refused."""
    harmed = copy.deepcopy(documents)
    harm({document["kind"]: document for document in harmed})
    try:
        all_of_it(harmed)
    except Refused:
        return
    sys.exit(f"a mistake passes: {what}")


def pod_of(kinds):
    return kinds["Deployment"]["spec"]["template"]["spec"]


def open_the_application(kinds):
    kinds["NetworkPolicy"]["spec"]["ingress"].append({"ports": [{"port": 8080, "protocol": "TCP"}]})


PROBES = {
    "an unknown key": lambda kinds: pod_of(kinds).update(replicas=2),
    "a wrong type": lambda kinds: kinds["Deployment"]["spec"].update(replicas="two"),
    "a port of a Service without a number": lambda kinds: kinds["Service"]["spec"]["ports"][0].pop("port"),
    "a ServiceMonitor without endpoints": lambda kinds: kinds["ServiceMonitor"]["spec"].pop("endpoints"),
    "a rule without an expression": lambda kinds: kinds["PrometheusRule"]["spec"]["groups"][0]["rules"][0].pop("expr"),
    "an alert that leads nowhere": lambda kinds: kinds["PrometheusRule"]["spec"]["groups"][0]["rules"][0]["annotations"].pop("runbook_url"),
    "a writable root": lambda kinds: pod_of(kinds)["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
    "a probe of another path": lambda kinds: pod_of(kinds)["containers"][0]["livenessProbe"]["httpGet"].update(path="/readyz"),
    "a Service that finds no Pod": lambda kinds: kinds["Service"]["spec"]["selector"].update(x="y"),
    "secrets for everybody": lambda kinds: pod_of(kinds)["volumes"][0]["projected"].update(defaultMode=0o444),
    "open metrics": lambda kinds: kinds["NetworkPolicy"]["spec"]["ingress"][1].pop("from"),
    "a mistake in the configuration": lambda kinds: kinds["ConfigMap"]["data"].update({"scimgate.toml": CONFIG + "colour = 'red'\n"}),
}


def main():
    everything = {name: chart(values) for name, values in RELEASES.items()}
    everything |= {f"kustomize, {one}": kustomize(OVERLAYS / one) for one in ("standalone", "sidecar")}
    for name, documents in everything.items():
        try:
            all_of_it(documents)
        except Refused as refusal:
            sys.exit(f"{name}: {refusal}")
        print(f"  {name}: {len(documents)} manifests")
    for what, harm in PROBES.items():
        refuses(what, everything["chart, everything"], harm)
    refuses("a way past the sidecar", everything["chart, sidecar that owns the port"], open_the_application)
    for values in REFUSED_VALUES:
        try:
            chart(values)
        except helm.HelmError:
            continue
        sys.exit(f"values.schema.json accepts {sorted(values)}")
    problems = [one for one in helm.lint(str(CHART), {"config": CONFIG}, strict=True)["messages"] if one["severity"] > 1]
    if problems:
        sys.exit(f"helm lint: {problems}")
    print(f"  {len(PROBES) + 1} mistakes in manifests and {len(REFUSED_VALUES)} in values are refused")


main()
