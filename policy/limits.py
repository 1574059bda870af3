"""Limits on what strangers may send to the MTA host."""

SMTP_SESSIONS = 20
"""Sessions of one peer at a time, at port 25."""

SMTP_SESSIONS_PER_MINUTE = 120
"""New sessions of one peer in a minute."""

SMTP_MESSAGES_PER_SESSION = 100
SMTP_MESSAGES_PER_MINUTE = 600
"""Per peer; a large provider returns some hundreds of bounces a minute from one address."""
