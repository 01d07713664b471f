"""The conformance kit: drives any station through the clauses of docs/protocol.md, and judges only what it saw."""
