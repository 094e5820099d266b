"""What a person types into a command: a password, and a one-time code."""

from io import StringIO

PASSWORD = "of-a-person-7Q"


def give_password(user, monkeypatch, *lines):
    """Give the user a password, and standard input the lines that a command asks for: by default that password."""
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    type_lines(monkeypatch, *(lines or (PASSWORD,)))


def type_lines(monkeypatch, *lines):
    monkeypatch.setattr("sys.stdin", StringIO("".join(f"{line}\n" for line in lines)))
