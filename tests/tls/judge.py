"""Reads sslyze's report and ends with 1 if there is anything weak in it. What it cannot find is a fault too."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as report:
    [server] = json.load(report)["server_scan_results"]

faults = []
if server["connectivity_status"] != "COMPLETED" or server["scan_status"] != "COMPLETED":
    sys.exit(f"the server was not scanned: {server['connectivity_error_trace'] or server['scan_status']}")
scan = server["scan_result"]


def result(command):
    attempt = scan[command]
    if attempt["status"] != "COMPLETED":
        sys.exit(f"{command} was not looked at: {attempt['error_reason']}")
    return attempt["result"]


def accepted(command):
    return [suite["cipher_suite"]["name"] for suite in result(command)["accepted_cipher_suites"]]


for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"]:
    for suite in accepted(f"{version}_cipher_suites"):
        faults.append(f"{version} is spoken, with {suite}")
for version in ["tls_1_2", "tls_1_3"]:
    suites = accepted(f"{version}_cipher_suites")
    if not suites:
        faults.append(f"{version} is not spoken")
    # Forward secrecy, and nothing but authenticated encryption.
    for suite in suites:
        forward = version == "tls_1_3" or suite.startswith("TLS_ECDHE_")
        if not forward or not any(cipher in suite for cipher in ["_GCM_", "_CHACHA20_POLY1305"]):
            faults.append(f"{version} has a weak suite: {suite}")

renegotiation = result("session_renegotiation")
weaknesses = {
    "Heartbleed": result("heartbleed")["is_vulnerable_to_heartbleed"],
    "CCS injection": result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"],
    "compression (CRIME)": result("tls_compression")["supports_compression"],
    "ROBOT": not result("robot")["robot_result"].startswith("NOT_VULNERABLE"),
    "early data, which can be sent again by others": result("tls_1_3_early_data")["supports_early_data"],
    "renegotiation begun by clients": renegotiation["is_vulnerable_to_client_renegotiation_dos"],
    "no extended master secret": not result("tls_extended_master_secret")["supports_ems_extension"],
}
faults += [name for name, found in weaknesses.items() if found]

curves = [curve["name"] for curve in result("elliptic_curves")["supported_curves"]]
faults += [f"weak curve: {curve}" for curve in curves if curve not in {"X25519", "prime256v1", "secp256r1", "secp384r1"}]

for fault in faults:
    print(fault)
if faults:
    sys.exit(1)
print(f"sslyze finds nothing weak: {len(accepted('tls_1_3_cipher_suites'))} suites of TLS 1.3, "
      f"{len(accepted('tls_1_2_cipher_suites'))} of TLS 1.2, curves {', '.join(curves)}")
