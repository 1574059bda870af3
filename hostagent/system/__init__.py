"""What the host provides: programs, disks, packages, systemd."""
