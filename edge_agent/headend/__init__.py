"""The reference central side: keys, signing, publishing, watching, reporting."""
