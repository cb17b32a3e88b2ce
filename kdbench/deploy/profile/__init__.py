"""What a student costs: its profile, measured once a device. Nothing here imports torch until something is measured."""

from kdbench.profile.profile import Memory, Profile, Timing, Tower
from kdbench.profile.stored import find_profiles, profile_path, read_profile, write_profile

__all__ = ["Memory", "Profile", "Timing", "Tower", "find_profiles", "profile_path", "read_profile", "write_profile"]
