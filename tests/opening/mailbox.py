"""A mail server that keeps what it gets."""

import email
import email.policy
import re
import socketserver
import threading
from contextlib import contextmanager
from urllib.parse import unquote

from tests.processes import wait_for

_TOKEN = re.compile(r"^https://shop\.example/([\w-]+)#token=(\S+)$", re.MULTILINE)


class _Conversation(socketserver.StreamRequestHandler):
    """Speaks as much of SMTP (RFC 5321) as Python's client needs."""

    def handle(self):
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(maxsplit=1)[0].upper()
            if verb == "QUIT":
                self._say("221 bye")
                return
            if verb == "DATA":
                self._say("354 go on")
                self.server.letters.append(self._read_letter())
            self._say("250 ok")

    def _say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def _read_letter(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)


class Mailbox(socketserver.ThreadingTCPServer):
    """The server, and all letters so far."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.letters = []

    @property
    def port(self):
        return self.server_address[1]

    def subjects_to(self, address):
        return [letter["Subject"] for letter in self.letters if letter["To"] == address]

    def token_to(self, address, *, purpose):
        """Wait for a letter with a link for this purpose, and return the newest one's token."""
        return wait_for(lambda: self._find_tokens(address, purpose), seconds=30)[-1]

    def _find_tokens(self, address, purpose):
        texts = [letter.get_content() for letter in list(self.letters) if letter["To"] == address]
        found = [_TOKEN.search(text.replace("\r\n", "\n")) for text in texts]
        return [unquote(each[2]) for each in found if each and each[1] == purpose]


@contextmanager
def running_mailbox():
    with Mailbox() as mailbox:
        thread = threading.Thread(target=mailbox.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            mailbox.shutdown()
            thread.join()
