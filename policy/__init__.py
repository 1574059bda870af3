"""What mail needs: settings, the files of hosts, DNS records; neither Pulumi nor AWS."""
