"""`ping8 rotate`: new DKIM keys and tokens in safe steps."""
