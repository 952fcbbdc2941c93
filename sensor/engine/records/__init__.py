"""From what was found to written records: logs, alerts, tagged packets, evidence, sinks."""
