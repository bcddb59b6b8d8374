"""Keep: originals, byte for byte, in packs; quarantine for what was refused."""
