"""SMBIOS, also called DMI, as text or bytes: another machine's facts from what people paste."""
