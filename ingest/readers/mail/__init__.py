"""Mails and mailboxes in, a document for each message and each of its attachments out."""
