"""MQTT 3.1, 3.1.1 and 5: messages and the exchanges that they belong to."""
