"""What rules may test of SMTP. All of it comes from the client."""

from __future__ import annotations

from sensor.model.anomaly import NO_TLS, AppAnomaly
from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.files import of_stage
from sensor.proto.mime.fields import file_buffers
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
        *file_buffers(STAGE_FILE),
        *(BufferSpec(name, STAGE_MAIL, RAW_DERIVED, help=text) for name, text in _MAIL),
    ),
    new_parser=SmtpParser,
    tunnelled=True,
    files=of_stage,
    events=(*(one for one in AppAnomaly if one.name.startswith("SMTP_")), *NO_TLS),
    log_stages=(STAGE_MAIL,),
)
