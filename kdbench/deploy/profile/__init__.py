"""What a student costs: its profile, measured once a device. Nothing here imports torch until something is measured."""

from kdbench.records.profile import Memory, Profile, Timing, Tower
from kdbench.records.profiles import find_profiles, profile_path, read_profile, write_profile

__all__ = ["Memory", "Profile", "Timing", "Tower", "find_profiles", "profile_path", "read_profile", "write_profile"]
