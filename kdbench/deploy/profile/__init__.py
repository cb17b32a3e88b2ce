"""Profiles: a student's costs at inference, measured once per device. Modules here import torch only where they measure."""
