"""Real mail, wanted and unwanted: the public corpus of SpamAssassin as a TFDS builder.

A filter for one person's mail is the plainest case for transfer: the next person's mail is other mail.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

GROUPS = ("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2")
"""Folders of the corpus. *Ham* is mail that was wanted; *hard* ham looks like spam: newsletters, offers that were asked for."""


class Mail(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """6,046 messages of 2002 and 2003, ham and spam, in five groups. `python -m nn.data fetch mail` brings them."""

    name = "mail"
    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "python -m nn.data fetch mail"
    DESCRIPTION = (
        "The SpamAssassin public mail corpus: of each message its subject, an empty line, and its text, with the HTML that is "
        "in it. The other headers are left out: dates, servers and mailing lists are how the corpus came together, and give a "
        "message's group away. So are attachments that are not text. In the order of the groups, and in the corpus's order "
        "within each."
    )
    LICENSE = "PDDL 1.0, contents CC0 1.0"
    FIELDS = ("text", "label", "group")
    EXAMPLES: ClassVar[dict[str, int]] = {"train": 6046}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=["ham", "spam"]),
                    "group": tfds.features.ClassLabel(names=list(GROUPS)),
                }
            ),
            supervised_keys=("text", "label"),
            homepage="https://spamassassin.apache.org/old/publiccorpus",
            citation="@misc{spamassassin, title={SpamAssassin public mail corpus}, author={Mason, Justin}, year={2003}}",
            license=self.LICENSE,
            disable_shuffling=True,  # the order is that of the corpus
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(Path(dl_manager.manual_dir))}

    def _generate_examples(self, folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        files = [(group, file) for group in GROUPS for file in sorted((folder / group).glob("*.txt"))]
        for key, (group, file) in enumerate(files):
            label = "spam" if group.startswith("spam") else "ham"
            yield key, {"text": subject_and_text(file.read_bytes()), "label": label, "group": group}


def subject_and_text(message: bytes) -> str:
    """What a person would read of a message: its subject, an empty line, its parts of plain text or HTML one after another.

    Bytes that are not what the message says they are come out as �; where it names no alphabet, or none that is known, they
    are read as Latin-1, but for those of a subject that names none: in a subject they come out as �.
    """
    parsed = message_from_bytes(message)
    parts = [text_of(part) for part in parsed.walk() if part.get_content_maintype() == "text"]
    return "\n\n".join([readable(str(parsed.get("subject", ""))), *parts]).replace("\r\n", "\n").strip()


def text_of(part: Message) -> str:
    """The text of one part of a message, out of base64 or quoted-printable where it is in it."""
    data = part.get_payload(decode=True)
    return decoded(data if isinstance(data, bytes) else b"", str(part.get_content_charset() or "latin-1"))


def readable(header: str) -> str:
    """A header without its line breaks, out of forms such as =?iso-8859-1?q?Gr=FC=DFe?=."""
    try:
        pieces = decode_header(header)
    except HeaderParseError:  # base64 that is none: spam is not always well formed
        pieces = [(header, None)]
    text = "".join(piece if isinstance(piece, str) else decoded(piece, alphabet or "latin-1") for piece, alphabet in pieces)
    return re.sub(r"\s+", " ", text).strip()


def decoded(data: bytes, alphabet: str) -> str:
    """Bytes as text. Spam also names alphabets that there are not."""
    try:
        return data.decode(alphabet, errors="replace")
    except (LookupError, ValueError):
        return data.decode("latin-1")
