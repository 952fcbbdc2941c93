"""Who is who, live: the inventory is a file that somebody writes anew while the sensor runs."""

import json
import urllib.request
from collections import Counter

import pytest
from livekit import MACS, Sensor, inside

pytestmark = pytest.mark.live
SAY = b"this is a live-needle for you"


def write(path, **names):
    """Name the guests of the laboratory."""
    guests = [{"name": name, "domid": n, "vifs": [{"mac": MACS[guest]}]} for n, (guest, name) in
              enumerate(names.items(), 1)]  # fmt: skip
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"host": "lab", "guests": guests}))
    fresh.replace(path)


def ends(event):
    xen = event.get("xen", {})
    return xen.get("src_guest"), xen.get("dest_guest")


def metrics(lab):
    with inside(lab.monitor), urllib.request.urlopen("http://127.0.0.1:9181/metrics") as answer:
        return answer.read().decode()


def test_alerts_name_the_guests_of_their_time(lab, tmp_path):
    inventory = tmp_path / "guests.json"
    write(inventory, g1="web", g2="db")
    options = ("--set", f"guests.inventory={inventory}", "--metrics", "127.0.0.1:9181")
    with Sensor(lab, tmp_path, *options, types="[alert,flow]") as sensor:
        lab.say(SAY)
        sensor.wait_alerts(1)
        inventory.write_text("nonsense")
        sensor.wait_log("the inventory of guests cannot be read")
        lab.say(SAY)
        sensor.wait_alerts(2)
        write(inventory, g2="db-2")
        sensor.wait_log("1 guests are known")
        lab.say(SAY)
        sensor.wait_alerts(3)
        wanted = 'xensor_alerts_by_guest_total{guest="db-2"} 1.0'
        sensor._until(lambda: wanted in metrics(lab), 10, "the metric of the third alert")
        found = metrics(lab)
        sensor.stop()
    for line in ('alerts_by_guest_total{guest="web"} 2.0', "guests_known 1.0", "inventory_errors_total 1.0"):
        assert f"xensor_{line}" in found
    assert [ends(event) for event in sensor.events()] == [("web", "db"), ("web", "db"), (None, "db-2")]
    assert {event["xen"]["host"] for event in sensor.events()} == {"lab"}
    # The first two flows ended under the last inventory, but belong to the guests of their time.
    assert Counter(map(ends, sensor.events("flow"))) == {("web", "db"): 2, (None, "db-2"): 1}
