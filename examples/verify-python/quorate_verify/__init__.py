"""A verifier for proofs of a Quorate chain, written from docs/formats.md alone. See ../README.md."""

from .bundle import verify_bundle

__all__ = ['verify_bundle']
