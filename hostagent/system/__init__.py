"""What the host offers: programs, disks, packages, systemd."""
