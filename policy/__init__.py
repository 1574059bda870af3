"""What mail needs: settings, host files, DNS records. It knows neither Pulumi nor AWS."""
