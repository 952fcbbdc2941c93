"""`make bench`: traffic CPU beside a real Suricata on the same capture, core and rules, and the alerts of both.

Generates rule sets of random literals in both syntaxes: 1 and 10,000 random ones (cost), and 200 cut out of the
capture's own payload (so that there are alerts to compare). Prints ratios against the baseline of the same run;
nothing passes or fails on absolute time. Needs root, and `../shared` for the capture and the peer tool.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

import dpkt

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
PEER = SHARED / "tools" / "suricata-peer"
CAPTURE = SHARED / "captures" / "bench.pcap.zst"
WORK = ROOT / "build" / "bench"
XENSOR = Path(sys.executable).with_name("xensor")
PRINTABLE = [c for c in range(33, 127) if chr(c) not in '|";\\:']


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    args = parser.parse_args()
    if not CAPTURE.exists():
        sys.exit(f"bench: {CAPTURE} is not there")
    WORK.mkdir(parents=True, exist_ok=True)
    capture = WORK / "bench.pcap"
    if not capture.exists():
        subprocess.run(["zstd", "-q", "-d", "-f", str(CAPTURE), "-o", str(capture)], check=True)
    rng = random.Random(20261123)
    for name, literals in (("1", randoms(rng, 1)), ("10000", randoms(rng, 10_000))):
        write(name, literals)
        print(f"== {name} random literal rule(s)", flush=True)
        cost(capture, name, args)
    write("cut", cuts(rng, capture, 200))
    print("== alerts of 200 literals cut out of the capture", flush=True)
    parity(capture, "cut")


def randoms(rng, n):
    """Return n distinct literals of 8 to 16 printable bytes."""
    found = set()
    while len(found) < n:
        found.add(bytes(rng.choice(PRINTABLE) for _ in range(rng.randint(8, 16))))
    return sorted(found)


def cuts(rng, capture, n):
    """Return n literals of 8 to 16 bytes out of TCP and UDP payloads of the capture."""
    payloads = []
    with capture.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            try:
                data = bytes(dpkt.ethernet.Ethernet(frame).ip.data.data)
            except (AttributeError, dpkt.UnpackError, IndexError, TypeError):
                continue
            if len(data) >= 64:
                payloads.append(data)
    found = set()
    while len(found) < n:
        data = rng.choice(payloads)
        size = rng.randint(8, 16)
        at = rng.randrange(len(data) - size)
        literal = data[at : at + size]
        if len(set(literal)) > 4:
            found.add(literal)
    return sorted(found)


def write(name, literals):
    """Write the same rules as Suricata text and as YAML."""
    text, yaml = [], []
    for sid, literal in enumerate(literals, 1):
        shown = "".join(chr(c) if c in PRINTABLE else f"|{c:02x}|" for c in literal)
        text.append(f'alert ip any any -> any any (msg:"literal {sid}"; content:"{shown}"; sid:{sid}; rev:1;)')
        quoted = shown.replace("'", "''")
        match = f"[{{content: '{quoted}'}}]"
        yaml.append(f"- {{id: {sid}, title: literal {sid}, severity: low, protocol: ip, match: {match}}}")
    (WORK / f"{name}.rules").write_text("\n".join(text) + "\n")
    (WORK / f"{name}.yaml").write_text("\n".join(yaml) + "\n")


def ours(capture, name, out):
    """Return our command line for a rule set."""
    return [str(XENSOR), "replay", "-q", "-k", "none", "-S", str(WORK / f"{name}.yaml"), "-l", str(out), str(capture)]


def cost(capture, name, args):
    """Print CPU of both, alternating, on one core."""
    out = WORK / f"out-{name}"
    subprocess.run(ours(capture, name, out), check=True, stderr=subprocess.DEVNULL)  # warm caches
    words = [sys.executable, str(PEER), "cost", "--runs", str(args.runs), "--core", str(args.core)]
    subprocess.run([*words, str(capture), str(WORK / f"{name}.rules"), "--", *ours(capture, name, out)], check=True)


def parity(capture, name):
    """Print how the sets of (rule, flow) alerts compare."""
    out = WORK / f"out-{name}"
    (out / "eve.json").unlink(missing_ok=True)
    subprocess.run([*ours(capture, name, out), "--set", "flood.burst=0"], check=True, stderr=subprocess.DEVNULL)
    peer = WORK / f"peer-{name}"
    subprocess.run([sys.executable, str(PEER), "run", str(capture), str(WORK / f"{name}.rules"), str(peer)], check=True)
    mine, theirs = pairs(out / "eve.json"), pairs(peer / "eve.json")
    print(json.dumps({
        "suricata": len(theirs), "ours": len(mine), "both": len(mine & theirs),
        "found_percent": round(100 * len(mine & theirs) / max(1, len(theirs)), 2),
        "extra_percent": round(100 * len(mine - theirs) / max(1, len(theirs)), 2),
    }))  # fmt: skip


def pairs(eve):
    """Return the set of (rule id, flow) of an EVE file; a flow is its addresses, ports and protocol, either way."""
    found = set()
    for line in eve.open():
        event = json.loads(line)
        if event["event_type"] != "alert":
            continue
        ends = frozenset((event.get(f"{e}_ip"), event.get(f"{e}_port")) for e in ("src", "dest"))
        found.add((event["alert"]["signature_id"], ends, event.get("proto")))
    return found


if __name__ == "__main__":
    main()
