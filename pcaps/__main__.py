"""`python -m pcaps`: make every capture anew. `--check`: only compare with those that lie here. Names: only these."""

import argparse
import sys
from pathlib import Path
from types import ModuleType

from pcaps import (
    forge_benign,
    forge_cleartext,
    forge_decode,
    forge_demo,
    forge_dhcp_arp,
    forge_lateral,
    forge_migration,
    forge_scan,
    forge_tls,
    forge_tunnel,
    forge_web,
    forge_windows,
)

SCRIPTS = (
    forge_benign,
    forge_cleartext,
    forge_decode,
    forge_demo,
    forge_dhcp_arp,
    forge_lateral,
    forge_migration,
    forge_scan,
    forge_tls,
    forge_tunnel,
    forge_web,
    forge_windows,
)
HERE = Path(__file__).resolve().parent
SEVERAL = {forge_decode: {"vlan", "fragments", "overlay", "segments", "offload"}}
"""Scripts of more than the one capture of their name."""


def names_of(script: ModuleType) -> set[str]:
    return SEVERAL.get(script, {script.__name__.removeprefix("pcaps.forge_")})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pcaps", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a capture differs")
    parser.add_argument("names", nargs="*", metavar="NAME", help="captures to make (default: all)")
    args = parser.parse_args()
    different, total = [], 0
    for script in SCRIPTS:
        if args.names and names_of(script).isdisjoint(args.names):
            continue
        for name, wire in script.captures().items():
            if args.names and name not in args.names:
                continue
            path, data = HERE / f"{name}.pcap", wire.pcap()
            total += len(data)
            same = path.is_file() and path.read_bytes() == data
            if not same:
                different.append(name)
            if not args.check:
                path.write_bytes(data)
            print(f"{'same   ' if same else 'differs'}  {name:12} {len(wire.frames):5} frames  {len(data):7} bytes")
    print(f"{total} bytes")
    if args.check and different:
        print(f"not what their scripts make: {', '.join(different)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
