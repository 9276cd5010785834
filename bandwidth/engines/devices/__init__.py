"""What all engines of devices share: the cases, the checks, the tuning; no maker is named here."""
