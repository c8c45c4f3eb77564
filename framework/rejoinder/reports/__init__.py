"""Reports: what a tenant's bot achieved, by day or week, as figures, CSV and pictures."""
