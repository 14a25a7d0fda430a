"""The Grafana dashboards, built from `replymeter.conventions`."""
