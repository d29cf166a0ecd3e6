"""Conformance of FIX and SoupBinTCP/OUCH endpoints: scenarios, a runner, reports.

Knows nothing of the gateway: it speaks through simplefix and construct declarations of its own,
so that one error cannot hide on both sides of a connection.
"""
