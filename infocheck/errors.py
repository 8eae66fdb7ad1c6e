"""What goes wrong before any statistic is computed, in one sentence each."""


class InputError(ValueError):
    """The input cannot be read or is unsuitable; the message says what to do.

    The command line prints the message alone and exits with 3.
    """


class OutputError(OSError):
    """A result cannot be written where it was asked for; exit code 3."""


class NotAssessed(Exception):
    """Raised by a check for data of a kind that cannot answer its question.

    The message is one sentence: why, and what to bring.
    """
