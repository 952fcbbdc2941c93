"""SMTP of one flow: commands and replies matched, mails taken apart."""

from __future__ import annotations

from collections import deque

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.keeping import FilePolicy
from sensor.model.losses import Losses
from sensor.proto.files import HASHED
from sensor.proto.lines import Line, LineReader
from sensor.proto.mime.lines import DataReader
from sensor.proto.mime.parser import MimeParser
from sensor.proto.oddities import Oddities
from sensor.proto.smtp import limits, parse
from sensor.proto.smtp.transaction import SmtpTransaction

STAGE_ENVELOPE, STAGE_FILE, STAGE_MAIL = 0, 1, 2

_END = b"."
"""In the queue of commands: the end of a mail, which is answered like one."""
_COMMAND = 60
"""Bytes that a command takes that waits for its reply."""
_READY, _GO, _CLOSING = 220, 354, 421
"""Replies (RFC 5321 section 4.2.3)."""
_CODES = frozenset({
    211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 550, 551, 552,
    553, 554, 555,
})  # fmt: skip
"""Replies that Suricata knows: RFC 5321 section 4.2.3, and what authentication succeeds with."""
_TURNS = frozenset({b"DATA", b"STARTTLS"})
"""Commands behind which nothing may be sent before they are answered (RFC 2920 section 3.1)."""


class SmtpParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = (
        "_chunk", "_count", "_greeted", "_heard", "_helo", "_in_mail", "_last", "_lines", "_reader",
        "_behind", "_named", "_policy", "_told", "_tx", "_waiting", "becomes", "done", "losses",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.becomes = ""
        self._policy = HASHED
        self.losses = Losses()
        self._behind = b""
        """What came of the server behind its consent to TLS."""
        self._lines = (LineReader(limits.LINE), LineReader(limits.LINE))
        self._count = 0
        self._helo = b""
        self._named = b""
        """The name that rules have seen."""
        self._tx: SmtpTransaction | None = None
        self._waiting: deque[bytes] = deque()
        """Commands that were not answered, the oldest first."""
        self._greeted = False
        self._heard = False
        """The server's side was seen."""
        self._reader: DataReader | None = None
        """Of the mail that has begun."""
        self._in_mail = False
        """The client's next bytes are the mail's."""
        self._chunk = -1
        """How many of them are (BDAT); -1: a lone dot ends the mail."""
        self._last = False
        """It is the mail's last chunk."""
        self._told: set[AppAnomaly] = set()
        """Anomalies of the transaction at hand: each counts once."""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._policy = policy

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        if not self.done:
            self._heard |= side == TO_CLIENT
            self._behind = self._take(side, data, out)
        return out

    def _take(self, side: int, data: bytes, out: list[TxStage]) -> bytes:
        """Take bytes; return what is behind the consent to TLS."""
        while data and not self.done:
            data = self._on_mail(data, out) if side == TO_SERVER and self._in_mail else self._on_lines(side, data, out)
        return data

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        mail = self._tx.held() if self._tx is not None else 0
        return mail + sum(one.held for one in self._lines) + _COMMAND * len(self._waiting)

    def rest(self, side: int) -> bytes:
        """Return what is TLS already (see `sensor.model.app.HandsOver`)."""
        return self._behind if side == TO_CLIENT else self._lines[TO_SERVER].rest()

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next line; a mail ends before what is lost. In a chunk it is lost where commands begin."""
        out: list[TxStage] = []
        if self.done:
            return out
        self._report(AppAnomaly.PROTOCOL_GAP, side)
        self._lines[side].forget()
        if side == TO_SERVER and self._reader is not None:
            self.done = self._chunk > 0
            self._end_mail(out, ended=False)
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete the mail or session that is under way."""
        out: list[TxStage] = []
        self._end_mail(out, ended=False)
        self._end_session(out)
        self.done = True
        return out

    # ---- lines

    def _on_lines(self, side: int, data: bytes, out: list[TxStage]) -> bytes:
        """Take lines; return the bytes that belong to a mail."""
        reader = self._lines[side]
        reader.give(data)
        while (line := reader.next()) is not None:
            if side == TO_CLIENT:
                self._on_reply(line, out)
            else:
                self._on_command(line, out)
            if self.done or (side == TO_SERVER and self._in_mail):
                return reader.rest()
        return b""

    def _on_command(self, line: Line, out: list[TxStage]) -> None:
        verb = parse.verb(line.text)
        if not verb:
            self._await(verb)
            return
        tx = self._current(verb)
        if not self._greeted:
            self._report(AppAnomaly.SMTP_NO_SERVER_WELCOME_MESSAGE, TO_SERVER)
        if line.cut:
            self._report(AppAnomaly.SMTP_MAX_COMMAND_LINE_LEN_EXCEEDED, TO_SERVER)
            self._report(AppAnomaly.SMTP_TRUNCATED_LINE, TO_SERVER)
        if self._waiting and self._waiting[-1] in _TURNS and self._heard:
            self._report(AppAnomaly.SMTP_INVALID_PIPELINED_SEQUENCE, TO_SERVER)
        self._await(verb)
        self._envelope(tx, verb, line.text)
        if verb == b"RSET":
            self._end_mail(out, ended=False)
            self._end_session(out)
        elif verb == b"BDAT":
            self._on_chunk(tx, line.text, out)
        elif verb == b"DATA":
            self._tell(tx, out)
            if not self._heard:
                self._begin_mail(tx)

    def _await(self, verb: bytes) -> None:
        if len(self._waiting) < limits.COMMANDS:
            self._waiting.append(verb)
        else:
            self.losses.transactions += self._heard

    def _current(self, verb: bytes) -> SmtpTransaction:
        """Return the transaction of a command.

        What follows a mail (of DATA) belongs to another one, as in Suricata: sessions end with a record of who spoke.
        """
        tx = self._tx
        sent = tx is not None and tx.mime is not None and self._chunk < 0
        if tx is None or (tx.done and (sent or verb not in {b"RSET", b"QUIT"})):
            tx = self._tx = SmtpTransaction(self._count, self._helo)
            self._count += 1
            self._told.clear()
        return tx

    def _envelope(self, tx: SmtpTransaction, verb: bytes, line: bytes) -> None:
        if verb in {b"HELO", b"EHLO"}:
            self._on_hello(tx, parse.hello(line))
        elif (path := parse.path(line, b"MAIL FROM:")) is not None:
            if tx.mail_from is not None:
                self._report(AppAnomaly.SMTP_DUPLICATE_FIELDS, TO_SERVER)
            else:
                tx.mail_from = path
        elif (path := parse.path(line, b"RCPT TO:")) is not None:
            tx.add_recipient(path)

    def _on_hello(self, tx: SmtpTransaction, name: bytes) -> None:
        if self._helo:
            self._report(AppAnomaly.SMTP_DUPLICATE_FIELDS, TO_SERVER)
        elif not name:
            self._report(AppAnomaly.SMTP_UNPARSABLE_CONTENT, TO_SERVER)
        else:
            self._helo = tx.helo = name

    # ---- replies

    def _on_reply(self, line: Line, out: list[TxStage]) -> None:
        if line.cut:
            self._report(AppAnomaly.SMTP_MAX_REPLY_LINE_LEN_EXCEEDED, TO_CLIENT)
            self._report(AppAnomaly.SMTP_TRUNCATED_LINE, TO_CLIENT)
        code = parse.code(line.text)
        greeted = self._greeted
        if code not in _CODES:
            what = AppAnomaly.SMTP_INVALID_REPLY if greeted else AppAnomaly.SMTP_NO_SERVER_WELCOME_MESSAGE
            self._report(what, TO_CLIENT)
        if code and line.text[3:4] == b"-":
            return
        self._greeted = True
        if not greeted and code == _READY:
            return  # the greeting, also where the client did not wait for it
        if self._waiting:
            self._answer(self._waiting.popleft(), code, out)
        elif greeted and code in _CODES and code != _CLOSING:
            self._report(AppAnomaly.SMTP_UNABLE_TO_MATCH_REPLY_WITH_REQUEST, TO_CLIENT)

    def _answer(self, verb: bytes, code: int, out: list[TxStage]) -> None:
        if verb == b"STARTTLS":
            self.done = code == _READY
            if self.done:
                self.becomes = "tls"
                self._end_session(out)
            elif code in _CODES:
                self._report(AppAnomaly.SMTP_TLS_REJECTED, TO_CLIENT)
        elif verb == b"DATA" and code == _GO:
            if self._tx is not None and self._reader is None and not self._tx.done:
                self._begin_mail(self._tx)
                out += self.feed(TO_SERVER, self._lines[TO_SERVER].rest(), 0)
        elif verb == b"DATA":
            if code in _CODES:
                self._report(AppAnomaly.SMTP_DATA_COMMAND_REJECTED, TO_CLIENT)
            if self._chunk < 0:
                self._drop_mail()

    # ---- mails

    def _begin_mail(self, tx: SmtpTransaction) -> None:
        tx.mime = MimeParser(self._policy)
        self._reader, self._in_mail, self._chunk = DataReader(tx.mime), True, -1

    def _drop_mail(self) -> None:
        """Forget a mail that was sent without waiting and that nobody takes."""
        self._reader, self._in_mail = None, False

    def _on_chunk(self, tx: SmtpTransaction, line: bytes, out: list[TxStage]) -> None:
        """Take a BDAT."""
        found = parse.chunk(line)
        if found is None:
            if line.strip()[4:].strip()[:1].isalpha():
                self._report(AppAnomaly.SMTP_BDAT_CHUNK_LEN_EXCEEDED, TO_SERVER)
            return
        self._tell(tx, out)
        if self._reader is None:
            self._begin_mail(tx)
        self._in_mail = True
        self._chunk, self._last = found
        if not self._chunk:
            self._report(AppAnomaly.SMTP_BDAT_CHUNK_LEN_EXCEEDED, TO_SERVER)
            self._end_chunk(out)

    def _on_mail(self, data: bytes, out: list[TxStage]) -> bytes:
        """Give the mail its bytes; return what is behind its end."""
        reader, tx = self._reader, self._tx
        if reader is None or tx is None:
            self._in_mail = False
            return data
        if self._chunk < 0:
            left = reader.feed(data)
            if left < 0:
                self._take_files(tx, out)
                return b""
            self._end_mail(out, ended=True)
            self._await(_END)
            return data[len(data) - left :]
        mine, rest = data[: self._chunk], data[self._chunk :]
        self._chunk -= len(mine)
        reader.feed(mine, dots=False)
        self._take_files(tx, out)
        if not self._chunk:
            if not mine.endswith(b"\n"):  # Suricata counts lines, and what ends within one goes beyond the chunk
                self._report(AppAnomaly.SMTP_BDAT_CHUNK_LEN_EXCEEDED, TO_SERVER)
            self._end_chunk(out)
        return rest

    def _end_chunk(self, out: list[TxStage]) -> None:
        """Go on with a command; more of the mail follows it, unless this chunk was the last."""
        self._in_mail = False
        if self._last:
            self._end_mail(out, ended=True)

    def _end_mail(self, out: list[TxStage], *, ended: bool) -> None:
        reader, tx = self._reader, self._tx
        self._drop_mail()
        if reader is None or tx is None:
            return
        reader.finish(ended=ended)
        tx.complete = ended
        self._take_files(tx, out)
        self._tell(tx, out)
        self._complete(tx, out)

    def _take_files(self, tx: SmtpTransaction, out: list[TxStage]) -> None:
        mime = tx.mime
        if mime is None:
            return
        for file in mime.files:
            self.losses.files += not tx.add_file(file)
            out.append(TxStage(tx, STAGE_FILE, TO_SERVER, file=file))
        mime.files.clear()
        for event in sorted(mime.events):
            self._report(event, TO_SERVER)

    # ---- stages

    def _tell(self, tx: SmtpTransaction, out: list[TxStage]) -> None:
        """Reach the stage of the envelope."""
        if not tx.told:
            tx.told = True
            self._named = tx.helo
            out.append(TxStage(tx, STAGE_ENVELOPE, TO_SERVER))

    def _complete(self, tx: SmtpTransaction, out: list[TxStage]) -> None:
        if not tx.done:
            tx.done = True
            out.append(TxStage(tx, STAGE_MAIL, TO_SERVER))

    def _end_session(self, out: list[TxStage]) -> None:
        """No mail will follow the envelope at hand; rules see it if it says something new."""
        tx = self._tx
        if tx is not None and not tx.done:
            if tx.mail_from is not None or tx.rcpt_to or tx.helo != self._named:
                self._tell(tx, out)
            self._complete(tx, out)

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if anomaly not in self._told:
            self._told.add(anomaly)
            super()._report(anomaly, side)
