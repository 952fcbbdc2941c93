"""The table of options: keyword → how it is read."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.nodes import FlowVar, PacketVar
from sensor.rules.problems import suggest
from sensor.rules.suricata import (
    apps,
    byteops,
    content,
    datasets,
    ends,
    files,
    flow,
    labels,
    modbus,
    oncrpc,
    packet,
    refusal,
    regex,
    rpc,
    subjects,
    tag,
    tlswords,
)
from sensor.rules.suricata.flagwords import FLAGS, flags
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.rules.suricata.draft import Draft

    Handler = Callable[[Draft, str], None]


def _nothing(_draft: Draft, _value: str) -> None:
    """Do nothing: what the keyword says changes neither what matches nor what an alert says here."""


KEYWORDS: Mapping[str, Handler] = MappingProxyType(
    {
        "msg": labels.msg,
        "sid": labels.number("sid", 1),
        "gid": labels.number("gid", 0),
        "rev": labels.number("rev", 1),
        "classtype": labels.classtype,
        "priority": labels.priority,
        "reference": labels.reference,
        "metadata": labels.metadata,
        "target": labels.target,
        "noalert": labels.noalert,
        "alert": labels.alert,
        "requires": labels.requires,
        "content": content.content,
        "uricontent": content.uricontent,
        "nocase": content.flag("nocase"),
        "startswith": content.flag("startswith"),
        "endswith": content.flag("endswith"),
        "offset": content.place("offset"),
        "depth": content.place("depth"),
        "distance": content.place("distance"),
        "within": content.place("within"),
        "fast_pattern": content.fast_pattern,
        "pcre": regex.pcre,
        "byte_test": byteops.byte_test,
        "byte_jump": byteops.byte_jump,
        "byte_extract": byteops.byte_extract,
        "byte_math": byteops.byte_math,
        "isdataat": byteops.isdataat,
        "bsize": byteops.bsize,
        "base64_decode": byteops.base64_decode,
        "base64_data": byteops.base64_data,
        "urilen": byteops.urilen,
        "asn1": byteops.asn1,
        "flow": flow.flow,
        "app-layer-protocol": flow.app_layer_protocol,
        "flowbits": flow.flowbits,
        "flowint": flow.flowint,
        "flowvar": flow.kept_text(FlowVar),
        "pktvar": flow.kept_text(PacketVar),
        "xbits": flow.xbits,
        "hostbits": flow.hostbits,
        "threshold": flow.threshold,
        "tag": tag.tag,
        "detection_filter": flow.detection_filter,
        "tos": packet.tos,
        "flags": packet.flags,
        "tcp.flags": packet.flags,
        "fragbits": packet.fragbits,
        "sameip": packet.same_ip,
        "stream_size": packet.stream_size,
        "ipopts": packet.ip_options,
        **{name: packet.checksum(name) for name in packet.CHECKSUMS},
        "decode-event": packet.decode_event,
        "stream-event": packet.stream_event,
        **{keyword: packet.number(field) for keyword, field in packet.NUMBERS.items()},
        "app-layer-event": apps.event,
        "frame": apps.frame,
        "filename": files.file_name,
        "fileext": files.file_ext,
        "filemagic": files.file_magic,
        "filesize": files.file_size,
        "dataset": datasets.dataset,
        "datarep": datasets.datarep,
        "filestore": files.file_store,
        **{f"file{kind}": files.file_hash(kind) for kind in ("md5", "sha1", "sha256")},
        "krb5.ticket_encryption": apps.ticket_encryption,
        "cip_service": apps.cip_service,
        "dnp3_ind": apps.dnp3_indications,
        "dnp3.ind": apps.dnp3_indications,
        "dnp3_obj": apps.dnp3_object,
        "dnp3.obj": apps.dnp3_object,
        "modbus": modbus.modbus,
        "ike.chosen_sa_attribute": apps.chosen_sa_attribute,
        **dict.fromkeys(("dcerpc.iface", "dce_iface"), rpc.iface),
        **dict.fromkeys(("dcerpc.opnum", "dce_opnum"), rpc.opnum),
        "nfs_procedure": oncrpc.procedure,
        **dict.fromkeys(("nfs.version", "nfs_version"), oncrpc.version),
        "rpc": oncrpc.rpc,
        **{name: flags(name) for name in FLAGS},
        "ftpbounce": subjects.ftp_bounce,
        "http2.settings": subjects.http2_settings,
        "pkt_data": subjects.pkt_data,
        "ssh.protoversion": subjects.ssh_version,
        "ssh.softwareversion": subjects.ssh_software,
        "tls_cert_notbefore": tlswords.validity("notbefore"),
        "tls_cert_notafter": tlswords.validity("notafter"),
        "tls_cert_expired": tlswords.verdict("tls.cert_expired"),
        "tls_cert_valid": tlswords.verdict("tls.cert_valid"),
        "ssl_state": tlswords.state,
        "ssl_version": tlswords.version,
        "iprep": ends.iprep,
        "geoip": ends.geoip,
        "l3_proto": packet.network_protocol,
        "engine-event": packet.engine_event,
        "tls.version": subjects.tls_version,
        "xor": subjects.xor,
        "pcrexform": subjects.pcrexform,
        **{name: subjects.modifier(name) for name in subjects.MODIFIERS},
        **{name: subjects.with_text(name) for name in subjects.WITH_TEXT},
        **{name: subjects.four_bytes(buffer) for name, buffer in subjects.FOUR_BYTES.items()},
        **{name: subjects.in_digits(name) for name in subjects.IN_DIGITS},
        **{name: subjects.transform(name) for name in subjects.TRANSFORMS},
        # No condition: hints for other engines, or what only an inline engine does.
        **dict.fromkeys(
            ("prefilter", "rawbytes", "logto", "tls_store", "tls.store", "nfq_set_mark", "replace", "bypass"), _nothing
        ),
    }
)


@functools.cache
def handler(name: str) -> Handler:
    """Return how an option is read. Raises Refused with the reason where it cannot be."""
    found = KEYWORDS.get(name) or apps.number(name) or subjects.sticky(name)
    if found is None:
        why = refusal.reason(name)
        if why:
            raise Refused(f"is not supported: {why}")
        raise Refused("is unknown", suggest(name, KEYWORDS))
    return found
