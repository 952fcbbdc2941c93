"""What rules may test of SMTP. All of it comes from the client."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.model.files import HASHES
from sensor.proto.smtp.state import STAGE_ENVELOPE, STAGE_FILE, STAGE_MAIL, SmtpParser

_MAIL = (
    ("email.from", "From of the mail"),
    ("email.to", "To of the mail"),
    ("email.cc", "Cc of the mail"),
    ("email.subject", "Subject of the mail"),
    ("email.date", "Date of the mail"),
    ("email.message_id", "Message-ID of the mail"),
    ("email.x_mailer", "X-Mailer of the mail"),
)

SPEC = ProtocolSpec(
    name="smtp",
    transports=(6,),
    ports=(25, 465, 587),
    stages=(StageSpec("envelope", TO_SERVER), StageSpec("file", TO_SERVER), StageSpec("mail", TO_SERVER)),
    buffers=(
        BufferSpec("smtp.helo", STAGE_ENVELOPE, RAW_VERBATIM, help="argument of HELO or EHLO"),
        BufferSpec("smtp.mail_from", STAGE_ENVELOPE, RAW_VERBATIM, help="path of MAIL FROM, with its brackets"),
        BufferSpec("smtp.rcpt_to", STAGE_ENVELOPE, RAW_VERBATIM, multi=True, help="each path of RCPT TO"),
        BufferSpec("file.data", STAGE_FILE, RAW_DERIVED, True, ("file_data",), help="each attachment, decoded"),
        BufferSpec("file.name", STAGE_FILE, RAW_DERIVED, False, ("file_name",), help="name of the attachment"),
        BufferSpec("file.size", STAGE_FILE, RAW_DERIVED, help="bytes of the attachment, eight bytes big-endian"),
        *(
            BufferSpec(f"file.{key}", STAGE_FILE, RAW_DERIVED, lowercase=True, help="hash of the whole attachment")
            for key in HASHES
        ),
        *(BufferSpec(name, STAGE_MAIL, RAW_DERIVED, help=text) for name, text in _MAIL),
    ),
    new_parser=SmtpParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("SMTP_")),
    log_stages=(STAGE_MAIL,),
)
