// Reads a JSON list of ServiceMonitors and PrometheusRules on the standard input and checks each by the operator's own schema.
import { readFileSync } from "node:fs";
import { PrometheusRule, ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const kinds = { PrometheusRule, ServiceMonitor };
const documents = JSON.parse(readFileSync(0, "utf8"));
for (const document of documents) {
  const Kind = kinds[document.kind];
  if (!Kind) throw new Error(`no schema for ${document.kind}`);
  new Kind(document).validate();
}
if (!documents.length) throw new Error("nothing to check");
