"""The dashboards as files: for import by hand, for Grafana's provisioning, for Kubernetes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from replymeter.dashboards import DASHBOARDS

if TYPE_CHECKING:
    from replymeter.dashboards import Dashboard

HEADER: Final = (
    "# Generated from src/replymeter/dashboards by `make dashboards`: change it there.\n"
)
FOLDER, FOLDER_UID = "Replymeter", "replymeter"

PROVIDER: Final = f"""\
{HEADER}# For /etc/grafana/provisioning/dashboards/, with the JSON files in the folder of `path`.
apiVersion: 1
providers:
  - name: replymeter
    folder: {FOLDER}
    folderUid: {FOLDER_UID}
    type: file
    allowUiUpdates: false
    options:
      path: /var/lib/grafana/dashboards/replymeter
"""

DATA_SOURCES: Final = f"""\
{HEADER}# For /etc/grafana/provisioning/datasources/: an example, if you have none. The dashboards
# take any Prometheus and any Tempo; the alert rules take the uid `prometheus`.
apiVersion: 1
datasources:
  - name: Prometheus
    uid: prometheus
    type: prometheus
    access: proxy
    url: http://prometheus:9090
    jsonData:
      httpMethod: POST
      # The export interval of your SDK: 60s is OpenTelemetry's default, replymeter.start() has 15s.
      timeInterval: 60s
      # The dots on the latency panels lead to their traces.
      exemplarTraceIdDestinations:
        - name: trace_id
          datasourceUid: tempo
  - name: Tempo
    uid: tempo
    type: tempo
    access: proxy
    url: http://tempo:3200
"""

CONFIG_MAP: Final = """\
{header}# For the dashboard sidecar of Grafana's Helm chart (`sidecar.dashboards.enabled: true`).
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: replymeter
    grafana_dashboard: "1"
  annotations:
    grafana_folder: {folder}
data:
  {name}.json: |
{body}
"""


def files() -> dict[str, str]:
    """Every file of the dashboards, by its path in the repository."""
    single = {f"dashboards/grafana/{one.slug}.json": text_of(one) for one in DASHBOARDS}
    maps = {f"dashboards/kubernetes/{one.uid}.yaml": _config_map(one) for one in DASHBOARDS}
    provisioning = "dashboards/grafana/provisioning"
    return {
        **single,
        **maps,
        f"{provisioning}/dashboards/replymeter.yaml": PROVIDER,
        f"{provisioning}/datasources/replymeter.yaml": DATA_SOURCES,
    }


def text_of(dashboard: Dashboard) -> str:
    """The dashboard's JSON, the same every time."""
    return json.dumps(dashboard.json(), indent=2, ensure_ascii=False) + "\n"


def _config_map(dashboard: Dashboard) -> str:
    body = "\n".join(f"    {line}" for line in text_of(dashboard).splitlines())
    return CONFIG_MAP.format(header=HEADER, name=dashboard.uid, folder=FOLDER, body=body)
